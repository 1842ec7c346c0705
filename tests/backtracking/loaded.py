"""A model of weights that a test has made, fetched and loaded as any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from tiny import make_tiny


def loaded(folder: Path, plain: Any, architecture: str = "llama", **fields: Any) -> Model:
    """The model; fields are those of its `ModelSpec` that are other than a tiny model's."""
    spec = make_tiny(folder / "source", architecture, model=plain, **fields)
    fetch(spec, folder / "model")
    return load(folder / "model", spec, threads=1, device="cpu")
