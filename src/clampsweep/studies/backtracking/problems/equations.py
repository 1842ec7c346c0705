"""Linear equations with whole coefficients; solved by formula, checked by substitution."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from clampsweep.studies.backtracking.problems.expression import holds
from clampsweep.studies.backtracking.problems.problem import (
    Family,
    Problem,
    by_level,
    term,
)
from clampsweep.studies.backtracking.splits import DISCOVER, SELECT, TEST

_LARGEST = (9, 12, 20, 30, 60)  # constant, by level


def _problem(random: Random, question: str, equation: str, answer: Fraction) -> Problem:
    """The problem with a letter in place of `x`."""
    name = random.choice("xnty")
    written = equation.replace("x", name)
    text = question.format(equation=written, name=name)
    return Problem(text, answer, lambda given: holds(written, name, given))


def _root(random: Random, level: int) -> Fraction:
    """What the letter is to be: whole, from level 3 also negative, from level 4 a fraction."""
    most = by_level(level, _LARGEST)
    whole = random.randint(2, most) * (random.choice((-1, 1)) if level > 2 else 1)
    below = random.randint(2, 7) if level > 3 else 1
    return Fraction(whole, below)


def _constant(random: Random, level: int) -> int:
    most = by_level(level, _LARGEST)
    return random.randint(2, most) * (random.choice((-1, 1)) if level > 1 else 1)


def _factor(random: Random, root: Fraction) -> int:
    """A coefficient of the letter that makes a whole number of it."""
    return root.denominator * random.randint(2, 5)


def _two_steps(random: Random, level: int) -> Problem:
    root, b = _root(random, level), _constant(random, level)
    a = _factor(random, root)
    right = a * root + b
    equation = f"{a}x{term(b)} = {right}"
    return _problem(random, "Solve {equation} for {name}.", equation, (right - b) / a)


def _divided(random: Random, level: int) -> Problem:
    a, b = random.randint(2, 9), _constant(random, level)
    c = b + _constant(random, level)
    equation = f"x/{a}{term(b)} = {c}"
    answer = Fraction((c - b) * a)
    return _problem(random, "Solve {equation} for {name}.", equation, answer)


def _both_sides(random: Random, level: int) -> Problem:
    root, b = _root(random, level), _constant(random, level)
    c = random.randint(2, 9)
    a = c + _factor(random, root)
    d = (a - c) * root + b
    equation = f"{a}x{term(b)} = {c}x{term(d)}"
    answer = (d - b) / (a - c)
    return _problem(random, "Find {name} if {equation}.", equation, answer)


def _bracket(random: Random, level: int) -> Problem:
    root, b = _root(random, level), _constant(random, level)
    a = _factor(random, root)
    c = a * (root + b)
    equation = f"{a}(x{term(b)}) = {c}"
    return _problem(random, "Find {name} if {equation}.", equation, c / a - b)


def _two_brackets(random: Random, level: int) -> Problem:
    root, b = _root(random, level), _constant(random, level)
    c, d = random.randint(2, 6), _constant(random, level)
    a = c + _factor(random, root)
    rest = a * (root + b) - c * (root + d)
    equation = f"{a}(x{term(b)}) = {c}(x{term(d)}){term(rest)}"
    answer = (c * d + rest - a * b) / (a - c)
    return _problem(random, "For which {name} is {equation}?", equation, answer)


def _quotient(random: Random, level: int) -> Problem:
    root, c = _root(random, level), random.randint(2, 9)
    a = _factor(random, root)
    d = _constant(random, level)
    b = c * d - a * root
    equation = f"({a}x{term(b)})/{c} = {d}"
    return _problem(random, "For which {name} is {equation}?", equation, (c * d - b) / a)


FAMILIES = (
    Family("equations", "two_steps", DISCOVER, _two_steps),
    Family("equations", "divided", DISCOVER, _divided),
    Family("equations", "both_sides", SELECT, _both_sides),
    Family("equations", "bracket", SELECT, _bracket),
    Family("equations", "two_brackets", TEST, _two_brackets),
    Family("equations", "quotient", TEST, _quotient),
)
"""Families of type equations."""
