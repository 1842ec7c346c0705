"""From shards to sums: each shard is read alone, so memory does not depend on their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.shard import KEY, of_shard
from clampsweep.studies.scrubbing.data import Data
from clampsweep.studies.scrubbing.masks import CATEGORIES, categories
from clampsweep.studies.scrubbing.recovered import interval
from clampsweep.studies.scrubbing.tables import CELLS, LOSSES
from clampsweep.studies.scrubbing.tally import Tally
from clampsweep.tables import Column, Schema
from clampsweep.texts.pinned import read_plan

CELL_HARM = Schema(
    "scrubbing cell harm",
    {
        "head": Column("int", "head of layer 1 whose input is scrubbed"),
        "channel": Column("str", "q, k or v"),
        "upstream": Column("str", "the part that is scrubbed: E, or a head of layer 0 such as 0.3"),
        "category": Column("str", "category of positions"),
        "harm": Column("float", "mean loss then - mean loss unscrubbed, nats", null=True),
        "low": Column("float", "95 % bootstrap interval over examples, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
    },
    key=("head", "channel", "upstream", "category"),
)

_CELL = ["head", "channel", "upstream"]


class _Flags:
    """Categories of examples' positions; those of the last block are kept."""

    def __init__(self, data: Data):
        self._data = data
        self._of: tuple[int, ...] = ()
        self._found = np.zeros((0, len(CATEGORIES), 0), dtype=bool)

    def of(self, examples: Sequence[int]) -> Bool[np.ndarray, "example category pos"]:
        """Whether each position of some examples is in each category."""
        if tuple(examples) != self._of:
            each = [categories(self._data.tokens[one], self._data.lists) for one in examples]
            self._found, self._of = np.stack(each), tuple(examples)
        return self._found


def tally_losses(
    plan: Path, shards: Sequence[Path], data: Data, names: Sequence[str], seed: int
) -> Tally:
    """Sums of the losses of all examples under each experiment.

    Args:
        plan: The pinned plan of the losses: names of items and their keys.
        shards: Tables of its shards.
        data: Of the entry.
        names: Of the experiments.
        seed: Of the bootstrap.

    Raises:
        UserError: No shard holds an item.
    """
    tally, flags = Tally(names, seed), _Flags(data)
    for items, rows in _planned(plan, shards, of_shard(LOSSES)):
        examples, nll = rows["example"].tolist(), _stacked(rows["nll"])
        own = sum(
            int((np.asarray(draws) == example).sum())
            for example, draws in zip(examples, rows["draws"], strict=True)
        )
        for item in items:
            name = item.rpartition("/")[0]
            tally.add(name, examples, nll, flags.of(examples))
            tally.add_draws(name, own, int(rows["draws"].map(len).sum()))
    return tally


def cell_harm(plan: Path, shards: Sequence[Path], data: Data, seed: int) -> pd.DataFrame:
    """The table `CELL_HARM`.

    Args:
        plan: The pinned plan of the cells.
        shards: Tables of its shards.
        data: Of the entry.
        seed: Of the bootstrap.

    Raises:
        UserError: No shard holds an item.
    """
    tally: Tally | None = None
    flags, places = _Flags(data), []
    for _, rows in _planned(plan, shards, of_shard(CELLS)):
        groups = dict(list(rows.groupby(_CELL, sort=False)))
        if tally is None:
            places = list(groups)
            tally = Tally([str(place) for place in places], seed)
        for place, own in groups.items():
            examples = own["example"].tolist()
            tally.add(str(place), examples, _stacked(own["dloss"]), flags.of(examples))
    if tally is None:
        return pd.DataFrame(columns=list(CELL_HARM.columns))
    low, high = interval(tally.means.resampled)
    found = pd.DataFrame(
        [(*place, category) for place in places for category in CATEGORIES],
        columns=[*_CELL, "category"],
    )
    return found.assign(harm=tally.means.mean.ravel(), low=low.ravel(), high=high.ravel())


def _planned(
    plan: Path, shards: Sequence[Path], schema: Schema
) -> Iterator[tuple[Sequence[str], pd.DataFrame]]:
    """Names and rows of each item of a plan, once; examples in order.

    Two shards may hold an item, and shards may hold items of other plans. Items of the same content
    have one key.
    """
    wanted: dict[str, list[str]] = {}
    for name, key in read_plan(plan):
        wanted.setdefault(key, []).append(name)
    for path in shards:
        for held, rows in tables.read(path, schema).groupby(KEY, sort=False):
            if names := wanted.pop(str(held), None):
                yield names, rows.sort_values("example", kind="stable")
    if wanted:
        missing, (name, *_) = next(iter(wanted.items()))
        folder = shards[0].parent if shards else "results/shards"
        raise UserError(
            f"{plan}: no shard holds {name!r} ({missing}); delete {folder} and run again"
        )


def _stacked(column: pd.Series) -> Float32[np.ndarray, "example pos"]:
    return np.array(column.tolist(), dtype=np.float32)
