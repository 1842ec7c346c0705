"""Activations of a model at places, written to shards as the workflow writes them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clampsweep import tables
from clampsweep.models.model import Model
from clampsweep.shards.planner import ShardPlanner, WorkPlan
from clampsweep.shards.shard import Item, of_shard, read_shard
from clampsweep.shards.work import OwnModel, Work
from clampsweep.studies.backtracking.activations import write
from clampsweep.studies.backtracking.tables import ACTIVATIONS


def plan(folder: Path, items: Sequence[Item], size: int) -> WorkPlan:
    """The pinned plan of some items, and their pinned shards."""
    work = Work(
        "e/activations", "backtracking_activations", OwnModel("tiny"), (), ACTIVATIONS, size
    )
    return ShardPlanner(folder).plan(work, items)


def captured(
    folder: Path, model: Model, items: Sequence[Item], size: int = 3
) -> tuple[Path, list[Path]]:
    """Write the shards of some items, so many in each; the plan, and the shards' tables."""
    found = plan(folder, items, size)
    made = []
    for pinned in found.shards:
        made.append(pinned.with_suffix(".parquet"))
        with tables.appending(made[-1], of_shard(ACTIVATIONS), {}) as append:
            write(model, read_shard(pinned), append)
    return found.path, made
