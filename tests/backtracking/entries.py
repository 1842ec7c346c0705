"""Entries of the section `backtracking`, as overlays of `configs.BASE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clampsweep.studies.backtracking.entry import BacktrackingEntry
from configs import BASE, parse

SIZES = {"licence": "none", "dtype": "float64", "prepend_bos": False, "weight_processing": "none"}
MODELS = {
    "attention": {"source": "path", "path": "tiny", "n_layers": 3, "d_mlp": 0, **SIZES},
}
SAMPLE = {"method": "sample", "max_new_tokens": 20, "temperature": 0.6}
CHAIN: dict[str, Any] = {"promptset": "few", "decoding": SAMPLE, "seeds": [0, 1], "problems": 2}
ENTRY: dict[str, Any] = {
    "model": "tiny",
    "rules": "rules.yaml",
    "sentences": "sentences.tsv",
    "chains": {"plain": CHAIN},
    "written": {"file": "written.yaml", "per_split": 3},
    "pairs": {"chain": "plain", "neurons": "gross"},
}


@pytest.fixture(autouse=True)
def files(folder: Path) -> None:
    """The files that `ENTRY` names."""
    for name in ("rules.yaml", "sentences.tsv", "written.yaml", "given.jsonl"):
        (folder / name).write_text("read later\n")


def backtracking(**changes: Any) -> str:
    """An overlay with an entry: `ENTRY`, changed; None takes a key out."""
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
    content = {"run": ["one"], "models": MODELS, "backtracking": {"one": entry}}
    return yaml.safe_dump(content, sort_keys=False)


def entry(**changes: Any) -> BacktrackingEntry:
    """The parsed entry."""
    found: BacktrackingEntry = parse(base=BASE, study=backtracking(**changes)).of("backtracking")[
        "one"
    ]
    return found
