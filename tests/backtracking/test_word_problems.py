"""Problems that are drawn: numbers in their ranges, none twice, the same whoever asks."""

from __future__ import annotations

import re

import pytest

from backtracking.shipped import TEMPLATES
from clampsweep.errors import UserError
from clampsweep.studies.backtracking.splits import SPLITS
from clampsweep.studies.backtracking.word_problems import WordProblem, problems

MANY = list(problems(TEMPLATES, 0, 60))


def of_split(found: list[WordProblem], split: str) -> list[WordProblem]:
    return [one for one in found if one.family.split == split]


def test_each_split_has_as_many_problems_as_are_asked_for_of_all_its_families() -> None:
    for split in SPLITS:
        own = of_split(MANY, split)
        assert len(own) == 60
        assert {one.family.name for one in own} == {one.name for one in TEMPLATES.of(split)}


def test_names_and_questions_occur_once() -> None:
    assert len({one.name for one in MANY}) == len(MANY)
    assert len({re.sub(r"[A-Z]\w+", "", one.question) for one in MANY}) == len(MANY)


def test_the_first_problems_are_the_same_however_many_are_drawn() -> None:
    few = list(problems(TEMPLATES, 0, 7))
    assert few == [one for split in SPLITS for one in of_split(MANY, split)[:7]]


def test_another_seed_draws_other_problems() -> None:
    other = list(problems(TEMPLATES, 1, 60))
    assert {one.question for one in other}.isdisjoint({one.question for one in MANY[:20]})


def test_questions_hold_the_numbers_of_the_first_calculations_in_their_ranges() -> None:
    for one in MANY:
        assert "{" not in one.question
        numbers = [int(number) for number in re.findall(r"\d+", one.question)]
        ranges = [one.family.numbers[name] for name in re.findall(r"\{(\w)\}", one.family.question)]
        assert all(low <= n <= high for n, (low, high) in zip(numbers, ranges, strict=True))


def test_the_wrong_step_is_never_the_first_and_is_elsewhere_in_problems_of_a_family() -> None:
    steps: dict[str, set[int]] = {}
    for one in MANY:
        steps.setdefault(one.family.name, set()).add(one.slip.step)
    assert all(0 not in found and len(found) >= 2 for found in steps.values())


def test_doubt_is_on_the_side_to_which_the_wrong_result_lies() -> None:
    for one in MANY:
        words, at = TEMPLATES.wordings[one.family.split], one.slip.step
        larger = one.slip.near[at].result > one.slip.right[at].result
        assert one.doubt in (words.too_large if larger else words.too_small)


def test_words_are_those_of_the_split_and_no_ending_comes_twice() -> None:
    for one in MANY:
        words = TEMPLATES.wordings[one.family.split]
        assert one.marker in words.markers
        assert len(set(one.tails)) == len(one.tails) == len(one.family.steps)
        assert set(one.tails) <= set(words.tails)


def test_levels_are_counted_from_steps_and_digits() -> None:
    for one in MANY:
        digits = max(len(str(line.result)) for line in one.slip.right)
        assert one.level == 1 + (len(one.family.steps) - 3) + (digits - 2)
    assert {one.level for one in MANY} >= {2, 3, 4, 5}


def test_ranges_that_hold_too_few_problems_are_named() -> None:
    narrow = TEMPLATES.families[0]._replace(
        numbers={name: (low, low) for name, (low, _) in TEMPLATES.families[0].numbers.items()}
    )
    templates = TEMPLATES._replace(families=(narrow, *TEMPLATES.families[6:]))
    with pytest.raises(
        UserError, match=r"written\.yaml: families \(bakery\)\.numbers: .*bakery-001"
    ):
        list(problems(templates, 0, 2))
