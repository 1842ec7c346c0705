"""Moments against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.models.moments import Moments


def _moments(parts: list[np.ndarray]) -> Moments:
    moments = Moments(parts[0].shape[1])
    for part in parts:
        moments.add(part)
    return moments


@pytest.mark.parametrize("cuts", [[], [1], [3, 3, 40], list(range(1, 100)), [0, 100]])
def test_moments_of_parts_equal_numpy_on_the_whole(cuts: list[int]) -> None:
    values = np.random.default_rng(0).normal([0, 5, -200], [1, 0.1, 30], (100, 3))
    got = _moments(np.split(values, cuts))
    assert got.n == 100
    np.testing.assert_allclose(got.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(got.sd, values.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_array_equal(got.min, values.min(0))
    np.testing.assert_array_equal(got.max, values.max(0))
    np.testing.assert_allclose(got.share_positive, (values > 0).mean(0), rtol=1e-15)


def test_the_sd_survives_a_mean_that_is_far_larger() -> None:
    values = 1e7 + np.random.default_rng(0).normal(0, 1e-2, (1000, 1))
    got = _moments(np.split(values, 50))
    np.testing.assert_allclose(got.sd, values.std(0, ddof=1), rtol=1e-6)


def test_single_precision_parts_are_summed_in_double_precision() -> None:
    values = np.full((10, 1), 0.1, np.float32)
    got = _moments([values] * 1000)
    np.testing.assert_allclose(got.mean, float(np.float32(0.1)), rtol=1e-13)
    assert got.sd[0] < 1e-12


def test_the_sd_of_fewer_than_two_positions_is_nan() -> None:
    moments = Moments(2)
    assert (moments.n, np.isnan(moments.sd).all()) == (0, True)
    moments.add(np.empty((0, 2)))
    assert moments.n == 0
    moments.add(np.array([[1.0, -1.0]]))
    assert (moments.n, np.isnan(moments.sd).all()) == (1, True)
    assert (moments.mean.tolist(), moments.min.tolist()) == ([1, -1], [1, -1])


def test_zero_is_not_positive() -> None:
    assert _moments([np.array([[0.0], [-0.0], [1e-30], [-1.0]])]).share_positive.tolist() == [0.25]


def test_a_part_is_left_as_it_was() -> None:
    part = np.ones((4, 2))
    _moments([part, part])
    assert (part == 1).all()
