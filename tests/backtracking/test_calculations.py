"""Calculations of a problem against Python's own arithmetic; wrong results by brute force."""

from __future__ import annotations

from operator import add, mul, sub, truediv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.calculations import (
    Calc,
    Line,
    far,
    lines,
    names_of,
    near,
    parse_calc,
    slip,
)

RIGHT = st.integers(10, 9999)

SIGNS = {"+": add, "-": sub, "*": mul, "/": truediv}

CHAIN = (Calc("a", "*", "b"), Calc("r1", "-", "c"), Calc("r2", "/", "2"), Calc("r3", "+", "r1"))


def test_a_calculation_is_read_from_its_text() -> None:
    assert parse_calc("a * r1") == Calc("a", "*", "r1")
    assert parse_calc("r2 / 12") == Calc("r2", "/", "12")
    assert names_of(Calc("r2", "/", "12")) == ["r2"]


@pytest.mark.parametrize(
    "text", ["a*b", "a ** b", "a + b + c", "A + b", "a ^ b", "a", "", "-1 + a"]
)
def test_what_is_no_calculation_is_none(text: str) -> None:
    assert parse_calc(text) is None


def test_lines_follow_from_each_other() -> None:
    found = lines(CHAIN, {"a": 6, "b": 7, "c": 12})
    assert found == [
        Line(6, "*", 7, 42),
        Line(42, "-", 12, 30),
        Line(30, "/", 2, 15),
        Line(15, "+", 42, 57),
    ]
    assert str(found[1]) == "42 - 12 = 30"


def test_what_is_said_instead_goes_on() -> None:
    found = lines(CHAIN, {"a": 6, "b": 7, "c": 12}, {1: 40})
    assert found is not None
    assert [line.result for line in found] == [42, 40, 20, 62]


@pytest.mark.parametrize("c", [42, 50, 13])  # 0, below it, 29 / 2
def test_a_result_that_is_no_whole_number_above_0_makes_none(c: int) -> None:
    assert lines(CHAIN, {"a": 6, "b": 7, "c": c}) is None


@given(RIGHT)
def test_near_results_are_all_that_differ_by_10_with_as_many_digits(right: int) -> None:
    wanted = {
        one
        for one in range(right + 100)
        if abs(one - right) == 10 and len(f"{one}") == len(f"{right}")
    }
    assert set(near(right)) == wanted
    assert wanted


@given(RIGHT)
def test_far_results_are_8_to_12_times_as_large_with_a_digit_more_and_the_same_last(
    right: int,
) -> None:
    wanted = [
        one
        for one in range(8 * right, 12 * right + 1)
        if one % 10 == right % 10 and len(str(one)) == len(str(right)) + 1
    ]
    assert far(right) == wanted
    assert wanted


@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 90), st.integers(0, 1000))
def test_a_wrong_step_is_not_the_first_and_changes_the_answer(
    a: int, b: int, c: int, seed: int
) -> None:
    found = slip(CHAIN, {"a": a, "b": b, "c": c}, np.random.default_rng(seed))
    if found is None:
        return
    assert 1 <= found.step < len(CHAIN)
    for wrong in (found.near, found.far):
        assert wrong[: found.step] == found.right[: found.step]
        assert wrong[-1].result != found.right[-1].result
        for at, line in enumerate(wrong):
            true = SIGNS[line.sign](line.left, line.right)
            assert (line.result == true) == (at != found.step)
    assert abs(found.near[found.step].result - found.right[found.step].result) == 10
    assert all(10 <= line.result <= 9999 for line in found.right)


def test_numbers_with_a_result_of_one_digit_or_five_allow_no_slip() -> None:
    rng = np.random.default_rng(0)
    assert slip(CHAIN, {"a": 3, "b": 3, "c": 1}, rng) is None
    assert slip(CHAIN, {"a": 200, "b": 100, "c": 2}, rng) is None


def test_every_step_but_the_first_is_wrong_in_some_draw() -> None:
    rng = np.random.default_rng(1)
    found = [slip(CHAIN, {"a": 6, "b": 17, "c": 2 * c}, rng) for c in range(5, 35)]
    assert {one.step for one in found if one} == {1, 2, 3}
