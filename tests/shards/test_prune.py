"""Shards that no table in the results folder was made from are removed, and no other file."""

from __future__ import annotations

from pathlib import Path

import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.gather import gather
from clampsweep.shards.prune import prune_shards
from clampsweep.shards.shard import of_shard
from shard_works import SQUARES, make, plan

SHARD = of_shard(SQUARES)


def made(results: Path, numbers, table: str | None = None, **fields) -> list[Path]:
    """Pinned shards of a work, all made; gathered into a table, if one is named."""
    planned = plan(results, numbers, **fields)
    shards = [make(pinned) for pinned in planned.shards]
    if table:
        gather(planned.path, shards, SQUARES, "squares", "c0de", "c", results / table)
    return planned.shards


def everything(results: Path) -> set[Path]:
    return {path for path in results.rglob("*") if path.is_file()}


def files(pinned) -> set[Path]:
    return {path.with_suffix(ending) for path in pinned for ending in (".json", ".parquet")}


def test_shards_that_nothing_names_go_and_all_else_stays(tmp_path):
    made(tmp_path, range(4), "e/squares.parquet")
    old = made(tmp_path, range(4), parameters={"power": 3}, rule="cubes")
    current = made(tmp_path, range(10, 12))
    (tmp_path / "shards/cubes/note.txt").touch()
    before = everything(tmp_path)
    removed = prune_shards(tmp_path, current)
    assert set(removed) == files(old) and len(removed) == len(files(old))
    assert everything(tmp_path) == before - files(old)
    assert prune_shards(tmp_path, current) == []


def test_what_a_table_was_made_from_stays_however_deep_it_lies(tmp_path):
    made(tmp_path, range(4), "old/deeper/still/squares.parquet")
    assert prune_shards(tmp_path, []) == []
    (tmp_path / "old/deeper/still/squares.parquet").unlink()
    assert len(prune_shards(tmp_path, [])) == 4
    assert not list(tmp_path.glob("shards/*/*"))


def test_what_the_run_plans_stays_made_or_not(tmp_path):
    current = plan(tmp_path, range(4)).shards
    made(tmp_path, range(7, 9))
    assert len(prune_shards(tmp_path, current)) == 2
    assert all(path.exists() for path in current)


def test_a_damaged_table_stops_it(tmp_path):
    old = made(tmp_path, range(4))
    (tmp_path / "e").mkdir()
    (tmp_path / "e/squares.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a whole Parquet file"):
        prune_shards(tmp_path, [])
    assert files(old) <= everything(tmp_path)


def test_an_empty_folder_has_nothing_to_remove(tmp_path):
    assert prune_shards(tmp_path, []) == []


def test_a_table_of_another_kind_keeps_nothing(tmp_path):
    old = made(tmp_path, range(2))
    rows = tables.read(old[0].with_suffix(".parquet"), SHARD)
    tables.write(rows, tmp_path / "e/other.parquet", SHARD, {"plan": "x"})
    assert len(prune_shards(tmp_path, [])) == 2
