"""Entries of the section `universal`, as overlays of `configs.BASE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clampsweep.studies.universal.entry import UniversalEntry
from configs import BASE, parse

SIZES = {"licence": "none", "dtype": "float64", "prepend_bos": False, "weight_processing": "none"}
TINY = {"source": "path", "path": "tiny", "n_layers": 3, "d_mlp": 40, **SIZES}
MODELS = {
    "other": {**TINY, "prepend_bos": True},
    "small": {**TINY, "n_layers": 2},
    "attention": {**TINY, "d_mlp": 0},
}
DOMAIN = {"file": "prose.txt", "source": "written here", "licence": "MIT", "language": "en"}
TEXTS = {"domains": {"prose": DOMAIN, "code": {**DOMAIN, "file": "code/*.py"}}}
ENTRY: dict[str, Any] = {"model": "tiny", "texts": TEXTS, "pairs": [["code", "prose"]]}


@pytest.fixture(autouse=True)
def texts(folder: Path) -> None:
    """The files that `TEXTS` names."""
    (folder / "prose.txt").write_text("A text.")
    (folder / "code").mkdir()
    (folder / "code/one.py").write_text("x = 1\n")


def universal(**changes: Any) -> str:
    """An overlay with an entry: `ENTRY`, changed; None takes a key out."""
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
    content = {"run": ["one"], "models": MODELS, "universal": {"one": entry}}
    return yaml.safe_dump(content, sort_keys=False)  # the first domain is the known one


def entry(**changes: Any) -> UniversalEntry:
    """The parsed entry."""
    found: UniversalEntry = parse(base=BASE, study=universal(**changes)).of("universal")["one"]
    return found
