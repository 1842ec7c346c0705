"""Which places of a text two tokenizers share; which neurons are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clampsweep.studies.universal.correspondence import (
    CHARACTERS,
    DEFAULT,
    PAIRS_AT_MOST,
    TOKENS_ALIKE,
    align,
    looked_at,
    shared_ends,
    shares_tokenizer,
)
from clampsweep.studies.universal.tokens import encoder
from tiny import BOS, tiny_tokenizer

TEXTS = ("the inner ring", "Ø on the hand of her", "no red one, an order")


def characters() -> Any:
    """A tokenizer of single bytes, whose names have other numbers."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    names = ["<s>", *sorted(pre_tokenizers.ByteLevel.alphabet(), reverse=True)]
    backend = Tokenizer(models.BPE(vocab={name: at for at, name in enumerate(names)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")


def table(begins: bool) -> pd.DataFrame:
    """`TOKENS` of the texts, as the tiny tokenizer reads them."""
    encode = encoder(tiny_tokenizer(), "test")
    found = [encode(text) for text in TEXTS]
    begin = [BOS] if begins else []
    return pd.DataFrame(
        {
            "domain": "prose",
            "text": TEXTS,
            "tokens": [[*begin, *one.ids] for one in found],
            "ends": [[*(0 for _ in begin), *one.ends] for one in found],
        }
    )


def test_places_where_both_end_a_token() -> None:
    ours, theirs = shared_ends(np.array([0, 2, 5, 6, 9]), np.array([1, 2, 3, 6, 6, 8, 9]), 0)
    assert ours.tolist() == [1, 3, 4]
    assert theirs.tolist() == [1, 4, 6]  # of the two parts of character 6, the last


def test_first_positions_of_either_do_not_count() -> None:
    ours, theirs = shared_ends(np.array([0, 2, 5, 6, 9]), np.array([1, 2, 3, 6, 8, 9]), 4)
    assert (ours.tolist(), theirs.tolist()) == ([4], [5])


def test_nothing_is_shared() -> None:
    ours, theirs = shared_ends(np.array([2, 4]), np.array([1, 3]), 0)
    assert ours.tolist() == theirs.tolist() == []


def test_places_of_two_tokenizers_stand_after_the_same_characters() -> None:
    other = characters()
    found = align(table(True), 2, tiny_tokenizer(), other, (True, True), 1000)
    assert found.by == CHARACTERS
    assert sum(map(len, found.own.positions)) > 20
    for number, text in enumerate(TEXTS):
        ids, there = found.own.sequences[number], found.other.sequences[number]
        assert there[0] == 0  # BOS of the other
        for ours, theirs in zip(
            found.own.positions[number], found.other.positions[number], strict=True
        ):
            before = tiny_tokenizer().decode(ids[1 : ours + 1])
            assert before == other.decode(there[1 : theirs + 1])
            assert text.startswith(before)


def test_a_shared_tokenizer_is_found_by_comparing() -> None:
    assert shares_tokenizer(tiny_tokenizer(), tiny_tokenizer(), TEXTS)
    assert not shares_tokenizer(tiny_tokenizer(), characters(), TEXTS)
    cut_otherwise = tiny_tokenizer()
    from tokenizers import pre_tokenizers

    cut_otherwise.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    assert not shares_tokenizer(tiny_tokenizer(), cut_otherwise, TEXTS)


def test_models_of_one_tokenizer_read_the_same_tokens_but_for_bos() -> None:
    tokens = table(True)
    found = align(tokens, 2, tiny_tokenizer(), tiny_tokenizer(), (True, False), 1000)
    assert found.by == TOKENS_ALIKE
    for number, ids in enumerate(tokens["tokens"]):
        assert found.other.sequences[number] == ids[1:]
        assert found.own.positions[number] == list(range(3, len(ids)))
        assert found.other.positions[number] == list(range(2, len(ids) - 1))


def test_what_the_other_does_not_read_does_not_count() -> None:
    found = align(table(False), 2, tiny_tokenizer(), tiny_tokenizer(), (False, False), 6)
    assert [one[-1] for one in found.own.positions] == [5, 5, 5]
    assert {len(one) for one in found.other.sequences} == {6}


def test_as_many_neurons_of_each_layer() -> None:
    found = looked_at(4, 30, 100, 50, 0)
    assert sorted(map(len, found)) == [12, 12, 13, 13]
    for one in found:
        assert len(np.unique(one)) == len(one)
        assert (np.diff(one) > 0).all()
        assert one.max() < 30


def test_all_neurons_or_500_where_there_are_too_many_pairs() -> None:
    assert [one.tolist() for one in looked_at(2, 6, 100, None, 0)] == [list(range(6))] * 2
    assert sum(map(len, looked_at(10, 1000, PAIRS_AT_MOST // 10_000 + 1, None, 0))) == DEFAULT
    assert sum(map(len, looked_at(2, 6, 100, 90, 0))) == 12
