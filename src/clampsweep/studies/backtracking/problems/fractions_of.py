"""Sums, products and quotients of fractions; checked by the expression as it is written."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from clampsweep.studies.backtracking.problems.expression import DIVIDED, TIMES, value
from clampsweep.studies.backtracking.problems.problem import (
    Family,
    Problem,
    by_level,
)
from clampsweep.studies.backtracking.splits import DISCOVER, SELECT, TEST

_LOWEST = "Give the answer in lowest terms."


def _fraction(random: Random, level: int) -> Fraction:
    """A fraction that is not whole; from level 3 it may be above 1."""
    below = random.randint(3, by_level(level, (6, 9, 12, 16, 24)))
    most = below - 1 if level < 3 else 2 * below
    above = random.choice([one for one in range(1, most + 1) if one % below])
    return Fraction(above, below)


def _problem(question: str, expression: str, answer: Fraction) -> Problem:
    text = f"{question.format(expression)} {_LOWEST}"
    return Problem(text, answer, lambda given: value(expression) == given)


def _sum(random: Random, level: int) -> Problem:
    a, b = _fraction(random, level), _fraction(random, level)
    return _problem("What is {}?", f"{a} + {b}", a + b)


def _difference(random: Random, level: int) -> Problem:
    a, b = _fraction(random, level), _fraction(random, level)
    if level < 3 and a < b:
        a, b = b, a
    return _problem("What is {}?", f"{a} - {b}", a - b)


def _product(random: Random, level: int) -> Problem:
    a, b = _fraction(random, level), _fraction(random, level)
    return _problem("Multiply: {}.", f"{a} {TIMES} {b}", a * b)


def _part(random: Random, level: int) -> Problem:
    part = _fraction(random, level)
    whole = random.randint(2, by_level(level, (5, 9, 15, 30, 60)))
    amount = whole * part.denominator if level < 4 else whole
    question = f"How much is {part} of {amount}?"
    if level > 3:
        question += f" {_LOWEST}"
    return Problem(question, part * amount, lambda given: given / amount == value(str(part)))


def _quotient(random: Random, level: int) -> Problem:
    a, b = _fraction(random, level), _fraction(random, level)
    return _problem("Divide: {}.", f"{a} {DIVIDED} {b}", a / b)


def _three_terms(random: Random, level: int) -> Problem:
    a, b, c = (_fraction(random, level) for _ in range(3))
    sign = 1 if level < 3 else random.choice((-1, 1))
    expression = f"{a} {'+' if sign > 0 else '-'} {b} {TIMES} {c}"
    return _problem("Simplify {}.", expression, a + sign * b * c)


FAMILIES = (
    Family("fractions", "sum", DISCOVER, _sum),
    Family("fractions", "difference", DISCOVER, _difference),
    Family("fractions", "product", SELECT, _product),
    Family("fractions", "part", SELECT, _part),
    Family("fractions", "quotient", TEST, _quotient),
    Family("fractions", "three_terms", TEST, _three_terms),
)
"""Families of type fractions."""
