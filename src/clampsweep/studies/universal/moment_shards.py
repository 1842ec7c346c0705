"""Reads moments from the shards that hold them, a domain and a kind of activation at a time.

All shards of a run are gigabytes as one table; a part is some hundred megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.moments import Sums
from clampsweep.models.moments_schema import MOMENTS
from clampsweep.shards.shard import KEY, of_shard, read_shard
from clampsweep.studies.universal.places import HOOKS
from clampsweep.texts.pinned import read_plan


class Neurons(NamedTuple):
    """Layer and number of each neuron, in the columns' order: by layer, then by number."""

    layer: Int[np.ndarray, " neuron"]
    number: Int[np.ndarray, " neuron"]


class Part(NamedTuple):
    """Moments of a domain and a kind of activation.

    Attributes:
        neurons: The columns.
        sums: [block, neuron], blocks in their order.
    """

    neurons: Neurons
    sums: Sums


class MomentShards:
    """The shards of a run.

    Args:
        plan: The pinned plan: names of the blocks, `<domain>/<block>`, and their keys.
        shards: The shards' tables, each beside its pinned shard.
    """

    def __init__(self, plan: Path, shards: Sequence[Path]):
        self._keys: dict[str, list[str]] = {}  # of each domain's blocks, in order
        for name, key in sorted(read_plan(plan)):
            self._keys.setdefault(name.rpartition("/")[0], []).append(key)
        self._shards = {path: _held(path) for path in shards}

    @property
    def domains(self) -> list[str]:
        """Names of the domains, ascending."""
        return list(self._keys)

    def read(self, domain: str, var: str) -> Part | None:
        """Moments of a domain's blocks; None if the model has no such activation.

        Args:
            domain: Name of the domain.
            var: A key of `HOOKS`.

        Raises:
            UserError: A block is in no shard, or a shard's table is damaged.
        """
        places = {key: at for at, key in enumerate(self._keys[domain])}
        wanted = {"hook_point": HOOKS[var]}
        rows, seen = [], set[str]()
        for path, held in self._shards.items():
            if own := (held & places.keys()) - seen:  # two shards may hold a block
                table = tables.read(path, of_shard(MOMENTS), wanted)
                rows.append(table[table[KEY].isin(own)])
                seen |= own
        if missing := places.keys() - seen:
            raise UserError(
                f"moments: no shard holds {len(missing)} blocks of {domain!r}, such as "
                f"{min(missing)}; delete results/shards/universal_moments and run again"
            )
        found = pd.concat(rows, ignore_index=True)
        return _arranged(found, places) if len(found) else None


def _held(path: Path) -> frozenset[str]:
    return frozenset(item.key for item in read_shard(path.with_suffix(".json")).items)


def _arranged(rows: pd.DataFrame, places: Mapping[str, int]) -> Part:
    """Rows of whole blocks as arrays, [block, neuron]."""
    codes, keys = pd.factorize(rows[KEY])
    block = np.array([places[key] for key in keys])[codes]
    layer, number = rows["layer"].to_numpy(), rows["neuron"].to_numpy()
    order = np.lexsort((number, layer, block))
    shape = len(places), len(rows) // len(places)
    if not (np.bincount(block, minlength=shape[0]) == shape[1]).all():
        raise UserError(
            "moments: blocks have different numbers of neurons; delete "
            "results/shards/universal_moments and run again"
        )
    sums = Sums(*(rows[name].to_numpy(float)[order].reshape(shape) for name in Sums._fields))
    first = order[: shape[1]]
    return Part(Neurons(layer[first], number[first]), sums)
