"""Sums of powers of every neuron's gate, up and post activation over blocks of documents.

They can be added up, so that no statistic, interval or permutation of blocks runs the model again
(`models.moments`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from clampsweep.models.hook_places import is_gated
from clampsweep.models.model import Model
from clampsweep.models.moments_table import block_moments
from clampsweep.names import HookPoint, hook_points
from clampsweep.shards.shard import Shard
from clampsweep.studies.universal.places import HOOKS, UP

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
        sequences, skip = item.content["sequences"], item.content["skip"]
        positions = [range(skip, len(sequence)) for sequence in sequences]
        rows = max(1, _TOKENS_PER_PASS // max(map(len, sequences)))
        table = block_moments(model, sequences, positions, wanted, "", rows)
        yield item.key, table.drop(columns="block")


def points(model: Model) -> list[HookPoint]:
    """Gate, up and post of every layer; where MLPs have no gate, pre-activation and post."""
    names = [name for var, name in HOOKS.items() if var != UP or is_gated(model)]
    return [point for name in names for point in hook_points(name, range(model.n_layers))]
