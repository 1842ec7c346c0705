"""Variance reduction against its definition, and intervals against repeated draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.studies.universal.features.variance import Sums, block_sums, intervals


def by_definition(y: np.ndarray, v: np.ndarray) -> float:
    """1 - [(1 - b) var(v | y=0) + b var(v | y=1)] / var(v), as the paper writes it."""
    b = y.mean()
    return float(1 - ((1 - b) * v[~y].var() + b * v[y].var()) / v.var())


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    """Labels [row, feature] and values [row, neuron], some of which go together."""
    rng = np.random.default_rng(0)
    labels = rng.random((400, 3)) < [0.05, 0.4, 0.9]
    values = rng.standard_normal((400, 5)) ** 3
    values[:, 1] += 4 * labels[:, 0]
    values[:, 2] -= labels[:, 1]
    return labels, values


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
def test_sums_over_passes_give_the_paper_s_variance_reduction(
    data: tuple[np.ndarray, np.ndarray], kind: type
) -> None:
    labels, values = data
    sums = Sums(3, 5)
    for start in range(0, 400, 90):
        rows = kind(labels[start : start + 90].astype(float))
        sums.count(rows)
        for at in (slice(0, 2), slice(2, 5)):
            sums.add(rows, kind(values[start : start + 90, at].copy()), at)
    wanted = [[by_definition(labels[:, f], values[:, n]) for n in range(5)] for f in range(3)]
    np.testing.assert_allclose(sums.reductions(slice(0, 5)), wanted, atol=1e-10)
    r = np.corrcoef(labels[:, 0], values[:, 1])[0, 1]
    np.testing.assert_allclose(sums.correlations(slice(1, 2))[0, 0], r, atol=1e-10)


def test_a_constant_neuron_and_a_feature_without_positives_explain_nothing() -> None:
    sums = Sums(2, 2)
    labels = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    sums.count(labels)
    sums.add(labels, np.array([[3.1, 1.0], [3.1, 2.0], [3.1, 1.5]]), slice(0, 2))
    found = sums.reductions(slice(0, 2))
    assert found[0].tolist() == [0, 0]
    assert found[1, 0] == 0
    assert found[1, 1] > 0


def test_block_sums_are_sums_by_block() -> None:
    y, v = np.array([[1.0], [0.0], [1.0]]), np.array([[2.0], [3.0], [5.0]])
    found = block_sums(y, v, np.array([0, 0, 1]))
    assert found[:, 0].tolist() == [[2, 1, 5, 13, 2], [1, 1, 5, 25, 5]]


def test_an_interval_holds_the_true_value_about_95_times_in_100() -> None:
    rng = np.random.default_rng(3)
    n_draws, blocks, strata, rows = 400, 12, np.repeat([0, 1], 6), 40
    y = rng.random((blocks * rows, n_draws)) < 0.3
    shared = np.repeat(rng.standard_normal((blocks, n_draws)), rows, axis=0)  # blocks differ
    v = 1.5 * y + 0.5 * shared + rng.standard_normal(y.shape)
    true = 0.21 * 1.5**2 / (0.21 * 1.5**2 + 0.25 + 1)
    sums = block_sums(y.astype(float), v, np.repeat(np.arange(blocks), rows))
    ends = intervals(sums, strata)
    share = ((ends[:, 0] <= true) & (true <= ends[:, 1])).mean()
    assert 0.9 < share < 0.985


def test_an_interval_of_nothing_begins_at_0_and_one_block_a_stratum_gives_none() -> None:
    rng = np.random.default_rng(4)
    y = (rng.random((600, 60)) < 0.3).astype(float)
    sums = block_sums(y, rng.standard_normal(y.shape), np.repeat(np.arange(12), 50))
    ends = intervals(sums, np.repeat([0, 1, 2], 4))
    assert (ends[:, 0] == 0).mean() > 0.85
    assert np.isnan(intervals(sums, np.arange(12))).all()
