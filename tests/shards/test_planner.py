"""What is done stays done: however a list of items grows, shrinks or is put in another order."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch_history
from batch_history import quickly
from clampsweep.errors import UserError
from clampsweep.shards.planner import ShardPlanner
from clampsweep.shards.shard import Item, item_key
from clampsweep.texts.pinned import read_plan
from requested import MODEL
from shard_works import contents, items, make, plan, work

folders = batch_history.folders

lists = st.lists(st.integers(0, 12), unique=True, max_size=10)
# Lists of earlier runs, each with the shard size and the shards that got made, by their place.
histories = st.lists(st.tuples(lists, st.integers(1, 4), st.sets(st.integers(0, 4))), max_size=4)


def play(results: Path, history) -> set[Path]:
    """Let earlier runs leave their shards; return those that are made."""
    for numbers, size, made in history:
        for at, pinned in enumerate(plan(results, numbers, size=size).shards):
            if at in made:
                make(pinned)
    return {path.with_suffix(".json") for path in results.glob("shards/*/*.parquet")}


def numbers_of(pinned) -> list[int]:
    return sorted(number for path in pinned for number in contents(path))


def test_items_are_cut_in_their_order_into_shards_of_like_size(tmp_path):
    found = plan(tmp_path, range(10), size=4)
    assert sorted(map(contents, found.shards)) == [[0, 1, 2], [3, 4, 5, 6], [7, 8, 9]]


@quickly
@given(st.lists(st.integers(0, 99), unique=True, max_size=30), st.integers(1, 9))
def test_a_new_list_is_cut_into_as_few_shards_as_hold_it_each_item_once(folders, numbers, size):
    found = plan(folders(), numbers, size=size)
    assert numbers_of(found.shards) == sorted(numbers)
    assert len(found.shards) == -(-len(numbers) // size)
    assert all(1 <= len(contents(path)) <= size for path in found.shards)


@quickly
@given(histories, lists)
def test_what_is_made_is_never_made_again_and_all_that_is_wanted_is_held(folders, history, numbers):
    results = folders()
    made = play(results, history)
    done = set(numbers_of(made))
    found = plan(results, numbers).shards
    new = set(found) - made
    assert set(numbers) <= {number for path in found for number in contents(path)}
    assert not done & set(numbers_of(new))
    assert numbers_of(new) == sorted(set(numbers) - done)  # and nothing that is not wanted


@quickly
@given(lists, lists, st.randoms())
def test_a_list_that_grows_and_is_shuffled_keeps_every_shard(folders, numbers, more, random):
    results = folders()
    first = plan(results, numbers).shards
    for pinned in first:
        if random.random() < 0.5:
            make(pinned)
    grown = list(dict.fromkeys([*numbers, *more]))
    random.shuffle(grown)
    second = plan(results, grown).shards
    assert set(first) <= set(second)
    assert numbers_of(set(second) - set(first)) == sorted(set(more) - set(numbers))


@quickly
@given(lists, st.data())
def test_a_list_that_shrinks_needs_no_new_shard(folders, numbers, data):
    results = folders()
    first = plan(results, numbers).shards
    for pinned in first:
        make(pinned)
    fewer = data.draw(st.lists(st.sampled_from(numbers), unique=True)) if numbers else []
    assert set(plan(results, fewer).shards) <= set(first)


@quickly
@given(histories, lists)
def test_a_process_that_plans_again_finds_the_same(folders, history, numbers):
    results = folders()
    play(results, history)
    first = plan(results, numbers)
    files = {path: path.stat().st_mtime_ns for path in results.rglob("*") if path.is_file()}
    assert plan(results, numbers) == first
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_two_works_share_the_items_that_they_have_in_common(tmp_path):
    planner = ShardPlanner(tmp_path)
    one = planner.plan(work("one/squares"), items(range(4)))
    two = planner.plan(work("two/squares"), [Item("zero", 0), Item("nine", 9)])
    assert numbers_of(set(two.shards) - set(one.shards)) == [9]
    assert [name for name, _ in read_plan(two.path)] == ["zero", "nine"]


@pytest.mark.parametrize(
    "fields",
    [
        {"rule": "cubes"},
        {"parameters": {"power": 3}},
        {"model": dataclasses.replace(MODEL, dtype="float64")},
    ],
)
def test_another_rule_model_or_parameter_shares_nothing(tmp_path, fields):
    first = plan(tmp_path, range(4))
    for pinned in first.shards:
        make(pinned)
    assert not set(plan(tmp_path, range(4), **fields).shards) & set(first.shards)


def test_the_plan_names_the_items_in_their_order_with_their_keys(tmp_path):
    path = plan(tmp_path, [5, 1, 3]).path
    assert path.parent.name == "plans" and path.name.startswith("e.squares-")
    keys = [item_key("squares", MODEL.identity, {}, number) for number in (5, 1, 3)]
    assert read_plan(path) == list(zip(("n5", "n1", "n3"), keys, strict=True))


def test_no_items_have_a_plan_and_no_shards(tmp_path):
    found = plan(tmp_path, [])
    assert found.shards == []
    assert read_plan(found.path) == []


def test_a_damaged_shard_on_disk_is_one_line(tmp_path):
    (pinned,) = plan(tmp_path, range(3)).shards
    pinned.write_text("{")
    with pytest.raises(UserError, match=r"\.json: damaged shard file; delete it and run again"):
        plan(tmp_path, range(3))
