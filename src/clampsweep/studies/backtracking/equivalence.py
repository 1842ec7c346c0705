"""Whether answers are right: as strings in one form, as exact numbers, else by math-verify."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from clampsweep.studies.backtracking import math_pool
from clampsweep.studies.backtracking.answer_forms import (
    MOST,
    Number,
    is_word,
    normalised,
    number,
    undressed,
)

NONE, STRING, FRACTION, MATH_VERIFY = METHODS = ("none", "string", "fraction", "math-verify")
"""What decided: nothing, as an answer is missing; one form; exact numbers; math-verify."""

NOT_INSTALLED = "math-verify is not installed: compared as text only"


class Compared(NamedTuple):
    """Whether an answer is right, what decided it (`METHODS`), and what went wrong.

    `correct` is None where there is no right answer, or where math-verify failed on the pair.
    """

    correct: bool | None
    method: str
    error: str | None = None


def compare(
    pairs: Sequence[tuple[str | None, str | None]], workers: int = 1, timeout: float = 5
) -> list[Compared]:
    """Whether each answer is equal to the right one.

    No answer is wrong. What is equal in one form or as exact numbers is right; numbers that differ,
    and words, are wrong; `50%` is 50 and 1/2. Only the rest is handed to math-verify, each pair
    once, in processes of its own. Where that is not installed, texts that differ are wrong, and
    `error` says so.

    Args:
        pairs: Answer and right answer, each as it was written, without its box.
        workers: Most processes at once.
        timeout: Seconds of processor time that math-verify may take for a pair.
    """
    unique = list(dict.fromkeys(pairs))
    found = {pair: _decided(*pair) for pair in unique}
    rest = [pair for pair, one in found.items() if one is None]
    found |= dict(zip(rest, _by_math_verify(rest, workers, timeout), strict=True))
    return [one for pair in pairs if (one := found[pair]) is not None]


def _decided(answer: str | None, gold: str | None) -> Compared | None:
    """What follows from strings and numbers; None if nothing does."""
    if gold is None:
        return Compared(None, NONE)
    if answer is None:
        return Compared(False, NONE)
    given, right = normalised(answer), normalised(gold)
    if given == right:
        return Compared(True, STRING)
    value, right_value = number(given), number(right)
    if value is not None and right_value is not None:
        return Compared(_is_same(value, right_value), FRACTION)
    words = is_word(given) and is_word(right)
    if words or len(answer) > MOST or not all(map(_is_balanced, (answer, gold))):
        return Compared(False, STRING)
    return None


def _is_same(one: Number, other: Number) -> bool:
    """Whether numbers are equal; one in percent may stand for the number without the sign too."""
    if one.percent != other.percent:
        percent, plain = (one, other) if one.percent else (other, one)
        return plain.value in (percent.value, percent.value / 100)
    return one.value == other.value


def _is_balanced(text: str) -> bool:
    """Whether a box around the text ends where the text ends."""
    depth = 0
    for char in re.sub(r"\\.", "", text, flags=re.DOTALL):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth < 0:
            return False
    return depth == 0


def _by_math_verify(
    pairs: Sequence[tuple[str | None, str | None]], workers: int, timeout: float
) -> list[Compared]:
    if pairs and not math_pool.installed():
        return [Compared(False, STRING, NOT_INSTALLED)] * len(pairs)
    contents = [(_content(answer or ""), _content(gold or "")) for answer, gold in pairs]
    verdicts = math_pool.verify(contents, workers, timeout)
    return [Compared(correct, MATH_VERIFY, error) for correct, error in verdicts]


def _content(answer: str) -> str:
    """What is put into the one box that math-verify gets; it merges several into a set."""
    return re.sub(r"\\(?:boxed|fbox)(?![A-Za-z])", "", undressed(answer))
