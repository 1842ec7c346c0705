"""Swaps that are fitted without gradients, against what is planted, by hand, and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.names import MLP_POST
from clampsweep.studies.steering.ravel_methods import (
    Labelled,
    coordinates,
    diff_means,
    full,
    neurons,
    numbered,
    pca,
    random_subspace,
    sae,
    telling,
    within,
)

WIDTH, N = 12, 480
BASE, SOURCE = torch.arange(12.0).double(), 100 + torch.arange(12.0).double() ** 2


@pytest.fixture(scope="module")
def data():
    """Vectors whose values stand in a plane that is none of coordinates; more noise elsewhere."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    labels = rng.integers(0, 3, N)
    means = np.array([[3.0, 0], [-3, 0], [0, 4]])
    vectors = means[labels] @ axes[:, :2].T + 5 * rng.normal(size=(N, 4)) @ axes[:, 2:6].T
    vectors += 0.05 * rng.normal(size=(N, WIDTH))
    return Labelled(torch.from_numpy(vectors), labels), axes


def _projector(method):
    """The matrix of a linear swap: what becomes of a source where the base is nothing."""
    return method.swap(torch.zeros(WIDTH, WIDTH).double(), torch.eye(WIDTH).double()).numpy()


def test_swaps_by_hand():
    assert torch.equal(full().swap(BASE, SOURCE), SOURCE)
    swapped = coordinates(np.array([2, 5]))(BASE, SOURCE)
    wanted = BASE.clone()
    wanted[2], wanted[5] = 104, 125
    assert torch.equal(swapped, wanted)
    line = torch.zeros(12, 1).double()
    line[0], line[1] = 0.6, 0.8
    swapped = within(line)(BASE, SOURCE)
    # The difference is (100, 100, ...): along the line 140.
    assert swapped[:2].tolist() == pytest.approx([0 + 84, 1 + 112])
    assert torch.equal(swapped[2:], BASE[2:])
    rows = within(line)(torch.stack([BASE, BASE]), torch.stack([SOURCE, BASE]))
    assert torch.allclose(rows, torch.stack([swapped, BASE]))
    assert BASE.tolist() == list(range(12))  # left as it was


def test_a_random_subspace_is_one_of_its_size_and_of_its_seed():
    found = _projector(random_subspace(WIDTH, 4, 1))
    assert np.allclose(found @ found, found)
    assert np.trace(found) == pytest.approx(4)
    assert np.allclose(found, _projector(random_subspace(WIDTH, 4, 1)))
    assert not np.allclose(found, _projector(random_subspace(WIDTH, 4, 2)))


def test_difference_of_means_is_the_plane_of_the_values_and_the_components_are_not(data):
    labelled, axes = data
    plane = axes[:, :2] @ axes[:, :2].T
    found = diff_means(labelled, 8)
    assert found.size == 2  # three values
    # Means of 160 vectors are off by the noise: 5 / sqrt(160) against 3 to 4.
    assert np.linalg.norm(_projector(found) - plane, 2) < 0.5
    assert np.linalg.norm(_projector(pca(labelled, 2)) - plane, 2) > 0.9
    chosen = pca(labelled, 2, chosen=True)
    assert np.linalg.norm(_projector(chosen) - plane, 2) < 0.3
    assert (chosen.name, chosen.size) == ("pca_chosen", 2)


def test_with_two_values_it_is_the_line_of_the_difference(data):
    labelled, _ = data
    rows = labelled.labels < 2
    two = Labelled(labelled.vectors[rows], labelled.labels[rows])
    found, vectors = diff_means(two, 5), two.vectors.numpy()
    line = vectors[two.labels == 0].mean(0) - vectors[two.labels == 1].mean(0)
    assert found.size == 1
    assert np.allclose(_projector(found), np.outer(line, line) / (line @ line))


def test_components_are_those_of_the_covariance(data):
    labelled, _ = data
    values, vectors = np.linalg.eigh(np.cov(labelled.vectors.numpy().T))
    top = vectors[:, np.argsort(-values)[:3]]
    assert np.allclose(_projector(pca(labelled, 3)), top @ top.T)


def test_features_that_tell_an_attribute_are_found_at_any_scale():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    features = rng.normal(size=(200, 30)) * 100
    features[:, 7] = 1e-3 * (labels + 0.1 * rng.normal(size=200))
    features[:, 3] = 0  # of no spread
    assert telling(features, labels, 1).tolist() == [7]
    assert 7 in telling(features, labels, 5)
    assert len(telling(features, labels, 5)) == 5
    assert 3 not in telling(features, labels, 30)
    alone = np.where(np.arange(200) == 4, 9, labels)  # a value that one vector has
    assert telling(features, alone, 1).tolist() == [7]
    assert telling(features[:, [3]], labels, 3).tolist() == []
    assert telling(features, np.zeros(200, int), 3).tolist() == []


def test_neurons_are_the_coordinates_that_tell(data):
    rng = np.random.default_rng(2)
    labels = np.arange(90) % 3
    vectors = rng.normal(size=(90, WIDTH))
    vectors[:, 4] += 6 * (labels == 0)
    vectors[:, 9] += 6 * (labels == 1)
    found = neurons(Labelled(torch.from_numpy(vectors), labels), 2, MLP_POST)
    assert (found.name, found.point, found.size) == ("mlp_neurons", MLP_POST, 2)
    moved = found.swap(BASE, SOURCE) != BASE
    assert np.flatnonzero(moved.numpy()).tolist() == [4, 9]


class _Signs:
    """An autoencoder with two features a coordinate, what is above 0 and what below; it loses 1."""

    def encode(self, x):
        return torch.cat([x.relu(), (-x).relu()], dim=-1)

    def decode(self, f):
        width = f.shape[-1] // 2
        return f[..., :width] - f[..., width:] - 1


def test_features_of_an_autoencoder_are_swapped_and_its_error_stays():
    labels = np.arange(60) % 2
    vectors = np.random.default_rng(3).normal(size=(60, WIDTH))
    vectors[:, 6] = np.where(labels == 1, 5, -1)  # both features of it tell; the first is larger
    found = sae(_Signs(), Labelled(torch.from_numpy(vectors), labels), 2)
    assert (found.name, found.size) == ("sae", 2)
    base, source = torch.randn(2, 4, WIDTH, generator=torch.manual_seed(0)).double()
    wanted = base.clone()
    wanted[:, 6] = source[:, 6]
    assert torch.allclose(found.swap(base, source), wanted)
    assert torch.allclose(found.swap(base, base), base)


def test_values_are_numbered_in_their_order():
    assert numbered(["Peru", "Chile", "Peru"]).tolist() == [1, 0, 1]
