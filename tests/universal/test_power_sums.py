"""Sums of powers against scipy in float64, on values that are hard for float32."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.models.moments import Moments, add_up
from clampsweep.studies.universal.power_sums import PowerSums

RNG = np.random.default_rng(0)

HARD = {
    "Gaussian": RNG.normal(size=(1000, 40)),
    "far from 0": RNG.normal(size=(1000, 40)) + 300,
    "small": 1e-5 * RNG.normal(size=(1000, 40)),
    "one outlier": np.where(np.arange(1000)[:, None] == 700, 3000, RNG.normal(size=(1000, 40))),
    "heavy tails": RNG.normal(size=(1000, 40)) * RNG.normal(size=(1000, 40)) ** 3,
    "first ones differ": np.where(np.arange(1000)[:, None] < 64, 8, 0)
    + RNG.normal(size=(1000, 40)),
}


@pytest.mark.parametrize("kind", HARD)
def test_float32_gives_scipys_moments_to_1e_6(kind):
    values = HARD[kind].astype(np.float32)
    own = PowerSums(40)
    for start, stop in ((0, 130), (130, 131), (131, 1000)):
        own.add(values[start:stop])
    sums, exact = own.sums, values.astype(np.float64)
    assert (sums.n == 1000).all()
    assert (sums.n_positive == (values > 0).sum(0)).all()
    assert sums.mean == pytest.approx(exact.mean(0), rel=1e-6, abs=1e-6 * exact.std())
    assert sums.variance == pytest.approx(exact.var(0, ddof=1), rel=1e-6)
    assert sums.kurtosis == pytest.approx(stats.kurtosis(exact, axis=0, fisher=False), rel=1e-6)
    # Of what adds up to it, without signs: what is above the mean may cancel what is below.
    size = (np.abs(exact - exact.mean(0)) ** 3).mean(0) / exact.std(0) ** 3
    assert (np.abs(sums.skewness - stats.skew(exact, axis=0)) <= 1e-6 * size).all()


def test_float64_gives_those_of_the_models():
    values = RNG.gamma(2, size=(300, 20))
    own, other = PowerSums(20), Moments(20)
    own.add(values)
    other.add(values)
    for got, wanted in zip(own.sums, other.sums, strict=True):
        assert got == pytest.approx(wanted, rel=1e-9)


def test_blocks_add_up_to_the_whole():
    values = RNG.normal(1, 2, size=(200, 5)).astype(np.float32)
    parts = []
    for some in np.split(values, 4):
        own = PowerSums(5)
        own.add(some)
        parts.append(own.sums)
    whole = PowerSums(5)
    whole.add(values)
    joined = add_up(type(whole.sums)(*(np.stack(part) for part in zip(*parts, strict=True))))
    assert joined.kurtosis[0] == pytest.approx(whole.sums.kurtosis, rel=1e-6)


def test_nothing_and_constants():
    empty = PowerSums(3)
    empty.add(np.empty((0, 3)))
    assert all((part == 0).all() for part in empty.sums)
    constant = PowerSums(3)
    constant.add(np.full((50, 3), 0.1, dtype=np.float32))
    assert np.isnan(constant.sums.kurtosis).all()
    assert constant.sums.mean == pytest.approx(np.full(3, 0.1))
