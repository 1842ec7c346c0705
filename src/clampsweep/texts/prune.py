"""Removal of batches of which nothing in the results folder has a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clampsweep.tables import footer, read
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.planner import Planner

_BATCHES = ("generations", "vectors", ".scratch")  # folders of results/ that hold batches


def _tables(results: Path) -> Iterator[Path]:
    """Every table in the results folder, however deep, that is no batch."""
    for path in sorted(results.rglob("*.parquet")):
        if path.relative_to(results).parts[0] not in _BATCHES:
            yield path


def _made_of(results: Path, table: Path) -> set[str]:
    """Keys of the texts that a table was made from, as its footer's plan says.

    Where the plan is gone, of `generations` those that stand in the table.
    """
    made_by = footer(table)
    if "plan" not in made_by:
        return set()
    plan = results / "plans" / f"{made_by['plan']}.json"
    if plan.exists():
        return {key for _, key in read_plan(plan)}
    return set(read(table, GENERATIONS)["key"]) if made_by["schema"] == GENERATIONS.name else set()


def prune(results: Path, plans: Sequence[Path]) -> list[Path]:
    """Remove batches of which nothing has a row; return the files removed.

    Args:
        results: The results folder; what any table in it was made from is kept.
        plans: Plans of the current run, kept too, gathered or not.

    Raises:
        UserError: A table is damaged, so that it is not known what it was made from.
    """
    used = {key for path in plans for _, key in read_plan(path)}
    for path in _tables(results):
        used |= _made_of(results, path)
    planner = Planner(results, size=1)
    removed: list[Path] = []
    for batch, keys in planner.pinned.items():
        if not keys & used:
            files = (*planner.outputs(batch), results / "batches" / f"{batch}.json")
            removed += [path for path in files if path.exists()]
            removed += sorted((results / ".scratch").glob(f"{batch}-*/*"))
    for path in removed:
        path.unlink()
    return removed
