"""Chosen neurons against their layer and against neurons of like weights."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.contrasts import (
    NOTHING,
    Population,
    beyond,
    contrast,
    dominance,
    drawn,
    match,
)


def population(rng: np.random.Generator, n_layers: int = 3, d: int = 60, n: int = 8) -> Population:
    """`n` neurons of each layer chosen by lot."""
    layer = np.repeat(np.arange(n_layers), d)
    chosen = np.concatenate([rng.permutation(d) < n for _ in range(n_layers)])
    return Population(layer, np.exp(rng.standard_normal(len(layer))), chosen)


def test_dominance_counts_those_below_less_those_above() -> None:
    found = dominance(np.array([0.0, 2.0, 5.0]), np.array([1.0, 2.0, 2.0, 3.0]))
    np.testing.assert_allclose(found, [-1.0, (1 - 1) / 4, 1.0])


def test_delta_is_mann_whitneys_in_a_layer() -> None:
    rng = np.random.default_rng(0)
    one = population(rng, n_layers=1)
    values = rng.standard_normal(60) + one.chosen
    u = stats.mannwhitneyu(values[one.chosen], values[~one.chosen]).statistic
    found = contrast(values, one, 0)
    assert found.delta == pytest.approx(2 * u / (8 * 52) - 1)
    assert found.low < found.delta < found.high


def test_layers_are_not_mixed() -> None:
    """A measure that differs between layers alone tells nothing of the chosen."""
    rng = np.random.default_rng(0)
    layer = np.repeat([0, 1], 50)
    chosen = np.concatenate([np.arange(50) < 2, np.arange(50) < 25])
    one = Population(layer, rng.random(100), chosen)
    found = contrast(layer * 10.0, one, 0)
    assert found.delta == found.matched == 0
    assert found.p == 1


def test_the_nearest_in_norm_of_the_same_layer_that_are_not_chosen() -> None:
    norm = np.array([1.0, 2.0, 4.9, 1.1, 2.1, 4.1, 1.0, 0.5])
    layer = np.array([0, 0, 0, 0, 0, 0, 1, 1])
    chosen = np.array([True, False, False, False, True, False, True, False])
    sets = match(Population(layer, norm, chosen), 2)
    assert sets.own.tolist() == [0, 4]  # the layer of the third has too few others
    assert sets.like.tolist() == [[3, 1], [1, 3]]


def test_what_norm_alone_makes_is_gone_among_the_matched() -> None:
    rng = np.random.default_rng(0)
    d = 500
    norm = np.exp(rng.standard_normal(2 * d))
    chosen = rng.random(2 * d) < 0.1 * norm / norm.max() + 0.02 * (norm > 2)
    one = Population(np.repeat([0, 1], d), norm, chosen)
    found = contrast(np.log(norm) + 0.3 * rng.standard_normal(2 * d), one, 0)
    assert found.low > 0.2
    assert found.matched_low < 0.1 < found.delta
    assert abs(found.matched) < found.delta / 3


def test_the_interval_covers_and_the_test_holds_where_there_is_nothing() -> None:
    """200 simulations: labels at random are seldom sure."""
    rng = np.random.default_rng(0)
    found = []
    for seed in range(200):
        one = population(rng, n_layers=3, n=10)
        found.append(contrast(stats.t.rvs(3, size=180, random_state=rng), one, seed))
    p = np.array([one.p for one in found])
    sure = np.array(
        [one.p < 0.05 and not one.matched_low <= 0 <= one.matched_high for one in found]
    )
    misses = np.array([not one.low <= 0 <= one.high for one in found])
    assert sure.mean() <= 0.09  # 0.05 and two standard errors
    assert 0.3 < np.median(p) < 0.7
    assert misses.mean() <= 0.13


def test_a_difference_is_found() -> None:
    rng = np.random.default_rng(1)
    one = population(rng, n=15)
    found = contrast(rng.standard_normal(180) + 1.0 * one.chosen, one, 0)
    assert found.p == pytest.approx(1 / 1000)
    assert found.matched_low > 0.2
    assert (found.n, found.n_layers) == (45, 3)


def test_neurons_without_the_measure_do_not_count() -> None:
    rng = np.random.default_rng(2)
    one = population(rng)
    values = rng.standard_normal(180)
    known = rng.random(180) < 0.7
    part = Population(*(column[known] for column in one))
    assert contrast(np.where(known, values, np.nan), one, 0) == contrast(values[known], part, 0)


def test_nothing_is_chosen() -> None:
    one = population(np.random.default_rng(0), n=0)
    np.testing.assert_equal(contrast(np.ones(180), one, 0), NOTHING)


def test_whole_layers_are_drawn_where_there_are_five() -> None:
    layers = np.repeat(np.arange(6), 10)
    units = np.stack([layers.astype(float), np.ones(60)], 1)
    few = layers < 4
    within, over = drawn(units[few], layers[few], 0), drawn(units, layers, 0)
    assert np.ptp(within[:, 0]) == 0  # neurons of a layer are alike
    assert np.ptp(over[:, 0]) > 0
    assert set(over[:, 1]) == {60.0}


def test_groups_that_are_the_same_do_not_differ() -> None:
    rng = np.random.default_rng(0)
    one = population(rng)
    values = rng.standard_normal(180) + 2.0 * one.chosen
    same = beyond(values, one, one, 0)
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)
    other = one._replace(chosen=population(rng).chosen & ~one.chosen)
    found = beyond(values, one, other, 0)
    assert found.low > 0.4
    assert found.p < 0.01
    assert np.isnan(beyond(values, one, one._replace(chosen=one.chosen & False), 0).value)
