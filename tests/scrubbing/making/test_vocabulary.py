"""The tokenizer that is learnt: it gives texts back, and knows what its texts say most often."""

from __future__ import annotations

from functools import cache
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.scrubbing.making.vocabulary import BEGIN, BEGIN_ID, learn, stream


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


def test_a_stream_is_the_texts_with_blank_lines_between():
    ids = stream(tokenizer(), ["abab", "cd"])
    assert tokenizer().decode(ids.tolist()) == "abab\n\ncd\n\n"
    assert learn(["abab abab abab cd", "abab xyz"], 262).get_vocab() == tokenizer().get_vocab()
