"""Steps of a word problem as calculations, and what goes on from a wrong result of one.

All numbers are whole. A wrong result is of two kinds: `near` by 10, or `far`, eight to twelve times
as large with a digit more. Both end in the digit in which the right one ends.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

LEAST, MOST = 10, 9999  # of right results: two to four digits
SIGNS = "+-*/"

_CALC = re.compile(rf"([a-z][a-z0-9]*|\d+) ([{re.escape(SIGNS)}]) ([a-z][a-z0-9]*|\d+)")


class Calc(NamedTuple):
    """Two operands, names or whole numbers, and the sign between them."""

    left: str
    sign: str
    right: str


def parse_calc(text: str) -> Calc | None:
    """A calculation such as `a * r1`; None if the text is none.

    Args:
        text: Two operands with a sign and spaces between them.
    """
    found = _CALC.fullmatch(text)
    return Calc(*found.groups()) if found else None


def names_of(calc: Calc) -> list[str]:
    """Operands that are names."""
    return [one for one in (calc.left, calc.right) if not one.isdigit()]


class Line(NamedTuple):
    """A calculation with its numbers; the result is what is said, right or wrong."""

    left: int
    sign: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left} {self.sign} {self.right} = {self.result}"


def lines(
    calcs: Sequence[Calc], given: Mapping[str, int], said: Mapping[int, int] | None = None
) -> list[Line] | None:
    """All calculations with their numbers; None if a result is no whole number above 0.

    Args:
        calcs: In their order; r1 is the result of the first.
        given: Numbers of the problem, by name.
        said: For some of them, from 0, a result that is said instead and goes on from there.
    """
    known, found = dict(given), list[Line]()
    for at, calc in enumerate(calcs):
        left, right = (int(known.get(one, one)) for one in (calc.left, calc.right))
        result = _result(left, calc.sign, right)
        if result is None or result <= 0:
            return None
        result = (said or {}).get(at, result)
        found.append(Line(left, calc.sign, right, result))
        known[f"r{at + 1}"] = result
    return found


def _result(left: int, sign: str, right: int) -> int | None:
    if sign == "/":
        return left // right if right and left % right == 0 else None
    return {"+": left + right, "-": left - right, "*": left * right}[sign]


def near(right: int) -> list[int]:
    """Results that are wrong by 10 and have as many digits.

    Args:
        right: The right one, `LEAST` to `MOST`.
    """
    return [one for one in (right + 10, right - 10) if len(str(one)) == len(str(right))]


def far(right: int) -> list[int]:
    """Results that are 8 to 12 times as large, have a digit more and end in the same digit.

    Args:
        right: The right one, `LEAST` to `MOST`.
    """
    power = 10 ** len(str(right))  # the smallest number with a digit more
    first, last = max(8 * right, power), min(12 * right, 10 * power - 1)
    return list(range(first + (right - first) % 10, last + 1, 10))


class Slip(NamedTuple):
    """A problem's calculations, the wrong step, and how they go on from either wrong result.

    Attributes:
        right: All calculations.
        step: The wrong one, from 0, never the first.
        near: All calculations, where the step's result is wrong by 10.
        far: Where it has a digit more.
    """

    right: list[Line]
    step: int
    near: list[Line]
    far: list[Line]


def slip(calcs: Sequence[Calc], given: Mapping[str, int], rng: np.random.Generator) -> Slip | None:
    """A problem with a wrong step, drawn at random; None if these numbers allow none.

    Right results have 2 to 4 digits, and either wrong result leads to another answer.

    Args:
        calcs: The problem's.
        given: Its numbers.
        rng: Draws step and wrong results.
    """
    right = lines(calcs, given)
    if right is None or not all(LEAST <= line.result <= MOST for line in right):
        return None
    step = int(rng.integers(1, len(calcs)))
    wrong = [
        _goes_on(calcs, given, step, rng.permutation(choices).tolist(), right[-1].result)
        for choices in (near(right[step].result), far(right[step].result))
    ]
    if wrong[0] is None or wrong[1] is None:
        return None
    return Slip(right, step, wrong[0], wrong[1])


def _goes_on(
    calcs: Sequence[Calc], given: Mapping[str, int], step: int, choices: Sequence[int], gold: int
) -> list[Line] | None:
    """All calculations with the first wrong result from which they go on to a wrong answer."""
    for choice in choices:
        found = lines(calcs, given, {step: choice})
        if found and found[-1].result != gold:
            return found
    return None
