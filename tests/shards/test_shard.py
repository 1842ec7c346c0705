"""A pinned shard comes back as it was, or not at all; identity holds all that decides a result."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch_history
import shard_works
from batch_history import quickly
from clampsweep.errors import UserError
from clampsweep.shards.shard import (
    Item,
    Keyed,
    Shard,
    item_key,
    of_shard,
    read_items,
    read_shard,
    write_items,
)

folders = batch_history.folders

HOW = ("squares", "m0del", {"power": 2})
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.text() | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def shard(*contents: object) -> Shard:
    return Shard(*HOW, [Keyed(item_key(*HOW, content), content) for content in contents])


@quickly
@given(st.lists(values, min_size=1, max_size=4))
def test_a_pinned_shard_comes_back_as_it_was(folders, contents):
    one = shard(*contents)
    path = folders() / f"{one.id}.json"
    path.write_text(json.dumps(one.as_json()), encoding="utf-8")
    assert read_shard(path) == one


@pytest.mark.parametrize(
    "how",
    [("cubes", *HOW[1:]), (HOW[0], "another", HOW[2]), (*HOW[:2], {"power": 3}), (*HOW[:2], {})],
)
def test_a_key_depends_on_rule_model_parameters_and_content(how):
    assert item_key(*how, "text") != item_key(*HOW, "text")
    assert item_key(*HOW, "text.") != item_key(*HOW, "text") == item_key(*HOW, "text")


def test_a_shards_name_is_that_of_its_items_in_any_order():
    assert shard(1, 2).id == shard(2, 1).id
    assert len({shard(1, 2).id, shard(1, 3).id, shard(1).id}) == 3


@pytest.mark.parametrize("damage", ["", "{}", "[]", '"model": "m0del"', '"content": 2', "key"])
def test_a_damaged_shard_is_one_line(damage, tmp_path):
    one = shard(1, 2)
    path = tmp_path / f"{one.id}.json"
    text = json.dumps(one.as_json())
    other = {'"model": "m0del"': '"model": "n"', '"content": 2': '"content": 3', "key": "kex"}
    path.write_text(text.replace(damage, other[damage]) if damage in other else damage)
    with pytest.raises(UserError, match=r"json: damaged shard file; delete it and run again$"):
        read_shard(path)


def test_a_shard_of_another_name_is_damaged(tmp_path):
    path = tmp_path / "0123456789abcdef.json"
    path.write_text(json.dumps(shard(1).as_json()))
    with pytest.raises(UserError, match="damaged shard file"):
        read_shard(path)


def test_the_columns_of_a_shard_are_those_of_the_table_but_for_the_name():
    stored = of_shard(shard_works.SQUARES)
    assert list(stored.columns) == ["item_key", "power", "value"]
    assert stored.key == ("item_key", "power")


def test_items_that_a_checkpoint_lists_come_back(tmp_path):
    listed = [Item("a/1", "Ä text\u2028 of two lines"), Item("b", {"layer": 3, "ids": [1, 2]})]
    write_items(listed, tmp_path / "listed.json")
    assert read_items(tmp_path / "listed.json") == listed


@pytest.mark.parametrize("text", ["", "{}[", "[1]", '[["a"]]', '[["a", 1, 2]]', "3"])
def test_a_damaged_list_of_items_is_one_line(text, tmp_path):
    (tmp_path / "listed.json").write_text(text)
    with pytest.raises(UserError, match=r"listed.json: damaged list of items; delete it"):
        read_items(tmp_path / "listed.json")
