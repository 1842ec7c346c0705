"""Rank correlation within strata: scipy's where there is one, and its test at its stated rate."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.stratified import association


def test_in_one_stratum_it_is_spearmans():
    rng = np.random.default_rng(0)
    one = rng.random(40)
    other = one + rng.random(40)
    found = association(one, other, np.zeros(40, int), 500)
    wanted = stats.spearmanr(one, other)
    assert found.estimate == pytest.approx(wanted.statistic)
    assert found.p == pytest.approx(1 / 501)  # as far as no permutation is
    assert math.isnan(found.low)  # one stratum tells nothing of how strata differ


def test_by_hand_in_two_strata():
    one = np.array([1.0, 2, 3, 10, 20, 30])
    other = np.array([1.0, 2, 3, 9, 7, 8])
    # Centred ranks: products 1 + 0 + 1, then -1 * 1 + 0 * -1 + 1 * 0.
    found = association(one, other, np.array([0, 0, 0, 1, 1, 1]), 50)
    assert found.estimate == pytest.approx((2 - 1) / 4)


def test_what_does_not_vary_has_no_correlation():
    found = association(np.ones(6), np.arange(6.0), np.repeat([0, 1], 3), 20)
    assert math.isnan(found.estimate)
    assert found.p == 1


def test_labels_without_meaning_pass_at_no_more_than_the_stated_rate():
    rng = np.random.default_rng(1)
    strata = np.repeat(np.arange(5), 6)
    p = [association(rng.random(30), rng.random(30), strata, 99).p for _ in range(200)]
    # Of 200 at 5 %, more than 18 come up once in 200 such tests.
    assert sum(one <= 0.05 for one in p) <= 18
