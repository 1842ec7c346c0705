"""Intervals, exact tests and correction for many tests."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep import statistics

Z95 = 1.959963984540054  # the 0.975 quantile of the normal distribution

counts = st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def wilson_by_formula(k, n, z=Z95):
    share = k / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


def mcnemar_by_sum(b, c):
    n = b + c
    tail = sum(Fraction(math.comb(n, i), 2**n) for i in range(min(b, c) + 1))
    return float(min(1, 2 * tail))


def bh_by_loop(p):
    """Adjusted p of each: the smallest p_j * m / rank_j over all p_j at least as large."""
    m = len(p)
    return [
        min(min(1.0, other * m / sum(q <= other for q in p)) for other in p if other >= one)
        for one in p
    ]


def test_wilson_of_the_papers_seven_of_eight():
    low, high = statistics.wilson(7, 8)
    assert (round(low, 3), round(high, 3)) == (0.529, 0.978)


@given(counts)
def test_wilson_follows_the_formula(pair):
    assert statistics.wilson(*pair) == pytest.approx(wilson_by_formula(*pair), abs=1e-9)


@given(counts)
def test_wilson_lies_in_0_to_1_and_holds_the_share(pair):
    low, high = statistics.wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1


def test_wilson_ends_at_exactly_0_and_1_for_none_and_all():
    assert statistics.wilson(0, 12)[0] == 0
    assert statistics.wilson(12, 12)[1] == 1


@given(counts)
def test_wilson_of_the_complement_is_mirrored(pair):
    k, n = pair
    low, high = statistics.wilson(k, n)
    assert statistics.wilson(n - k, n) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_wilson_of_nothing_is_nan():
    low, high = statistics.wilson(0, 0)
    assert math.isnan(low)
    assert math.isnan(high)


def test_wilson_at_another_level():
    z90 = 1.6448536269514722
    assert statistics.wilson(3, 11, 0.9) == pytest.approx(wilson_by_formula(3, 11, z90), abs=1e-9)


def test_wilson_gives_plain_floats():
    assert [type(end) for end in statistics.wilson(3, 11)] == [float, float]


def test_wilson_accepts_numpy_counts():
    assert statistics.wilson(np.int64(7), np.int64(8)) == statistics.wilson(7, 8)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (0, 5, 0.0625), (0, 6, 0.03125), (1, 1, 1.0), (3, 3, 1.0),
     (7, 5, 0.7744140625), (1, 7, 0.0703125)],
)  # fmt: skip
def test_mcnemar_of_hand_computed_cases(b, c, p):
    assert statistics.mcnemar_exact(b, c) == pytest.approx(p, abs=1e-12)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_is_twice_the_smaller_binomial_tail(b, c):
    assert statistics.mcnemar_exact(b, c) == pytest.approx(mcnemar_by_sum(b, c), abs=1e-12)


@given(st.integers(0, 80), st.integers(0, 80))
def test_mcnemar_treats_both_directions_alike_and_lies_in_0_to_1(b, c):
    p = statistics.mcnemar_exact(b, c)
    assert 0 < p <= 1
    assert p == pytest.approx(statistics.mcnemar_exact(c, b), abs=1e-12)


def test_bh_of_a_hand_computed_case():
    # ranks: .005 -> .02, .01 -> .02, .03 -> .04, .04 -> .04
    found = statistics.benjamini_hochberg([0.04, 0.005, 0.03, 0.01])
    assert found == pytest.approx([0.04, 0.02, 0.04, 0.02], abs=1e-12)


@given(p_values)
def test_bh_follows_the_naive_loop(p):
    assert statistics.benjamini_hochberg(p) == pytest.approx(bh_by_loop(p), abs=1e-12)


@given(p_values)
def test_bh_keeps_length_and_order_and_only_raises(p):
    found = statistics.benjamini_hochberg(p)
    assert isinstance(found, np.ndarray)
    assert found.shape == (len(p),)
    assert all(low <= high + 1e-15 for low, high in zip(p, found, strict=True))
    assert np.all(found <= 1)
    ordered = found[np.argsort(p, kind="stable")]
    assert np.all(np.diff(ordered) >= 0)


def test_bh_of_one_p_is_that_p():
    assert statistics.benjamini_hochberg([0.2]).tolist() == pytest.approx([0.2])


def test_bh_of_nothing_is_empty():
    assert len(statistics.benjamini_hochberg([])) == 0
