"""Removal of batches of which nothing in the results folder has a row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from clampsweep.tables import footer, read
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.planner import Planner


def _gathered(results: Path, table: Path) -> set[str]:
    """Keys of a sweep's `generations`: as its plan says, or the table where the plan is gone."""
    plan = results / "plans" / f"{footer(table).get('plan')}.json"
    if plan.exists():
        return {key for _, key in read_plan(plan)}
    return set(read(table, GENERATIONS)["key"])


def prune(results: Path, plans: Sequence[Path]) -> list[Path]:
    """Remove batches of which no sweep has a row; return the files removed.

    Args:
        results: The results folder; what its sweeps were gathered from is kept.
        plans: Plans of the current run, kept too, gathered or not.
    """
    made = [
        path for at in ("*", "*/*") for path in sorted(results.glob(f"{at}/generations.parquet"))
    ]
    used = {key for path in plans for _, key in read_plan(path)}
    for path in made:
        used |= _gathered(results, path)
    planner = Planner(results, size=1)
    removed = []
    for batch, keys in planner.pinned.items():
        if not keys & used:
            files = (*planner.outputs(batch), results / "batches" / f"{batch}.json")
            removed += [path for path in files if path.exists()]
            removed += sorted((results / ".scratch").glob(f"{batch}-*/*"))
    for path in removed:
        path.unlink()
    return removed
