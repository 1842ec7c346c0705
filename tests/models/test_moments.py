"""Moments against numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.models.moments import Moments, Sums, add_up
from shapes import unchecked


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


# Sums of powers


def _sums(values: np.ndarray, part: int = 128) -> Sums:
    return _moments([values[at : at + part] for at in range(0, max(1, len(values)), part)]).sums


def _stacked(blocks: list[Sums]) -> Sums:
    return Sums(*(np.stack(each) for each in zip(*blocks, strict=True)))


def _check(got: Sums, values: np.ndarray, rtol: float = 1e-8) -> None:
    """Against scipy and numpy on the values themselves, in the conventions that the docs state."""
    np.testing.assert_array_equal(got.n, len(values))
    np.testing.assert_array_equal(got.n_positive, (values > 0).sum(0))
    np.testing.assert_allclose(got.mean, values.mean(0), rtol=rtol)
    np.testing.assert_allclose(got.variance, stats.tvar(values, axis=0), rtol=rtol)
    np.testing.assert_allclose(got.skewness, stats.skew(values), rtol=rtol)
    np.testing.assert_allclose(got.kurtosis, stats.kurtosis(values, fisher=False), rtol=rtol)


@pytest.fixture(scope="module")
def million() -> np.ndarray:
    """10^6 values of several shapes; of the last three, the mean is 1000 times the sd or more."""
    rng = np.random.default_rng(0)
    n = 10**6
    silu = rng.normal(size=n)
    return np.stack(
        [
            rng.exponential(size=n),
            silu / (1 + np.exp(-silu)) * rng.normal(1, 2, size=n),
            3 * rng.standard_t(9, size=n) - 7,
            1000 + rng.exponential(size=n),
            -1000 - rng.gamma(0.5, 2**0.5, size=n),
            (1e4 + rng.lognormal(0, 0.5, size=n)).astype(np.float32),
        ],
        axis=1,
    )


@pytest.mark.parametrize("n_blocks", [1, 20])
def test_moments_of_a_million_values_are_scipys(million: np.ndarray, n_blocks: int) -> None:
    """To 1e-8, also where raw powers about 0 would lose all digits of the kurtosis."""
    blocks = [_sums(block) for block in np.array_split(million, n_blocks)]
    got = add_up(_stacked(blocks))
    assert got.n.shape == (1, million.shape[1])
    _check(Sums(*(part[0] for part in got)), million)


def test_raw_powers_would_not_do(million: np.ndarray) -> None:
    """The hard case is hard: sums of raw powers are wrong by more than 1e-6 in it."""
    hard = million[:, 3]
    one, two, three, four = ((hard**power).mean() for power in (1, 2, 3, 4))
    fourth = four - 4 * one * three + 6 * one**2 * two - 3 * one**4
    kurtosis = fourth / (two - one**2) ** 2
    assert abs(kurtosis / stats.kurtosis(hard, fisher=False) - 1) > 1e-5


def _uneven_blocks() -> list[np.ndarray]:
    """Blocks of other sizes, means and spreads; one is empty, one a single position."""
    rng = np.random.default_rng(1)
    sizes = [300, 1, 0, 47, 1200, 5]
    return [rng.gamma(2, 1 + at, (size, 3)) - 2 * at for at, size in enumerate(sizes)]


def test_blocks_add_up_to_what_their_positions_give_together() -> None:
    blocks = _uneven_blocks()
    sums = [_sums(block, 64) for block in blocks]
    whole = add_up(_stacked(sums))
    _check(Sums(*(part[0] for part in whole)), np.concatenate(blocks), 1e-11)
    halves = [add_up(_stacked(some)) for some in (sums[:3], sums[3:])]
    again = add_up(_stacked([Sums(*(part[0] for part in half)) for half in halves]))
    for one, other in zip(again, whole, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11)


def test_a_bootstrap_over_blocks_is_that_of_the_raw_positions() -> None:
    blocks = _uneven_blocks()
    drawn = np.random.default_rng(2).integers(0, len(blocks), (25, len(blocks)))
    drawn[0] = 3  # one block alone, again and again
    times = np.stack([np.bincount(draw, minlength=len(blocks)) for draw in drawn])
    got = add_up(_stacked([_sums(block, 64) for block in blocks]), times)
    for at, draw in enumerate(drawn):
        _check(Sums(*(part[at] for part in got)), np.concatenate([blocks[b] for b in draw]), 1e-9)


def test_no_positions_have_no_moments() -> None:
    none = Moments(2).sums
    got = add_up(_stacked([none, none]))
    assert got.n.tolist() == [[0, 0]]
    assert got.mean.tolist() == [[0, 0]]
    for part in (got.variance, got.skewness, got.kurtosis, got.share_positive):
        assert np.isnan(part).all()


@pytest.mark.parametrize("value", [0.0, 0.1, -1e6 / 3])
def test_constant_values_have_a_variance_near_0_and_no_shape(value: float) -> None:
    """As scipy says it."""
    values = np.full((1000, 1), value)
    blocks = [_sums(values, 7), _sums(values, 128)]
    for got in (blocks[0], add_up(_stacked(blocks))):
        assert (got.variance <= 1e-30 * value**2).all()
        assert np.isnan(got.skewness).all()
        assert np.isnan(got.kurtosis).all()


def test_two_values_have_the_moments_that_a_hand_finds() -> None:
    """0, 0, 0, 4: mean 1, deviations -1, -1, -1, 3."""
    got = _sums(np.array([[0.0], [0.0], [0.0], [4.0]]))
    assert (got.sum2[0], got.sum3[0], got.sum4[0]) == (12, 24, 84)
    assert got.variance[0] == 4
    np.testing.assert_allclose(got.skewness, 6 / 3**1.5)
    np.testing.assert_allclose(got.kurtosis, 21 / 9)
    assert got.share_positive[0] == 0.25


@pytest.mark.parametrize("shape", [(3, 5), (3, 1), (4,), (4, 1, 4)])
def test_values_of_another_shape_are_refused_and_count_for_nothing(shape: tuple[int, ...]) -> None:
    moments = Moments(4)
    with unchecked(), pytest.raises(ValueError, match=r"write one of shape \[positions, 4\]"):
        moments.add(np.ones(shape))
    assert moments.n == 0
