"""Confirmation: true features pass, and features of nothing no more often than is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.universal.features.confirm import (
    Confirmed,
    by_rank,
    confirm,
    reductions,
    standardised,
)
from clampsweep.studies.universal.features.labels import Feature, Labels

SEQUENCES, LENGTH, SHIFTS = 24, 30, 39
BLOCKS, STRATA = np.repeat(np.arange(8), 3), np.repeat([0, 1], 4)


def texts(rng: np.random.Generator, n_features: int) -> Labels:
    """Labels that come in runs, more of them in some sequences than in others."""
    often = rng.uniform(0.05, 0.6, (SEQUENCES, 1, n_features))
    starts = rng.random((SEQUENCES, LENGTH, n_features)) < often
    values = starts | np.roll(starts, 1, axis=1)
    names = [Feature(str(at), "form", "") for at in range(n_features)]
    return Labels(names, values)


def neurons(rng: np.random.Generator, n: int) -> np.ndarray:
    """Values of neurons that know nothing of labels, but of their sequence and their past."""
    noise = rng.standard_normal((SEQUENCES, LENGTH, n))
    past = noise + 0.8 * np.roll(noise, 1, axis=1) + rng.standard_normal((SEQUENCES, 1, n))
    return (past**3).astype(np.float32)


def test_features_of_nothing_pass_no_more_often_than_is_said() -> None:
    """200 features that no neuron knows, each with the best of 30 neurons of another half."""
    p, q, fwer = [], [], []
    for simulation in range(10):
        rng = np.random.default_rng(simulation)
        discovery, half = texts(rng, 20), texts(rng, 20)
        best = reductions(discovery, standardised(neurons(rng, 30))).argmax(1)
        found = confirm(half, neurons(rng, 30), best.tolist(), BLOCKS, STRATA, SHIFTS, simulation)
        p += found.p.tolist()
        q.append((found.q < 0.05).any())
        fwer.append((found.p_fwer < 0.05).any())
    assert len(p) == 200
    assert np.mean(np.array(p) < 0.05) <= 0.09  # 0.05 and 2.6 standard errors
    assert abs(np.mean(p) - 0.5) < 0.08
    assert sum(q) <= 2
    assert sum(fwer) <= 2


def test_whole_texts_of_nothing_pass_no_more_often_than_is_said() -> None:
    rng = np.random.default_rng(5)
    whole = rng.permuted(np.tile(np.arange(8) < 3, (120, 1)), axis=1)[:, BLOCKS].T
    features = [Feature(str(at), "topic", "", whole=True) for at in range(120)]
    labels = Labels(features, np.tile(whole[:, None], (1, LENGTH, 1)))
    found = confirm(labels, neurons(rng, 120), list(range(120)), BLOCKS, STRATA, SHIFTS, 0)
    assert np.mean(found.p < 0.05) <= 0.1


@pytest.fixture(scope="module")
def told() -> tuple[Labels, np.ndarray, Confirmed]:
    """Ten features that a neuron tells, and ten that none does."""
    rng = np.random.default_rng(6)
    labels, values = texts(rng, 20), neurons(rng, 20)
    values[:, :, :10] = labels.values[:, :, :10] * 3 + rng.standard_normal((SEQUENCES, LENGTH, 10))
    return labels, values, confirm(labels, values, list(range(20)), BLOCKS, STRATA, SHIFTS, 0)


def test_planted_features_pass_and_the_others_do_not(
    told: tuple[Labels, np.ndarray, Confirmed],
) -> None:
    labels, values, found = told
    assert (found.p[:10] == 1 / (1 + SHIFTS)).all()
    assert (found.q[:10] <= 0.05).all()
    assert (found.p_fwer[:10] == 1 / (1 + SHIFTS)).all()
    assert (found.p_fwer >= found.p).all()
    assert (found.q[10:] > 0.05).all()
    assert (found.ends[:10, 0] > 0.2).all()
    for at in range(20):
        y, v = labels.values[:, :, at].ravel(), values[:, :, at].ravel().astype(float)
        b = y.mean()
        wanted = 1 - ((1 - b) * v[~y].var() + b * v[y].var()) / v.var()
        assert abs(found.vr[at] - wanted) < 1e-5
        assert found.ends[at, 0] <= found.vr[at] <= found.ends[at, 1]


def test_ranks_are_measured_on_confirmation(told: tuple[Labels, np.ndarray, Confirmed]) -> None:
    labels, values, found = told
    rows = pd.DataFrame(
        {"feature": ["1", "1"], "rank": [1, 2], "layer": [0, 3], "neuron": [7, 9],
         "value": [0.5, 0.1]}
    )  # fmt: skip
    own = by_rank(rows, labels, values, {(0, 7): 1, (3, 9): 12})
    assert own["vr_discovery"].tolist() == [0.5, 0.1]
    assert own["vr_confirmation"][0] == pytest.approx(found.vr[1], abs=1e-6)
    assert own["vr_confirmation"][1] < 0.05


def test_nothing_to_test_gives_nothing_and_a_constant_neuron_explains_nothing() -> None:
    empty = Labels([], np.zeros((SEQUENCES, LENGTH, 0), dtype=bool))
    values = np.full((SEQUENCES, LENGTH, 2), 3.7, dtype=np.float32)
    assert len(confirm(empty, values, [], BLOCKS, STRATA, SHIFTS, 0).p) == 0
    labels = texts(np.random.default_rng(0), 1)
    found = confirm(labels, values, [1], BLOCKS, STRATA, SHIFTS, 0)
    assert found.vr[0] == 0
    assert found.p[0] == 1
