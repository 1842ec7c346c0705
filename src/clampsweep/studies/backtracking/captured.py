"""Reads captured activations from their shards, a layer at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.shard import KEY, of_shard
from clampsweep.studies.backtracking.tables import ACTIVATIONS
from clampsweep.texts.pinned import read_plan


class Layer(NamedTuple):
    """What a layer computes at samples, in their order.

    Attributes:
        post: Post-activations.
        residual: Residual stream after the layer.
    """

    post: Float[np.ndarray, "sample d_mlp"]
    residual: Float[np.ndarray, "sample d_model"]


class Captured:
    """Activations of a run, in shards.

    Args:
        plan: The pinned plan: names of traces and their keys.
        shards: The shards' tables.
        d_mlp: Neurons of a layer.
    """

    def __init__(self, plan: Path, shards: Sequence[Path], d_mlp: int):
        self._names: dict[str, list[str]] = {}  # traces of a key: those of one content share it
        for name, key in read_plan(plan):
            self._names.setdefault(key, []).append(name)
        self._shards, self._d_mlp = list(shards), d_mlp

    def layer(self, number: int, kind: str, samples: pd.DataFrame) -> Layer:
        """A layer at samples.

        Args:
            number: The layer.
            kind: The position kind.
            samples: Rows of `SAMPLES`.

        Raises:
            UserError: A shard is damaged, or a sample is in none.
        """
        found = self._read(number, kind)
        places = zip(samples["trace_id"], samples["onset"].astype(int), strict=True)
        try:
            vectors = np.stack([found[place] for place in places]).astype(np.float32)
        except KeyError as error:
            raise UserError(
                f"activations: no shard holds {error} at {kind}; delete "
                "results/shards/backtracking_activations and run again"
            ) from error
        return Layer(vectors[:, : self._d_mlp], vectors[:, self._d_mlp :])

    def _read(self, number: int, kind: str) -> dict[tuple[str, int], np.ndarray]:
        """Vectors of a layer and position kind by trace and place."""
        found: dict[tuple[str, int], np.ndarray] = {}
        for path in self._shards:
            rows = tables.read(path, of_shard(ACTIVATIONS), {"layer": number, "kind": kind})
            own = rows[rows[KEY].isin(self._names)]
            for key, place, vector in zip(own[KEY], own["place"], own["vector"], strict=True):
                found |= {(name, int(place)): vector for name in self._names[key]}
        return found
