"""Entries of the section `scrubbing`, as overlays of `configs.BASE`, and the files that they name.

A module's tests take these files by `folder = configs.folder` and `files = entries.files`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clampsweep.config.entries import Config
from clampsweep.models.spec import folder_digest
from clampsweep.studies.scrubbing.entry import ScrubbingEntry
from configs import BASE, ROOT, parse

CONFIG = yaml.safe_load((ROOT / "config/scrubbing.yaml").read_text(encoding="utf-8"))
SHA = "0123456789abcdef" * 4
RECIPE = {
    **CONFIG["models"]["attn2l-made"]["recipe"],
    "corpus": {"packages": ["click"], "sha256": SHA},
}
LOADING = {"dtype": "float32", "prepend_bos": True, "weight_processing": "none", "licence": "none"}
TWO_LAYERS = {"n_layers": 2, "d_mlp": 0, **LOADING}
ATTN = {"source": "path", "path": "attn", **TWO_LAYERS}
MADE = {"source": "made", "by": "scrubbing", "recipe": RECIPE, **TWO_LAYERS}
MODELS = {
    "attn": ATTN,
    "renamed": ATTN,
    "with-mlp": {**ATTN, "d_mlp": 8},
    "deep": {**ATTN, "n_layers": 3},
    "made": MADE,
    "same-corpus": {**MADE, "recipe": {**RECIPE, "seed": 1}},
    "other-corpus": {
        **MADE,
        "recipe": {**RECIPE, "corpus": {"packages": ["click"], "sha256": SHA[::-1]}},
    },
}
HYPOTHESES = """
hypotheses:
  - {name: baseline, heads: induction, groups: [{q: all, k: all, v: all}]}
  - {name: all, heads: induction, decoherent: true, controls: 2, groups: [{q: L0}]}
  - {name: scrub-1, heads: induction1, groups: [{q: all, k: all, v: all}]}
  - {name: scrub-2, heads: induction2, groups: [{q: all, k: all, v: all}]}
"""
ENTRY = {"model": "attn", "hypotheses": "h.yaml", "examples": {"corpus": "made"}}
PUBLISHED = {"model": None, "published": "pub", "examples": {"file": "mine.parquet"}}


def scrubbing(name: str = "one", **changes: Any) -> str:
    """An overlay with an entry: `ENTRY`, changed; None takes a key out."""
    entry = {name: value for name, value in {**ENTRY, **changes}.items() if value is not None}
    return yaml.safe_dump({"run": [name], "models": MODELS, "scrubbing": {name: entry}})


def of_published(**changes: Any) -> str:
    """An overlay with an entry of a published model."""
    return scrubbing(**{**PUBLISHED, **changes})


def pairs(*names: Any) -> dict[str, Any]:
    """What is looked at of one pair of experiments."""
    return {"pairs": [list(names)]}


@pytest.fixture(autouse=True)
def files(folder: Path) -> Path:
    """What the entries name, in the working folder."""
    Path("h.yaml").write_text(HYPOTHESES)
    Path("with-curve.yaml").write_text(f"{HYPOTHESES}curve: [baseline, all, unscrubbed]\n")
    Path("wrong.yaml").write_text(HYPOTHESES.replace("q: L0", "q: L9"))
    Path("attn").mkdir()
    Path("attn/config.json").write_text("{}")
    Path("mine.parquet").write_bytes(b"examples")
    Path("candidates.txt").write_text("3\n")
    for name, kept in (("pub", "*"), ("pub-weights", "*.pth"), ("pub-config", "*.json")):
        Path(name).mkdir()
        for file in ("config.json", "model_final.pth"):
            if Path(file).match(kept):
                Path(name, file).write_bytes(b"{}")
    return folder


def only(parsed: Config) -> ScrubbingEntry:
    """The one entry of the section."""
    (found,) = parsed.entries["scrubbing"].values()
    assert isinstance(found, ScrubbingEntry)
    return found


def entry(overlay: str) -> ScrubbingEntry:
    """The entry of an overlay, its files as they are now."""
    folder_digest.cache_clear()
    return only(parse(config=BASE, overlay=overlay))
