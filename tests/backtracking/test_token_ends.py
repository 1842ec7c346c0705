"""Ends of tokens against texts of every beginning of them, decoded one by one."""

from __future__ import annotations

import random

import pytest

from clampsweep.errors import UserError
from clampsweep.models.tokens import decode_after
from clampsweep.studies.backtracking.token_ends import token_at, token_ends
from tiny import tiny_tokenizer
from tokenizer_kinds import KINDS, TEXT, gemma, llama2, llama3

EMOJI = "Wait, é ² 3 ≠ 🙂🙃 … 答 «no»\n\nOK"
PLAIN = "the cat"


def _ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False).input_ids


def by_beginnings(tokenizer, before, ids):
    """How far the text goes that each beginning of the tokens has in common with all of them."""
    whole, ends = decode_after(tokenizer, before, ids), [0]
    for n in range(1, len(ids) + 1):
        text, shared = decode_after(tokenizer, before, ids[:n]), 0
        while shared < len(text) and text[: shared + 1] == whole[: shared + 1]:
            shared += 1
        ends.append(max(ends[-1], shared))
    return whole, ends[1:]


def _agree(tokenizer, before, ids):
    whole, wanted = by_beginnings(tokenizer, before, ids)
    assert token_ends(tokenizer, before, ids, whole) == wanted, (ids, whole)
    return whole, wanted


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("behind", ["nothing", "a special token", "a text"])
def test_ends_are_lengths_of_decoded_beginnings_for_every_kind_of_tokenizer(kind, behind):
    make, text = KINDS[kind]
    tokenizer = make()
    before = {
        "nothing": [],
        "a special token": [tokenizer.bos_token_id],
        "a text": _ids(tokenizer, PLAIN),
    }[behind]
    whole, ends = _agree(tokenizer, before, _ids(tokenizer, text))
    assert ends[-1] == len(whole) > 20 and ends == sorted(ends)


@pytest.mark.parametrize("make", [tiny_tokenizer, llama2, gemma])
def test_characters_of_several_tokens_end_at_the_last_of_these(make):
    tokenizer = make()
    ids = _ids(tokenizer, EMOJI)
    whole, ends = _agree(tokenizer, _ids(tokenizer, PLAIN), ids)
    assert whole.strip() == EMOJI
    at = whole.index("🙂")
    assert ends.count(at) == 4  # the token before it, and three of its four bytes
    assert token_at(ends, at) - token_at(ends, at - 1) == 4
    assert token_at(ends, at + 1) - token_at(ends, at) == 4


@pytest.mark.parametrize("make", [tiny_tokenizer, llama3])
def test_tokens_that_a_model_cut_anywhere_in_a_character_are_read_as_they_stand(make):
    """Bytes in any order: beginnings without an end, ends without a beginning, letters between."""
    tokenizer, draw = make(), random.Random(0)
    every = _ids(tokenizer, EMOJI) + _ids(tokenizer, " a b 1 2.")
    for _ in range(150):
        ids = [draw.choice(every) for _ in range(draw.randrange(1, 9))]
        _agree(tokenizer, _ids(tokenizer, PLAIN), ids)


@pytest.mark.parametrize("make", [llama2, gemma])
def test_bytes_that_are_no_character_are_read_as_marks(make):
    tokenizer, draw = make(), random.Random(1)
    every = [tokenizer.convert_tokens_to_ids(f"<0x{one:02X}>") for one in "é🙂".encode()]
    every += _ids(tokenizer, TEXT)[:6]
    for _ in range(100):
        ids = [draw.choice(every) for _ in range(draw.randrange(1, 8))]
        _agree(tokenizer, _ids(tokenizer, PLAIN), ids)


def test_a_mark_that_the_text_itself_says_is_a_character():
    tokenizer = tiny_tokenizer()
    whole, ends = _agree(tokenizer, [], _ids(tokenizer, "a\ufffdb"))
    assert whole == "a\ufffdb" and ends[0] == 1 and ends[3:] == [2, 3]


def test_a_token_that_ends_inside_a_character_completes_those_before_it():
    tokenizer = llama3()
    space = tokenizer.convert_ids_to_tokens(_ids(tokenizer, "a 🙂"))[1]
    assert space.startswith("Ġ") and len(space) > 1  # the space, and a part of the character
    assert _agree(tokenizer, [], _ids(tokenizer, "a 🙂"))[1][:2] == [1, 2]


@pytest.mark.parametrize("kind", ["Unigram", "WordPiece", "word ends", "Metaspace, first"])
def test_parts_of_words_in_any_order_are_read_as_they_stand(kind):
    tokenizer, draw = KINDS[kind][0](), random.Random(2)
    every = [at for at in range(len(tokenizer)) if at not in tokenizer.all_special_ids]
    for _ in range(100):
        ids = [draw.choice(every) for _ in range(draw.randrange(1, 9))]
        _agree(tokenizer, _ids(tokenizer, PLAIN), ids)
        _agree(tokenizer, [], ids)


def test_special_tokens_add_nothing():
    tokenizer = tiny_tokenizer()
    ids = [*_ids(tokenizer, "a."), tokenizer.eos_token_id, *_ids(tokenizer, "b")]
    assert token_ends(tokenizer, [], ids, "a.b") == [1, 2, 2, 3]


def test_no_tokens_have_no_ends():
    assert token_ends(tiny_tokenizer(), [], [], "") == []


@pytest.mark.parametrize("text", ["the cats", "the ca", "", "the bat"])
def test_another_text_is_refused_in_one_line(text):
    tokenizer = tiny_tokenizer()
    with pytest.raises(UserError, match=r"of \d characters, but its tokens make 7, or others; "):
        token_ends(tokenizer, [], _ids(tokenizer, PLAIN), text)


def test_a_characters_token_is_the_first_that_ends_behind_it():
    ends = [2, 2, 3, 3, 7]
    assert [token_at(ends, char) for char in range(7)] == [0, 0, 2, 4, 4, 4, 4]
    with pytest.raises(ValueError, match="character 7, but the tokens hold 7"):
        token_at(ends, 7)
