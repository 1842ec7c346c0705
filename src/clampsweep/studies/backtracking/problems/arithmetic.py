"""Arithmetic with whole numbers; checked by the expression as it is written."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from clampsweep.studies.backtracking.problems.expression import (
    DIVIDED,
    TIMES,
    holds,
    value,
)
from clampsweep.studies.backtracking.problems.problem import (
    Family,
    Problem,
    by_level,
    term,
)
from clampsweep.studies.backtracking.splits import DISCOVER, SELECT, TEST

_LARGEST = (20, 60, 150, 500, 2000)  # number, by level


def _problem(question: str, expression: str, answer: Fraction | int) -> Problem:
    text = question.format(expression)
    return Problem(text, Fraction(answer), lambda given: value(expression) == given)


def _sums(random: Random, level: int) -> Problem:
    most = by_level(level, _LARGEST)
    first = random.randint(most // 2, most)
    others = [random.choice((-1, 1)) * random.randint(2, most // 2) for _ in range(level + 1)]
    expression = "".join([str(first), *map(term, others)])
    return _problem("What is {}?", expression, first + sum(others))


def _products(random: Random, level: int) -> Problem:
    most = by_level(level, (9, 12, 25, 40, 90))
    a, b, c, d = (random.randint(3, most) for _ in range(4))
    if level < 3:
        return _problem("What is {}?", f"{a} {TIMES} {b} + {c}", a * b + c)
    return _problem("What is {}?", f"{a} {TIMES} {b} - {c} {TIMES} {d}", a * b - c * d)


def _brackets(random: Random, level: int) -> Problem:
    most = by_level(level, (9, 15, 30, 50, 90))
    a, b, c, d, e = (random.randint(2, most) for _ in range(5))
    if level < 3:
        return _problem("Evaluate {}.", f"{a} {TIMES} ({b} + {c}) - {d}", a * (b + c) - d)
    expression = f"({a} - {b}) {TIMES} ({c} + {d}) - {e}"
    return _problem("Evaluate {}.", expression, (a - b) * (c + d) - e)


def _quotients(random: Random, level: int) -> Problem:
    most = by_level(level, (9, 12, 20, 40, 90))
    a, b, c, d = (random.randint(3, most) for _ in range(4))
    if level < 3:
        return _problem("Calculate {}.", f"{a * b} {DIVIDED} {b} + {c}", a + c)
    expression = f"{a * b} {DIVIDED} {b} - {c * d} {DIVIDED} {d}"
    return _problem("Calculate {}.", expression, a - c)


def _powers(random: Random, level: int) -> Problem:
    most = by_level(level, (6, 9, 12, 20, 35))
    a, b, c = (random.randint(3, most) for _ in range(3))
    power = 2 if level < 4 else 3
    expression = f"{a}^{power} - {b} {TIMES} {c}"
    return _problem("Find the value of {}.", expression, a**power - b * c)


def _missing(random: Random, level: int) -> Problem:
    most = by_level(level, _LARGEST)
    gap, start, times = random.randint(3, most), random.randint(3, most), random.randint(2, 9)
    if level < 3:
        equation, answer = f"{start} + n = {start + gap}", Fraction(gap)
    else:
        equation, answer = f"{times * gap + start} - {times} {TIMES} n = {start}", Fraction(gap)
    question = f"Which number n makes {equation} true?"
    return Problem(question, answer, lambda given: holds(equation, "n", given))


FAMILIES = (
    Family("arithmetic", "sums", DISCOVER, _sums),
    Family("arithmetic", "products", DISCOVER, _products),
    Family("arithmetic", "brackets", SELECT, _brackets),
    Family("arithmetic", "quotients", SELECT, _quotients),
    Family("arithmetic", "powers", TEST, _powers),
    Family("arithmetic", "missing", TEST, _missing),
)
"""Families of type arithmetic."""
