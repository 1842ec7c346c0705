"""Statistics of values against scipy, brute force and known distributions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.value_stats import (
    HIGHEST,
    LOWEST,
    N_EDGES,
    binned,
    l_kurtosis,
    product_null,
    shape_of,
    top_mean,
)

RNG = np.random.default_rng(0)


def test_moments_are_those_of_scipy():
    values = RNG.gamma(2, size=(130, 50)) + 5
    found = shape_of(values)
    assert found.mean == pytest.approx(values.mean(1))
    assert found.variance == pytest.approx(values.var(1))
    assert found.skewness == pytest.approx(stats.skew(values, axis=1), rel=1e-6)
    assert found.kurtosis == pytest.approx(stats.kurtosis(values, axis=1, fisher=False), rel=1e-6)
    single = shape_of(values.astype(np.float32))
    assert single.kurtosis == pytest.approx(found.kurtosis, rel=1e-4)


def test_constant_neurons_have_no_shape():
    found = shape_of(np.full((2, 9), 0.5))
    assert np.isnan(found.kurtosis).all() and (found.variance == 0).all()
    assert np.isnan(l_kurtosis(np.full((2, 9), 0.5))).all()


def test_l_kurtosis_by_all_subsets():
    values = RNG.normal(size=(3, 8)) ** 3
    for own, found in zip(values, l_kurtosis(values), strict=True):
        two = np.mean([(b - a) / 2 for a, b in itertools.combinations(np.sort(own), 2)])
        four = np.mean(
            [(d - 3 * c + 3 * b - a) / 4 for a, b, c, d in itertools.combinations(np.sort(own), 4)]
        )
        assert found == pytest.approx(four / two)


def test_l_kurtosis_of_known_distributions():
    n = 20_000
    found = l_kurtosis(np.stack([RNG.normal(size=n), RNG.uniform(size=n), RNG.exponential(size=n)]))
    assert found == pytest.approx([0.1226, 0, 1 / 6], abs=0.01)


def test_a_product_of_independent_gaussians_has_nine():
    gate, up = RNG.normal(size=(2, 40, 4000))
    null = product_null(up, gate * up, 4, np.random.default_rng(0))
    assert null.shape == (4, 40)
    assert null.mean() == pytest.approx(9, rel=0.05)
    assert shape_of(gate * up).kurtosis.mean() == pytest.approx(9, rel=0.1)  # nothing to find


def test_the_null_breaks_what_ties_gate_and_up():
    gate = RNG.normal(size=(20, 2000))
    own = shape_of(gate * gate).kurtosis  # of chi-square with one degree of freedom: 15
    null = product_null(gate, gate * gate, 5, np.random.default_rng(0))
    assert own.mean() > 1.3 * null.mean()


def test_one_draw_of_the_null_by_hand():
    up, post = RNG.normal(size=(2, 3, 30))
    up[0, 4] = 0
    post[0, 4] = 0
    order = np.random.default_rng(5).permutation(30)
    gate = np.where(up != 0, post / np.where(up == 0, 1, up), 0)
    wanted = stats.kurtosis(gate * up[:, order], axis=1, fisher=False)
    assert product_null(up, post, 1, np.random.default_rng(5))[0] == pytest.approx(wanted)


def test_bins_by_a_histogram():
    values = RNG.normal(0.5, 2, size=(4, 300))
    edges = np.linspace(LOWEST, HIGHEST, N_EDGES)
    middles, found = (edges[1:] + edges[:-1]) / 2, binned(values)
    for at, own in enumerate(values):
        counts = np.histogram(own, edges)[0]
        mean = (counts * middles).sum() / 300
        two, four = ((counts * (middles - mean) ** k).sum() / 300 for k in (2, 4))
        assert found.shape.mean[at] == pytest.approx(mean)
        assert found.shape.kurtosis[at] == pytest.approx(four / two**2)
        assert found.freq[at] == (own > -25 / 255).mean()
    assert (found.clipped == 0).all()


def test_what_lies_outside_the_bins_is_clipped():
    found = binned(np.array([[-20.0, 30, 0, -0.05, 0.05, -10, 15, -0.2, 1, 2]]))
    assert found.clipped.tolist() == [0.2]
    assert found.freq.tolist() == [0.7]  # 0 and -0.05 count, -0.2 does not
    assert binned(np.full((1, 5), 40.0)).shape.mean[0] == pytest.approx(HIGHEST - 25 / 255 / 2)


def test_the_mean_of_the_largest_is_that_of_a_sort():
    values = RNG.normal(size=(70, 500))
    found = top_mean(values, 0.01)
    for own, mean in zip(values, found, strict=True):
        assert mean == pytest.approx(own[np.argsort(-np.abs(own))[:5]].mean())
    assert top_mean(np.array([[1.0, -9, 3]]), 0.001).tolist() == [-9]
