"""Works and their shards in a results folder, for the tests of sharded work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.shards.planner import ShardPlanner, WorkPlan
from clampsweep.shards.shard import KEY, Item, of_shard, read_shard
from clampsweep.shards.work import Work
from clampsweep.tables import Column, Schema
from requested import MODEL

SQUARES = Schema(
    "squares",
    {
        "number": Column("str", "the item"),
        "power": Column("int", "exponent"),
        "value": Column("float", "what comes out", null=True),
    },
    key=("number", "power"),
)
MADE = {"model": "d1gest", "code": "c0de"}


def work(name: str = "e/squares", **fields: Any) -> Work:
    """A work on numbers, three in a shard."""
    how = {"rule": "squares", "model": MODEL, "items": (), "schema": SQUARES, "size": 3}
    return Work(name, **{**how, **fields})


def items(numbers: Iterable[int]) -> list[Item]:
    """Items called n0, n1, ... whose content is a number."""
    return [Item(f"n{number}", number) for number in numbers]


def plan(results: Path, numbers: Iterable[int], **fields: Any) -> WorkPlan:
    """What a new process plans for a work on some numbers."""
    return ShardPlanner(results).plan(work(**fields), items(numbers))


def make(pinned: Path, powers: Sequence[int] = (1, 2), **footer: Any) -> Path:
    """A shard's table: powers of its numbers."""
    rows = [
        {KEY: item.key, "power": power, "value": float(item.content) ** power}
        for item in read_shard(pinned).items
        for power in powers
    ]
    table = pinned.with_suffix(".parquet")
    frame = pd.DataFrame(rows, columns=[KEY, "power", "value"])
    facts = {**MADE, "shard": pinned.stem, **footer}
    tables.write(frame, table, of_shard(SQUARES), facts)
    return table


def contents(pinned: Path) -> list[int]:
    """The numbers of a shard."""
    return [item.content for item in read_shard(pinned).items]
