"""Planted features: which neurons, from which value on, with how many labels wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.universal.features.planted import SHARE, draw, labels, noise, thresholds


def test_planted_neurons_are_different_ones_that_are_alive() -> None:
    alive = np.ones((3, 10), dtype=bool)
    alive[1] = False
    found = draw(3, 10, 50, alive, 0)
    assert len(found) == 20
    assert not (found["layer"] == 1).any()
    assert not found.duplicated(["layer", "neuron"]).any()
    assert draw(3, 10, 5, alive, 0).equals(draw(3, 10, 5, alive, 0))
    assert not draw(3, 10, 5, alive, 0).equals(draw(3, 10, 5, alive, 1))


def test_a_neuron_fires_on_the_side_of_its_heavier_tail() -> None:
    values = np.random.default_rng(0).exponential(size=(10_000, 2)) * [1, -1]
    found = thresholds(pd.DataFrame({"feature": ["0", "1"]}), values)
    assert found["sign"].tolist() == [1, -1]
    np.testing.assert_allclose(found["threshold"], -np.log(SHARE), rtol=0.05)


def test_a_fifth_of_the_labels_are_wrong_and_copies_are_the_labels_shifted() -> None:
    values = np.random.default_rng(0).standard_normal((40, 200, 2))
    planted = thresholds(pd.DataFrame({"feature": ["0", "1"]}), values.reshape(-1, 2))
    own, copies = labels(planted, values, noise(40, 200, 2, 0))
    fires = values * planted["sign"].to_numpy() > planted["threshold"].to_numpy()
    assert abs((own & ~fires).sum() / own.sum() - 0.2) < 0.05
    assert abs(own.mean() - SHARE) < 0.005
    assert (copies.sum(1) == own.sum(1)).all()
    shared = (copies & own).sum() / own.sum()
    assert shared < 0.12  # as many as chance gives
