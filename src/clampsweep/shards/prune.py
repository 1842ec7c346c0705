"""Removal of shards that nothing in the results folder was made from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from clampsweep.shards.shard import ID_DIGITS
from clampsweep.tables import footer

_UNNAMING = ("shards", "generations", "vectors", ".scratch")  # folders whose tables name no shard


def prune_shards(results: Path, planned: Iterable[Path]) -> list[Path]:
    """Remove shards that no table's footer names (`shards`); return the files removed.

    Args:
        results: The results folder.
        planned: Pinned shards of the current run, kept too, made or not.

    Raises:
        UserError: A table is damaged, so that it is not known what it was made from.
    """
    used = {path.stem for path in planned}
    for table in sorted(results.rglob("*.parquet")):
        if table.relative_to(results).parts[0] not in _UNNAMING:
            used |= set(_named(table))
    files = sorted((results / "shards").glob(f"*/{'[0-9a-f]' * ID_DIGITS}.*"))
    removed = [path for path in files if path.stem not in used]
    for path in removed:
        path.unlink()
    return removed


def _named(table: Path) -> list[str]:
    """Shards that a table was made from."""
    named = footer(table).get("shards", [])
    return [str(one) for one in named] if isinstance(named, list) else []
