"""Measures of neurons by brute force over the values; units; top neurons."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.jackknife import all_but_one, estimate
from clampsweep.studies.universal.measures import (
    MEASURES,
    defined,
    each,
    in_units_of,
    median_difference,
    retention,
)
from universal.blocks import exchangeable, sums_of

VALUES = exchangeable(np.random.default_rng(0), 5) + 0.3


def test_measures_of_draws_are_those_of_the_values_in_them():
    known = exchangeable(np.random.default_rng(1), 6) * 2 - 1
    (own,) = in_units_of(sums_of(known), sums_of(VALUES))
    found = each(MEASURES["gate"], own, all_but_one(5))
    spread = known.reshape(-1, 60).std(0, ddof=1)
    for draw in range(6):
        flat = (np.delete(VALUES, draw - 1, 0) if draw else VALUES).reshape(-1, 60)
        kurt = stats.kurtosis(flat, axis=0, fisher=False)
        assert found["kurt"][draw] == pytest.approx(np.log(kurt))
        assert found["freq"][draw] == pytest.approx(np.log((flat > 0).mean(0)))
        assert found["mean"][draw] == pytest.approx(flat.mean(0) / spread)


def test_many_neurons_are_taken_in_parts():
    wide = np.tile(VALUES, 20)  # 1,200 neurons
    found = each(MEASURES["post"], sums_of(wide), all_but_one(5))["kurt"]
    assert found.shape == (6, 1200)
    np.testing.assert_allclose(found[:, 1140:], found[:, :60], rtol=1e-12)


def test_what_is_not_defined_is_left_out():
    values = VALUES.copy()
    values[:, :, 0] = 1.0  # constant
    values[:, :, 1] = -1 - np.abs(values[:, :, 1])  # never above 0
    found = each(MEASURES["gate"], sums_of(values), all_but_one(5))
    assert np.isnan(found["kurt"][:, 0]).all() and np.isnan(found["freq"][:, 1]).all()
    new, known = defined(found["kurt"], found["freq"])
    assert new.shape == known.shape == (6, 58)
    assert np.isnan(median_difference(new[:, :0], known[:, :0]).value)


def test_the_median_difference_by_hand():
    rng = np.random.default_rng(2)
    new, known = rng.normal(size=(4, 9)), rng.normal(size=(3, 9))
    groups = (
        [np.median(new[at] - known[0]) for at in (1, 2, 3)],
        [np.median(new[0] - known[at]) for at in (1, 2)],
    )
    assert median_difference(new, known) == estimate(np.median(new[0] - known[0]), groups)


def test_top_neurons_are_all_found_or_by_chance():
    rng = np.random.default_rng(3)
    known = rng.normal(size=20_000)
    assert retention(known, known) == 1
    assert retention(-known, known) == 0
    assert retention(rng.normal(size=20_000), known) == pytest.approx(0.05, abs=0.04)
    new = known.copy()
    new[np.argsort(-known)[:50]] = -9  # of the 200 at the top
    assert retention(new, known) == 0.75
    assert np.isnan(retention(np.array([np.nan]), np.array([1.0])))
