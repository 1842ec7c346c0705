"""Splits of problems that name none."""

from __future__ import annotations

from collections import Counter

from clampsweep.studies.backtracking.splits import SPLITS, split_of


def test_a_problem_is_always_in_the_same_split_and_half_are_for_discovery():
    counted = Counter(split_of(f"problem {at}") for at in range(4000))
    assert set(counted) == set(SPLITS)
    assert abs(counted["discover"] - 2000) < 5 * 32  # five standard deviations
    assert abs(counted["test"] - 1000) < 5 * 28
    assert len({split_of("test/algebra/1.json") for _ in range(3)}) == 1
