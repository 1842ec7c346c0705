"""A model that is loaded only where it is needed: too few events need none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec


def loader(
    digests: Path | str, loading: Mapping[str, Any], threads: int, device: str = "cpu"
) -> Callable[[], Model]:
    """A function that loads a fetched model.

    Args:
        digests: The file of digests in its folder.
        loading: `ModelSpec.loading`.
        threads: CPU threads.
        device: `auto`, `cpu` or `cuda`.
    """
    return partial(load, Path(digests).parent, ModelSpec(**loading), threads, device)
