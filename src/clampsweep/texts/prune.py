"""Removal of batches of which nothing in the results folder has a row.

What a table was made from stands in its footer: under `plan` the name of a plan, or a list of them
where several requests were joined. Only footers are read. What a table that cannot be understood
was made from is not guessed at: an error names the table, and nothing is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from clampsweep.errors import UserError, explain_os_error
from clampsweep.tables import SCHEMA_VERSION, footer, read
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.planner import Planner

STORES = ("generations", "vectors", ".scratch")  # folders of results/ whose tables keep nothing


def named(results: Path, key: str) -> dict[str, list[Path]]:
    """What the footers of all tables in the results folder, however deep, name under a key.

    Tables of other programs have no such footer, and name nothing.

    Args:
        results: The results folder; what lies in `STORES` is passed over.
        key: Of the footers: its value is a name or a list of names.

    Returns:
        The names, each with the tables whose footers hold it, in the order of their paths.

    Raises:
        UserError: A table is damaged or of another version, or a folder cannot be read.
    """
    found: dict[str, list[Path]] = {}
    for table in sorted(_tables(results)):
        made_by = footer(table)
        if made_by.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
            raise UserError(f"{table}: of another version of clampsweep; move it out of {results}")
        names = made_by.get(key, [])
        for name in names if isinstance(names, list) else [names]:
            found.setdefault(str(name), []).append(table)
    return found


def _tables(results: Path) -> Iterator[Path]:
    """Every table in the results folder that is in none of `STORES`, behind links too."""

    def refuse(error: OSError) -> None:
        # A folder passed over would be tables passed over, and what they need removed.
        raise explain_os_error(error, error.filename or results, "read") from error

    seen = set()
    for folder, folders, files in os.walk(results, onerror=refuse, followlinks=True):
        place = os.stat(folder)
        if (place.st_dev, place.st_ino) in seen:  # a link to where we have been
            folders.clear()
            continue
        seen.add((place.st_dev, place.st_ino))
        if Path(folder) == results:
            folders[:] = [name for name in folders if name not in STORES]
        yield from (Path(folder, name) for name in files if name.endswith(".parquet"))


def _keys(results: Path, plan: str, tables: Sequence[Path]) -> set[str]:
    """Keys of the texts of a plan; where it is gone, those that stand in a table gathered by it."""
    path = results / "plans" / f"{plan}.json"
    if path.is_file():
        return {key for _, key in read_plan(path)}
    gathered = [table for table in tables if footer(table)["schema"] == GENERATIONS.name]
    if not gathered:
        raise UserError(
            f"{tables[0]}: its plan {path} is gone, so it is not known which texts it was made "
            "from; run the workflow, which writes the plans of its config, or delete the table"
        )
    return {key for table in gathered for key in read(table, GENERATIONS)["key"]}


def prune(results: Path, plans: Sequence[Path]) -> list[Path]:
    """Remove batches of which nothing has a row; return the files removed.

    Args:
        results: The results folder; what any table in it was made from is kept.
        plans: Plans of the current run, kept too, gathered or not.

    Raises:
        UserError: A table or a plan is damaged or gone, so that it is not known what is needed.
    """
    used = {key for path in plans for _, key in read_plan(path)}
    for plan, tables in named(results, "plan").items():
        used |= _keys(results, plan, tables)
    planner = Planner(results, size=1)
    removed: list[Path] = []
    for batch, keys in planner.pinned.items():
        if not keys & used:
            parts = sorted((results / ".scratch").glob(f"{batch}-*/*"))
            # Last what names the batch: a prune that was killed begins there again.
            files = (*planner.outputs(batch), *parts, results / "batches" / f"{batch}.json")
            removed += [path for path in files if path.exists()]
    for path in removed:
        path.unlink()
    return removed
