"""Sequences as models and shards take them: each once, in their order, as plain numbers."""

from __future__ import annotations

from clampsweep.shards.shard import read_items, write_items
from clampsweep.studies.universal.sequences import ids_of, items, of_domain, spread
from clampsweep.studies.universal.tokens import tokens
from tiny import tiny_tokenizer
from universal.test_tokens import SMALL, domain


def test_items_are_the_sequences_of_blocks(tmp_path):
    cut = SMALL._replace(sequences=4, blocks=3)
    found = tokens({"one": domain("b", 2), "two": domain("c", 2)}, tiny_tokenizer(), cut)
    write_items(items(found, 4), tmp_path / "blocks.json")
    listed = read_items(tmp_path / "blocks.json")
    assert [one.name for one in listed] == [
        f"{d}/{b:02d}" for d in ("one", "two") for b in range(3)
    ]
    assert {one.content["skip"] for one in listed} == {4}
    sequences = [ids for one in listed for ids in one.content["sequences"]]
    assert sequences == [list(ids) for ids in found["tokens"]]
    assert [len(one.content["sequences"]) for one in listed] == [2, 1, 1] * 2


def test_a_domains_sequences_are_in_their_order_and_plain_numbers():
    found = tokens({"one": domain("b", 2), "two": domain("c", 2)}, tiny_tokenizer(), SMALL)
    turned = found.iloc[::-1]
    wanted = [list(map(int, ids)) for ids in found.loc[found["domain"] == "two", "tokens"]]
    assert of_domain(turned, "two") == wanted
    assert all(type(one) is int for ids in ids_of(turned) for one in ids)


def test_of_many_some_are_taken_evenly():
    assert spread(10, 3).tolist() == [0, 4, 9]
    assert spread(3, 10).tolist() == [0, 1, 2]
    assert spread(1, 5).tolist() == [0]
