"""What a training step is shown: natural text, and sequences in which something comes again."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clampsweep.models.making import BEGIN_ID


class Batch(NamedTuple):
    """Sequences of one length, each beginning with `BEGIN`, and which of their labels count."""

    ids: Int[Tensor, "batch length_and_one"]
    counted: Bool[Tensor, "batch length"]


def draw(
    natural: Int[Tensor, " token"],
    d_vocab: int,
    length: int,
    size: int,
    share: float,
    generator: torch.Generator,
) -> Batch:
    """A batch: random tokens that repeat, then text with a part pasted again, then plain text.

    Where random tokens come for the first time, nothing can foretell them, and they do not count.

    Args:
        natural: Token ids of the training documents.
        d_vocab: Number of tokens.
        length: Positions of a sequence, at least 16.
        size: Number of sequences.
        share: Of them in which something repeats, half of these of random tokens.
        generator: What it is drawn with.
    """
    repeating = round(size * share)
    rows, firsts = [], []
    for number in range(size):
        period = 0
        if number < repeating // 2:
            period = _between(length // 8, length // 2, generator)
            row = repeated(d_vocab, period, length, generator)
        else:
            row = window(natural, length, generator)
            if number < repeating:
                _paste(row, generator)
        rows.append(row)
        firsts.append(period)
    counted = torch.arange(length) >= torch.tensor(firsts)[:, None]  # [batch, length]
    return Batch(begun(torch.stack(rows)), counted)


def begun(rows: Int[Tensor, "batch length"]) -> Int[Tensor, "batch length_and_one"]:
    """Rows with the token before them that every sequence begins with."""
    return torch.nn.functional.pad(rows, (1, 0), value=BEGIN_ID)


def repeated(
    d_vocab: int, period: int, length: int, generator: torch.Generator
) -> Int[Tensor, " length"]:
    """Random tokens, again and again.

    Args:
        d_vocab: Number of tokens; `BEGIN` is not drawn.
        period: After so many they come again.
        length: Positions.
        generator: What they are drawn with.
    """
    once = torch.randint(BEGIN_ID + 1, d_vocab, (period,), generator=generator)
    return once.repeat(-(-length // period))[:length]


def window(
    natural: Int[Tensor, " token"], length: int, generator: torch.Generator
) -> Int[Tensor, " length"]:
    """A stretch of text, as a copy.

    Args:
        natural: Token ids, at least as many as the length.
        length: Positions.
        generator: What its place is drawn with.
    """
    start = _between(0, len(natural) - length, generator)
    return natural[start : start + length].clone()


def _paste(row: Int[Tensor, " length"], generator: torch.Generator) -> None:
    """Overwrite a later part of a text with an earlier one, in place."""
    length = len(row)
    span = _between(length // 16 + 1, length // 3, generator)
    source = _between(0, length - 2 * span, generator)
    goal = _between(source + span, length - span, generator)
    row[goal : goal + span] = row[source : source + span].clone()


def _between(low: int, high: int, generator: torch.Generator) -> int:
    """A number from `low` to `high`, both may come."""
    return int(torch.randint(low, high + 1, (), generator=generator))
