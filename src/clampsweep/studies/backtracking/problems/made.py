"""Problems of all families, by seed, as rows of a promptset."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from clampsweep.errors import UserError
from clampsweep.studies.backtracking.problems import arithmetic, equations, fractions_of, stories
from clampsweep.studies.backtracking.problems.problem import LEVELS, Family, Problem

FAMILIES = (
    *arithmetic.FAMILIES,
    *equations.FAMILIES,
    *fractions_of.FAMILIES,
    *stories.FAMILIES,
)
"""All families; each is in one split."""

_TRIES = 200  # draws for each problem that is to be found


def rows(seed: int, per_cell: int) -> Iterator[dict[str, Any]]:
    """Problems of each family and level, as rows of the promptset.

    Columns are `prompt_id`, `text`, `type`, `level`, `family`, `split`, and `answer`, an exact
    number such as `7/3`. Those of a family and level depend on these and the seed alone; more of
    them begin with the fewer.

    Args:
        seed: Decides which.
        per_cell: How many of each family and level.

    Raises:
        UserError: A family has not so many different ones.
    """
    for family in FAMILIES:
        for level in LEVELS:
            for number, problem in enumerate(_cell(family, level, seed, per_cell), 1):
                yield {
                    "prompt_id": f"{family.type}/{family.name}/{level}/{number:02d}",
                    "text": problem.question,
                    "type": family.type,
                    "level": level,
                    "family": family.name,
                    "split": family.split,
                    "answer": str(problem.answer),
                }


def _cell(family: Family, level: int, seed: int, number: int) -> list[Problem]:
    """Different problems of a family and level, their answers checked."""
    random = Random(f"{seed}/{family.type}/{family.name}/{level}")
    found: dict[str, Problem] = {}
    for _ in range(_TRIES * number):
        problem = family.make(random, level)
        if not problem.check(problem.answer):
            raise RuntimeError(f"wrong answer {problem.answer} to {problem.question!r}")
        found.setdefault(problem.question, problem)
        if len(found) == number:
            return list(found.values())
    raise UserError(
        f"--per-cell: got {number}, but {family.type}/{family.name} of level {level} has about "
        f"{len(found)} problems; write at most so many"
    )
