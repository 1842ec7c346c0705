"""Word problems of the templates: numbers, words and a step that may be wrong, drawn by lot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from clampsweep.errors import UserError
from clampsweep.provenance import json_digest
from clampsweep.studies.backtracking.calculations import LEAST, Slip, slip
from clampsweep.studies.backtracking.splits import SPLITS
from clampsweep.studies.backtracking.templates import WHO, Story, Templates

_TRIES = 20_000  # draws of numbers for a problem


class WordProblem(NamedTuple):
    """A problem with its words as they were drawn.

    Attributes:
        name: Its id.
        family: Its template.
        question: The question.
        slip: Calculations, right and wrong.
        tails: Ending of each step.
        marker: What is said before the step is done again.
        doubt: Ending of the wrong step in the grade verbal.
    """

    name: str
    family: Story
    question: str
    slip: Slip
    tails: Sequence[str]
    marker: str
    doubt: str

    @property
    def level(self) -> int:
        """1 to 5: each step above 3, and each digit above 2 of the largest result, adds one."""
        largest = max(line.result for line in self.slip.right)
        return len(self.slip.right) + len(str(largest // LEAST)) - 3


class _Numbers(NamedTuple):
    """Numbers of a problem, by name, and its calculations."""

    given: Mapping[str, int]
    slip: Slip


def problems(templates: Templates, seed: int, per_split: int) -> Iterator[WordProblem]:
    """Problems of each split, its families in turn, no two of a family with the same numbers.

    Args:
        templates: As `read_templates` gives them.
        seed: Of all draws.
        per_split: Problems of each split; the first are the same however many there are.

    Raises:
        UserError: A family's ranges do not hold so many.
    """
    for split in SPLITS:
        families, taken = templates.of(split), set[tuple[str, ...]]()
        for number in range(per_split):
            family = families[number % len(families)]
            name = f"{family.name}-{number // len(families):03d}"
            rng = np.random.default_rng(int(json_digest([seed, name])[:16], 16))
            numbers = _numbers(family, taken, rng)
            if numbers is None:
                raise UserError(
                    f"{templates.where}: families ({family.name}).numbers: {_TRIES:,} draws gave "
                    f"no new numbers for {name}; widen the ranges, or lower per_split"
                )
            yield _in_words(name, family, numbers, templates, rng)


def _numbers(
    family: Story, taken: set[tuple[str, ...]], rng: np.random.Generator
) -> _Numbers | None:
    """Numbers of a family that none has taken, and takes them; None if none are found."""
    calcs = [step.calc for step in family.steps]
    for _ in range(_TRIES):
        given = {
            name: int(rng.integers(low, high + 1)) for name, (low, high) in family.numbers.items()
        }
        key = (family.name, *map(str, given.values()))
        if key not in taken and (found := slip(calcs, given, rng)):
            taken.add(key)
            return _Numbers(given, found)
    return None


def _in_words(
    name: str, family: Story, numbers: _Numbers, templates: Templates, rng: np.random.Generator
) -> WordProblem:
    """A problem with question, endings and marker."""
    words, at = templates.wordings[family.split], numbers.slip.step
    larger = numbers.slip.near[at].result > numbers.slip.right[at].result
    question = family.question.replace(WHO, _one(templates.names, rng))
    for place, number in numbers.given.items():
        question = question.replace(f"{{{place}}}", str(number))
    tails = [words.tails[one] for one in rng.permutation(len(words.tails))]
    return WordProblem(
        name=name,
        family=family,
        question=question,
        slip=numbers.slip,
        tails=tails[: len(family.steps)],
        marker=_one(words.markers, rng),
        doubt=_one(words.too_large if larger else words.too_small, rng),
    )


def _one(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]
