"""Sums of powers of every neuron's gate, up and post activation over blocks of documents.

They can be added up, so that no statistic, interval or permutation of blocks runs the model again
(`models.moments`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clampsweep.models.capture import Rows, capture
from clampsweep.models.hook_places import is_gated
from clampsweep.models.hook_points import width
from clampsweep.models.model import Model
from clampsweep.models.moments import Sums
from clampsweep.names import HookPoint, hook_points
from clampsweep.shards.shard import Shard
from clampsweep.studies.universal.places import HOOKS, UP
from clampsweep.studies.universal.power_sums import PowerSums

_TOKENS_PER_PASS = 2048  # memory depends on it, and not on how long a block is


def moments(model: Model, shard: Shard) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows of `MOMENTS` for each block of a shard, beside its key; the names are added later.

    Args:
        model: Loaded model.
        shard: Contents of its items: `sequences`, token ids; `skip`, how many first positions of
            each do not count.
    """
    wanted = points(model)
    for item in shard.items:
        yield item.key, _block(model, item.content["sequences"], item.content["skip"], wanted)


def _block(
    model: Model, sequences: Sequence[Sequence[int]], skip: int, wanted: Sequence[HookPoint]
) -> pd.DataFrame:
    """Rows of a block: those of `models.moments_table.block_moments`, in a third of the time."""
    sums = {point: PowerSums(width(model, point)) for point in wanted}
    rows = max(1, _TOKENS_PER_PASS // max(map(len, sequences)))
    dtype = torch.float64 if model.dtype == torch.float64 else torch.float32

    def receive(taken: Rows, point: HookPoint, vectors: Tensor) -> None:
        length = int(taken.positions[-1]) + 1  # of every sequence of the pass
        for one in vectors.cpu().numpy().reshape(-1, length, vectors.shape[1]):
            sums[point].add(one[skip:])

    # All positions are asked for: choosing some would copy them.
    for _ in capture(model, sequences, None, wanted, receive, dtype, rows):
        pass
    return pd.concat([_rows(point, one.sums) for point, one in sums.items()], ignore_index=True)


def _rows(point: HookPoint, sums: Sums) -> pd.DataFrame:
    """Rows of a hook point."""
    counts = {name: getattr(sums, name).astype(np.int64) for name in ("n", "n_positive")}
    place = {"hook_point": point.name, "layer": point.layer, "neuron": np.arange(len(sums.n))}
    return pd.DataFrame({**place, **sums._asdict(), **counts})


def points(model: Model) -> list[HookPoint]:
    """Gate, up and post of every layer; where MLPs have no gate, pre-activation and post."""
    names = [name for var, name in HOOKS.items() if var != UP or is_gated(model)]
    return [point for name in names for point in hook_points(name, range(model.n_layers))]
