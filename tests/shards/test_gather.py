"""Gathering a table from shards made by hand."""

from __future__ import annotations

import errno
import os

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.gather import gather, schema_of
from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import Item
from shard_works import SQUARES, items, make, plan, work


def gathered(results, planned, code="c0de") -> pd.DataFrame:
    """The table of a plan whose shards are made."""
    output = results / "e/squares.parquet"
    shards = [path.with_suffix(".parquet") for path in planned.shards]
    gather(planned.path, shards, SQUARES, "squares", code, "gathering", output)
    return tables.read(output, SQUARES)


def test_rows_stand_in_the_order_of_the_items_each_with_its_name(tmp_path):
    planned = plan(tmp_path, [5, 1, 4, 2])
    for pinned in planned.shards:
        make(pinned)
    found = gathered(tmp_path, planned)
    assert list(found.columns) == ["number", "power", "value"]
    assert found.values.tolist() == [
        [f"n{number}", power, number**power] for number in (5, 1, 4, 2) for power in (1, 2)
    ]


def test_only_wanted_items_are_gathered_and_a_content_serves_all_its_names(tmp_path):
    for pinned in plan(tmp_path, range(6)).shards:
        make(pinned)
    wanted = [Item("b", 2), *items([4]), Item("a", 2)]
    found = gathered(tmp_path, ShardPlanner(tmp_path).plan(work(), wanted))
    assert found["number"].tolist() == ["b", "b", "n4", "n4", "a", "a"]
    assert found["value"].tolist() == [2, 4, 4, 16, 2, 4]


def test_an_item_that_two_shards_hold_stands_once(tmp_path):
    # A job outlived a change of the config: both shards got made.
    planned = [plan(tmp_path, numbers, size=9) for numbers in ([1, 2], [2, 3])]
    for one in planned:
        make(*one.shards)
    both = plan(tmp_path, [1, 2, 3])
    assert set(both.shards) == {*planned[0].shards, *planned[1].shards}
    assert gathered(tmp_path, both)["number"].tolist() == ["n1", "n1", "n2", "n2", "n3", "n3"]


def test_an_item_without_rows_and_a_work_without_items_have_no_rows(tmp_path):
    planned = plan(tmp_path, range(2))
    make(*planned.shards, powers=())
    assert gathered(tmp_path, planned).empty
    assert gathered(tmp_path, plan(tmp_path, [])).empty


def test_the_footer_names_the_shards_and_the_model(tmp_path):
    planned = plan(tmp_path, range(7))
    for pinned in planned.shards:
        make(pinned)
    gathered(tmp_path, planned)
    facts = tables.footer(tmp_path / "e/squares.parquet")
    assert facts["shards"] == [pinned.stem for pinned in planned.shards]
    assert (facts["model"], facts["code"]) == ("d1gest", "gathering")


def test_shards_of_other_code_are_refused_in_one_line(tmp_path):
    planned = plan(tmp_path, range(7))
    for pinned, code in zip(planned.shards, ("old", "c0de", "old"), strict=True):
        make(pinned, code=code)
    with pytest.raises(UserError, match=r"made by another .*are 1 of .*--forcerun squares`"):
        gathered(tmp_path, planned)
    assert not (tmp_path / "e").exists()


def test_an_item_that_no_shard_holds_is_named_in_one_line(tmp_path):
    planned = plan(tmp_path, range(3))
    make(*planned.shards)
    more = plan(tmp_path, range(4))
    with pytest.raises(UserError, match=r"no shard holds 'n3' .*; delete results/shards/squares"):
        gathered(tmp_path, more._replace(shards=planned.shards))


def test_a_schema_comes_back_from_a_rules_parameter():
    assert schema_of(work().plain_schema()) == SQUARES


def test_on_a_full_disk_gathering_fails_in_a_line_and_leaves_no_table(tmp_path, monkeypatch):
    planned = plan(tmp_path, [1, 2])
    make(*planned.shards)

    def full(*ignored: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match="the disk is full"):
            gathered(tmp_path, planned)
    assert not (tmp_path / "e/squares.parquet").exists()
    assert len(gathered(tmp_path, planned)) == 4
