"""What completes a stop string: against Hugging Face's criterion, and whole texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pytest
import torch
from transformers.generation.stopping_criteria import StopStringCriteria

from clampsweep.models.stop_strings import StopStrings
from tiny import EOS, tiny_tokenizer
from tokenizer_kinds import KINDS

# Hugging Face's criterion takes these tokenizers; the others write no "abcdef", which it needs.
TAKEN = [kind for kind, (_, text) in KINDS.items() if "🙂" in text]
TOKENIZERS = {kind: make() for kind, (make, _) in KINDS.items()}


class _Case(NamedTuple):
    """A text's tokens, and strings that stand in it."""

    ids: list[int]
    strings: list[str]


def _cases(kind: str, *, foreign: int) -> Iterator[_Case]:
    """Stretches of a text with some tokens strewn in, and strings cut out of them anywhere."""
    tokenizer, text = TOKENIZERS[kind], KINDS[kind][1]
    whole = tokenizer(text, add_special_tokens=False).input_ids
    draw = random.Random(0)
    for _ in range(40):
        start = draw.randrange(len(whole) - 6)
        ids = whole[start : start + 10]
        for _ in range(foreign):
            ids.insert(draw.randrange(len(ids) + 1), draw.randrange(len(tokenizer)))
        said = tokenizer.decode(ids, skip_special_tokens=False)
        cuts = [sorted(draw.sample(range(len(said) + 1), 2)) for _ in range(2)]
        strings = [said[at : min(end, at + 5)] for at, end in cuts]
        yield _Case(ids, [one for one in strings if "\N{REPLACEMENT CHARACTER}" not in one])


def _first(strings: StopStrings, ids: Sequence[int]) -> int | None:
    """Number of tokens with which a text has said one of the strings."""
    found = (n for n in range(1, len(ids) + 1) if strings.ended_by_newest(ids[:n]))
    return next(found, None)


@pytest.mark.parametrize("kind", TAKEN)
def test_a_text_ends_where_hugging_faces_criterion_says(kind: str) -> None:
    tokenizer, ends = TOKENIZERS[kind], 0
    for ids, strings in _cases(kind, foreign=3):
        if not strings:
            continue
        criterion = StopStringCriteria(tokenizer, strings)
        counts = range(1, len(ids) + 1)
        wanted = (n for n in counts if criterion(torch.tensor([ids[:n]]), None).any())
        end = next(wanted, None)
        assert _first(StopStrings(tokenizer, strings), ids) == end
        ends += end is not None
    assert ends > 20


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_ends_where_it_holds_a_string_when_it_is_read_as_a_whole(kind: str) -> None:
    """Behind a prompt that ends with a letter; it is Hugging Face's tokenizer that reads."""
    tokenizer, ends = TOKENIZERS[kind], 0
    prompt = tokenizer("the cat", add_special_tokens=False).input_ids
    for ids, strings in _cases(kind, foreign=0):
        texts = [tokenizer.decode([*prompt, *ids[:n]])[7:] for n in range(len(ids) + 1)]
        wanted = (n for n, text in enumerate(texts) if any(one in text for one in strings))
        if not strings:
            continue
        end = next(wanted, None)
        assert _first(StopStrings(tokenizer, strings), ids) == end
        ends += end is not None
    assert ends > 20


def _said(tokenizer: Any, pieces: Sequence[str]) -> list[int]:
    ids: list[int] = tokenizer.convert_tokens_to_ids(list(pieces))
    return ids


@pytest.mark.parametrize(
    ("pieces", "strings", "n"),
    [
        (["s", "t", "o", "p", "s"], ["stop"], 4),
        (["s", "th", "e"], ["st"], 2),  # ends inside a token
        (["th", "in"], ["hi"], 2),  # begins inside one, ends inside another
        (["th"], ["h"], 1),
        (["a", "Ã", "©", "b"], ["é"], 3),  # a character of two tokens
        (["Ã", "a"], ["é"], None),
        (["a", "n", "a", "n", "d"], ["nand", "ana"], 3),  # they overlap; the first to end counts
        (["c", "a", "t"], ["catch", "tac"], None),
        (["a", "<eos>", "b"], ["ab"], None),  # a special token stands between
        (["a", "<eos>", "b"], ["<eos>"], 2),
    ],
    ids=str,
)
def test_the_token_that_completes_a_string_ends_the_text(
    pieces: list[str], strings: list[str], n: int | None
) -> None:
    tokenizer = tiny_tokenizer()
    assert _first(StopStrings(tokenizer, strings), _said(tokenizer, pieces)) == n


def test_the_letter_that_tokens_are_read_behind_is_no_part_of_the_text() -> None:
    tokenizer = tiny_tokenizer()
    assert _first(StopStrings(tokenizer, ["ab", "a"]), [*_said(tokenizer, "b"), EOS]) is None
