"""Correlations from streaming sums, against numpy over all places at once."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.universal.correlation import (
    Copy,
    Correlator,
    best,
    rotated_best,
    same,
)
from clampsweep.studies.universal.elsewhere import shifted_places, swapped_places
from clampsweep.studies.universal.rotation import GAUSSIAN, ORTHOGONAL, rotation

A, LAYERS, D = 7, 2, 5
LENGTHS = (30, 1, 0, 50, 19)


def values(seed: int, width: int, places: int = 100) -> np.ndarray:
    """Activations with heavy tails, far from 0."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((places, width)) @ rng.standard_normal((width, width))
    return (mixed**3 / 9 + 5 * rng.standard_normal(width)).astype(np.float32)


def fed(own: np.ndarray, other: np.ndarray, copies: list[Copy], seed: int = 3) -> Correlator:
    """A correlator that was given the sequences in two batches."""
    running = Correlator(own.shape[1], LAYERS, D, copies, seed)
    first = sum(LENGTHS[:3])
    running.add(own[:first], other[:first], LENGTHS[:3])
    running.add(own[first:], other[first:], LENGTHS[3:])
    return running


def test_the_best_match_is_numpys() -> None:
    own, other = values(0, A), values(1, LAYERS * D)
    found = best(fed(own, other, []).finish())
    full = np.corrcoef(own.T.astype(float), other.T.astype(float))[:A, A:]
    np.testing.assert_allclose(found.corr, full.max(1), atol=1e-6)
    np.testing.assert_array_equal(found.at, full.argmax(1))


def test_a_permuted_copy_gives_1_and_the_permutation() -> None:
    own = values(0, LAYERS * D)
    order = np.random.default_rng(5).permutation(LAYERS * D)
    found = best(fed(own, own[:, order], []).finish())
    np.testing.assert_allclose(found.corr, 1, atol=1e-6)
    np.testing.assert_array_equal(order[found.at], np.arange(LAYERS * D))


@pytest.mark.parametrize("kind", [GAUSSIAN, ORTHOGONAL])
def test_the_rotated_baseline_is_that_of_rotated_activations(kind: str) -> None:
    own, other = values(0, A), values(1, LAYERS * D)
    found = rotated_best(fed(own, other, []).finish(), A, kind, np.random.default_rng(8))
    rng = np.random.default_rng(8)
    turns = [rotation(kind, D, rng) for _ in range(LAYERS)]
    rotated = [other[:, D * at : D * (at + 1)] @ turn.T for at, turn in enumerate(turns)]
    full = np.corrcoef(own.T, np.concatenate(rotated, axis=1).T)[:A, A:]
    np.testing.assert_allclose(found, full.max(1), atol=2e-4)


def test_a_rotated_copy_has_no_excess_and_an_unrotated_one_has() -> None:
    rng = np.random.default_rng(0)
    d, places = 64, 4000
    sparse = np.maximum(rng.standard_normal((places, d)) - 1, 0).astype(np.float32)
    turn = rotation(ORTHOGONAL, d, rng)
    excess = []
    for other in (sparse @ turn.T, sparse):
        running = Correlator(d, 1, d)
        running.add(sparse, other, [places])
        products = running.finish()
        corr, baseline = best(products).corr, rotated_best(products, d, ORTHOGONAL, rng)
        excess.append(float((corr - baseline).mean()))
    assert abs(excess[0]) < 0.03
    assert excess[1] > 0.5


@pytest.mark.parametrize("swapped", [False, True])
def test_copies_are_correlated_at_other_places(swapped: bool) -> None:
    own, other = values(0, A), values(1, LAYERS * D)
    some = np.array([1, 4])
    products = fed(own, other, [Copy(np.arange(A), swapped), Copy(some, swapped)]).finish()
    rng = np.random.default_rng(3)
    ways = {False: shifted_places, True: swapped_places}
    first = sum(LENGTHS[:3])
    moved: list[list[np.ndarray]] = [[], []]
    for start, lengths in ((0, LENGTHS[:3]), (first, LENGTHS[3:])):
        for at in range(2):
            moved[at].append(start + ways[swapped](lengths, rng))
    parts = [own, own[np.concatenate(moved[0])], own[np.concatenate(moved[1])][:, some]]
    n = 2 * A + 2
    full = np.corrcoef(np.concatenate(parts, axis=1).T, other.T)[:n, n:]
    np.testing.assert_allclose(best(products).corr, full.max(1), atol=1e-5)
    np.testing.assert_allclose(best(products, A, 2 * A).corr, full[A : 2 * A].max(1), atol=1e-5)


def test_a_neuron_is_held_against_its_namesake() -> None:
    own, other = values(0, A), values(1, LAYERS * D)
    layer, neuron = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 3, 4, 1, 0, 2, 4])
    found = same(fed(own, other, []).finish(), layer, neuron)
    full = np.corrcoef(own.T, other.T)[:A, A:]
    np.testing.assert_allclose(found, full[np.arange(A), layer * D + neuron], atol=1e-5)


def test_constant_neurons_match_nothing_and_nothing_matches_them() -> None:
    own, other = values(0, A), values(1, LAYERS * D)
    own[:, 2], other[:, 6] = 700.3, -0.1
    products = fed(own, other, []).finish()
    found = best(products)
    assert np.isnan(found.corr[2])
    assert np.isfinite(np.delete(found.corr, 2)).all()
    assert 6 not in found.at[np.arange(A) != 2]
    assert np.isnan(rotated_best(products, A, GAUSSIAN, np.random.default_rng(0))[2])


def test_nothing_was_added() -> None:
    assert np.isnan(best(Correlator(A, LAYERS, D).finish()).corr).all()


def test_what_it_gives_does_not_depend_on_labels() -> None:
    """Neurons of the other model in another order give the same correlations."""
    own, other = values(0, A), values(1, LAYERS * D)
    order = np.random.default_rng(1).permutation(LAYERS * D)
    found = [best(fed(own, one, []).finish()).corr for one in (other, other[:, order])]
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)
