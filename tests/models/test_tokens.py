"""Prompt and text join to what the tokenizer reads of both, for every kind of tokenizer."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer, models

from clampsweep.errors import UserError
from clampsweep.models.tokens import check_ids, decode, decode_after
from tiny import BOS, EOS, tiny_tokenizer
from tokenizer_kinds import KINDS, fast, llama2, llama3

STRIPPING = ["Llama 2", "Metaspace, first", "Metaspace, always", "Unigram", "WordPiece"]


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(one) for one in tokenizer(text, add_special_tokens=False).input_ids]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_a_prompt_and_its_text_join_to_the_whole_wherever_it_is_cut(kind: Any) -> None:
    make, text = kind
    tokenizer = make()
    ids, cuts = _ids(tokenizer, text), 0
    assert decode(tokenizer, ids) == text
    for at in range(len(ids) + 1):
        head = decode(tokenizer, ids[:at])
        if text.startswith(head):  # else the cut goes through a character
            assert head + decode_after(tokenizer, ids[:at], ids[at:]) == text
            cuts += 1
    assert cuts > 10


@pytest.mark.parametrize("kind", STRIPPING)
def test_the_space_between_prompt_and_text_stays(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    prompt, both = _ids(tokenizer, "the cat"), _ids(tokenizer, "the cat the cat")
    assert both[: len(prompt)] == prompt
    assert decode(tokenizer, both[len(prompt) :]) == "the cat"
    assert decode_after(tokenizer, prompt, both[len(prompt) :]) == " the cat"


@pytest.mark.parametrize("make", [tiny_tokenizer, llama3])
def test_byte_level_texts_are_what_they_are_alone(make: Callable[[], Any]) -> None:
    tokenizer = make()
    draw, n = random.Random(0), len(tokenizer)
    for _ in range(300):
        before = [draw.randrange(n) for _ in range(draw.randrange(4))]
        ids = [draw.randrange(n) for _ in range(draw.randrange(6))]
        alone = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert decode_after(tokenizer, before, ids) == alone


@pytest.mark.parametrize("kind", STRIPPING)
def test_behind_a_special_token_only_the_text_stands_first(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    ids = _ids(tokenizer, "the cat")
    assert decode_after(tokenizer, [tokenizer.bos_token_id], ids) == "the cat"
    assert decode_after(tokenizer, [], ids) == "the cat"


def test_special_tokens_are_left_out_and_no_space_is_cleaned_up() -> None:
    tokenizer = llama2()
    prompt, more = _ids(tokenizer, "the cat"), _ids(tokenizer, "the cats , ran .")
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert decode_after(tokenizer, [bos, *prompt], [*more, eos]) == " the cats , ran ."
    assert decode_after(tokenizer, prompt, [eos]) == ""
    assert decode_after(tokenizer, prompt, []) == ""


@pytest.mark.parametrize("kind", ["Llama 2", "Metaspace, first", "Gemma"])
def test_a_character_in_bytes_is_one_again_and_a_part_of_one_is_a_mark(kind: str) -> None:
    tokenizer = KINDS[kind][0]()
    prompt = _ids(tokenizer, "the cat")
    bytes_ = [tokenizer.convert_tokens_to_ids(f"<0x{one:02X}>") for one in "é".encode()]
    assert decode_after(tokenizer, prompt, bytes_) == "é"
    assert decode_after(tokenizer, prompt, bytes_[:1]) == "\N{REPLACEMENT CHARACTER}"
    assert decode_after(tokenizer, [*prompt, bytes_[0]], bytes_[1:]) == "\N{REPLACEMENT CHARACTER}"


def test_a_tokenizer_without_the_letter_reads_the_text_alone() -> None:
    vocabulary = {"<unk>": 0, "<s>": 1, "</s>": 2, "B": 3, "C": 4}
    tokenizer = fast(Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>")))
    assert decode_after(tokenizer, [3], [4, 3]) == "C B"


def test_a_token_that_the_model_has_no_row_for_is_named() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<image>"])
    ids = _ids(tokenizer, "the <image>")
    check_ids([BOS, EOS, *ids], tokenizer, n_rows=len(tokenizer))
    with pytest.raises(UserError, match=r"'<image>', token 272 .* rows 0 to 271; take it out"):
        check_ids(ids, tokenizer, n_rows=272)
