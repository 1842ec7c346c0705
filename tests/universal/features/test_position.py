"""Mutual information of firing and position, against entropies."""

from __future__ import annotations

import numpy as np
from scipy.stats import entropy

from clampsweep.studies.universal.features.position import (
    BINS,
    against_shifts,
    bins,
    counted,
    information,
)


def test_information_is_entropy_that_is_gone_once_firing_is_known() -> None:
    rng = np.random.default_rng(0)
    fires = rng.random((30, 48, 3)) < np.linspace(0.1, 0.9, 48)[None, :, None] ** [1, 3, 0.2]
    at = bins(48)
    n = np.bincount(at) * 30
    found = information(counted(fires), n)
    for neuron in range(3):
        joint = np.stack([counted(fires)[:, neuron], n - counted(fires)[:, neuron]])
        alone = entropy(joint.sum(0), base=2) + entropy(joint.sum(1), base=2)
        np.testing.assert_allclose(found[neuron], alone - entropy(joint.ravel(), base=2))


def test_bins_are_neighbouring_positions_equally_many() -> None:
    assert np.bincount(bins(252)).tolist() == [21] * BINS
    assert bins(5).tolist() == [0, 1, 2, 3, 4]


def test_a_neuron_of_position_is_found_and_others_are_not() -> None:
    rng = np.random.default_rng(1)
    fires = rng.random((24, 48, 41)) < 0.3
    fires[:, :, 0] = np.arange(48) < 12
    fires[:, :, 1] = False
    found = against_shifts(fires, 99, 0)
    assert found["p"][0] == 0.01
    assert found["low"][0] > found["null"][0]
    assert found["mi_confirmation"][1] == 0 and found["p"][1] == 1
    assert (found["p"][1:] < 0.05).sum() <= 6  # of 40, two are expected
    assert found["firing_first"][0] == 1 and found["firing_last"][0] == 0
