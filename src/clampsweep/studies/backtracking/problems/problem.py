"""What a problem and a family of problems are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from random import Random
from typing import NamedTuple

LEVELS = range(1, 6)


class Problem(NamedTuple):
    """A question and its exact answer.

    `check` says whether a value is the answer, and finds that out in another way than the answer
    was found: by the expression or equation as it is written, or by the story told backwards.
    """

    question: str
    answer: Fraction
    check: Callable[[Fraction], bool]


class Family(NamedTuple):
    """Problems made from one template: its type, name and split, and what makes one of a level."""

    type: str
    name: str
    split: str
    make: Callable[[Random, int], Problem]


def by_level(level: int, choices: Sequence[int]) -> int:
    """The choice for a level, of five."""
    return choices[level - 1]


def term(number: int | Fraction) -> str:
    """A whole number behind other terms: ` + 3`, ` - 3`, or nothing if it is 0."""
    if not number:
        return ""
    return f" {'-' if number < 0 else '+'} {abs(number)}"
