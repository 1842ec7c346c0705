"""Reads captured activations from their shards, a layer at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    def layer(self, number: int, kinds: Sequence[str], samples: pd.DataFrame) -> Iterator[Layer]:
        """A layer at samples, for each position kind.

        Args:
            number: The layer.
            kinds: Position kinds.
            samples: Rows of `SAMPLES`.

        Raises:
            UserError: A shard is damaged, or a sample is in none.
        """
        found = self._read(number)
        names = list(zip(samples["trace_id"], samples["onset"].astype(int), strict=True))
        for kind in kinds:
            try:
                vectors = np.stack([found[*name, kind] for name in names]).astype(np.float32)
            except KeyError as error:
                raise UserError(
                    f"activations: no shard holds {error}; delete "
                    "results/shards/backtracking_activations and run again"
                ) from error
            yield Layer(vectors[:, : self._d_mlp], vectors[:, self._d_mlp :])

    def _read(self, number: int) -> dict[tuple[str, int, str], np.ndarray]:
        """Vectors of a layer by trace, place and kind."""
        found: dict[tuple[str, int, str], np.ndarray] = {}
        for path in self._shards:
            rows = tables.read(path, of_shard(ACTIVATIONS), {"layer": number})
            own = rows[rows[KEY].isin(self._names)]
            for key, place, kind, vector in zip(
                own[KEY], own["place"], own["kind"], own["vector"], strict=True
            ):
                found |= {(name, int(place), kind): vector for name in self._names[key]}
        return found
