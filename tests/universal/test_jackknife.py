"""The jackknife by brute force, against a formula, and how often its intervals miss."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.jackknife import (
    all_but_one,
    estimate,
    p_above,
    p_other,
    p_within,
)


def left_out(values: np.ndarray) -> list[float]:
    return [float(np.delete(values, at).mean()) for at in range(len(values))]


def test_weights_leave_each_block_out_in_turn():
    assert all_but_one(3).tolist() == [[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]]


def test_of_means_it_is_students_and_welchs():
    rng = np.random.default_rng(0)
    one, two = rng.normal(1, 1, 9), rng.normal(0, 3, 14)
    found = estimate(one.mean(), [left_out(one)])
    wanted = stats.ttest_1samp(one, 0)
    assert found[1:3] == pytest.approx(tuple(wanted.confidence_interval()))
    assert (found.df, p_other(found)) == (pytest.approx(8), pytest.approx(wanted.pvalue))
    assert p_above(found, 0) == pytest.approx(
        stats.ttest_1samp(one, 0, alternative="greater").pvalue
    )
    apart = one.mean() - two.mean()
    both = estimate(
        apart, [[m - two.mean() for m in left_out(one)], [one.mean() - m for m in left_out(two)]]
    )
    welch = stats.ttest_ind(one, two, equal_var=False)
    assert both[1:3] == pytest.approx(tuple(welch.confidence_interval()))
    assert both.df == pytest.approx(welch.df)
    assert p_other(both) == pytest.approx(welch.pvalue)


def test_equivalence_is_the_worse_of_two_one_sided_tests():
    values = np.random.default_rng(1).normal(0.1, 0.4, 12)
    found = estimate(values.mean(), [left_out(values)])
    sides = [
        stats.ttest_1samp(values, -0.3, alternative="greater").pvalue,
        stats.ttest_1samp(values, 0.3, alternative="less").pvalue,
    ]
    assert p_within(found, 0.3) == pytest.approx(max(sides))
    assert p_within(found, 0.001) > 0.4


def test_without_an_interval_there_is_no_test():
    for found in (
        estimate(1.0, [[1.0]]),
        estimate(np.nan, [[1.0, 2.0]]),
        estimate(1.0, [[np.nan] * 3]),
    ):
        assert np.isnan(found.low) and np.isnan(found.se)
        assert (p_above(found, 0), p_within(found, 1), p_other(found)) == (None, None, None)


def test_without_spread_it_is_sure():
    found = estimate(1.0, [[1.0, 1.0, 1.0]])
    assert (found.low, found.high, p_above(found, 0), p_within(found, 2)) == (1, 1, 0, 0)
    assert (p_above(found, 2), p_within(found, 0.5)) == (1, 1)
