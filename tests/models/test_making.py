"""What made models have in common: a tokenizer that gives texts back; recipe and digests."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clampsweep.models.loading import DIGESTS
from clampsweep.models.making import BEGIN, BEGIN_ID, learn, seal
from clampsweep.provenance import file_digest


@cache
def tokenizer() -> Any:
    return learn(["abab abab abab cd", "abab xyz"], 262)


@given(st.text())
def test_every_text_comes_back(text):
    ids = tokenizer()(text, add_special_tokens=False).input_ids
    if BEGIN not in text:
        assert BEGIN_ID not in ids
    assert tokenizer().decode(ids) == text


def test_the_commonest_pairs_become_tokens_and_nothing_else_does():
    vocabulary = tokenizer().get_vocab()
    assert len(tokenizer()) == len(vocabulary) == 262
    assert vocabulary[BEGIN] == BEGIN_ID == tokenizer().bos_token_id
    # ab (8 times), then abab (4), then Ġabab (2; \u0120 stands for a space), ...
    assert [name for name, at in vocabulary.items() if at in (257, 258, 259)] and {
        name for name, at in vocabulary.items() if at in (257, 258)
    } == {"ab", "abab"}


def test_learnt_again_it_is_the_same_and_begin_may_end_texts_too():
    again = learn(["abab abab abab cd", "abab xyz"], 262, eos_token=BEGIN)
    assert again.get_vocab() == tokenizer().get_vocab()
    assert again.eos_token_id == BEGIN_ID
    assert tokenizer().eos_token_id is None


def test_a_sealed_folder_has_its_recipe_and_the_digest_of_each_file(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    seal(tmp_path, {"b": 1, "a": [2]})
    assert json.loads((tmp_path / "recipe.json").read_text()) == {"a": [2], "b": 1}
    lines = dict(line.split("  ")[::-1] for line in (tmp_path / DIGESTS).read_text().splitlines())
    files = ("model.safetensors", "recipe.json")
    assert lines == {name: file_digest(tmp_path / name) for name in files}
