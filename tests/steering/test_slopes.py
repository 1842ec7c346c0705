"""Slopes, bands and transfers against numbers by hand and rates that must hold."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from clampsweep.studies.steering.slopes import item_slopes, mean_slope, random_band, transfer
from shapes import unchecked


def test_a_slope_is_half_the_difference_of_both_signs_for_each_multiple():
    found = item_slopes(np.array([3.0, 1.0]), np.array([-1.0, 2.0]), 2.0)
    assert found.tolist() == [1.0, -0.25]


@pytest.mark.parametrize("multiple", [0.0, -1.0, float("nan")])
def test_a_multiple_that_is_not_above_0_is_refused(multiple):
    with pytest.raises(ValueError, match="above 0"):
        item_slopes(np.ones(2), np.ones(2), multiple)


def test_p_is_the_share_of_sign_flips_that_are_as_high():
    own = np.array([0.3, 0.2, -0.1, 0.5, 0.4])
    flipped = [np.dot(signs, own) for signs in itertools.product([1, -1], repeat=5)]
    wanted = np.mean([one >= own.sum() - 1e-12 for one in flipped])
    found = mean_slope(own, 0)
    assert found.p == pytest.approx(wanted)
    assert (found.mean, found.n, found.anti_steerable) == (pytest.approx(0.26), 5, 0.2)


def test_the_interval_of_a_mean_holds_it_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = [
        low <= 0.5 <= high
        for low, high in (mean_slope(rng.normal(0.5, 1, 40), 0).interval for _ in range(100))
    ]
    assert 0.88 <= np.mean(held) <= 0.99


def test_equal_slopes_have_an_interval_without_width():
    assert mean_slope(np.full(5, 0.25), 0).interval == (0.25, 0.25)


@pytest.mark.parametrize("slopes", [np.empty(0), np.array([1.0, np.nan])])
def test_slopes_that_are_none_are_refused(slopes):
    with pytest.raises(ValueError, match="finite"):
        mean_slope(slopes, 0)


def test_a_band_is_as_wide_as_vectors_differ_and_not_as_items_do():
    """Items that agree, of vectors that do not: over items alone the band would have no width."""
    vectors = np.linspace(-1, 1, 21)
    found = random_band(np.full(10, 2.0), np.repeat(vectors[:, None], 10, axis=1), 0)
    assert found.interval.low < -0.9 and found.interval.high > 0.9
    assert found.spread == pytest.approx(vectors.std(ddof=1))
    assert found.p == pytest.approx(1 / 22)
    assert found.mean == pytest.approx(0)


def test_a_vector_like_the_random_ones_ranks_among_them():
    random = np.random.default_rng(0).normal(size=(20, 30))
    ranks = [random_band(one, np.delete(random, at, 0), 0).p for at, one in enumerate(random)]
    assert sorted(ranks) == pytest.approx([rank / 20 for rank in range(1, 21)])


def test_fewer_than_two_vectors_or_other_items_are_no_band():
    for random in (np.ones((1, 3)), np.ones((5, 4))):
        with unchecked(), pytest.raises(ValueError, match="2 vectors or more"):
            random_band(np.ones(3), random, 0)


def test_a_transfer_is_the_ratio_of_means_and_its_interval_holds_it():
    rng = np.random.default_rng(2)
    own = rng.normal(1, 0.3, 40)
    other = 0.5 * own + rng.normal(0, 0.05, 40)
    found = transfer(other, own, 0)
    assert found.share == pytest.approx(other.mean() / own.mean())
    assert found.interval.low < 0.5 < found.interval.high
    assert found.interval.high - found.interval.low < 0.1  # drawn together, they move together


def test_a_target_that_its_own_vector_may_not_move_gives_no_bounds():
    own = np.random.default_rng(3).normal(0, 1, 30)
    assert transfer(np.ones(30), own, 0).interval == (-np.inf, np.inf)
