"""Random rotations: lengths, angles, and that no direction is special."""

import numpy as np
import pytest

from clampsweep.studies.universal.rotation import GAUSSIAN, ORTHOGONAL, rotation


def test_an_orthogonal_one_keeps_all_lengths_and_angles() -> None:
    turn = rotation(ORTHOGONAL, 40, np.random.default_rng(0))
    np.testing.assert_allclose(turn @ turn.T, np.eye(40), atol=1e-5)


def test_the_papers_has_rows_of_length_1_that_are_not_orthogonal() -> None:
    turn = rotation(GAUSSIAN, 40, np.random.default_rng(0))
    np.testing.assert_allclose((turn**2).sum(1), 1, rtol=1e-5)
    assert np.abs(turn @ turn.T - np.eye(40)).max() > 0.1


def test_orthogonal_ones_are_uniform() -> None:
    rng = np.random.default_rng(0)
    turns = np.array([rotation(ORTHOGONAL, 3, rng) for _ in range(4000)])
    # Haar: mean 0, every square 1/3 on average, fourth power 3 / (3 * 5).
    np.testing.assert_allclose(turns.mean(0), 0, atol=0.04)
    np.testing.assert_allclose((turns**2).mean(0), 1 / 3, atol=0.03)
    np.testing.assert_allclose((turns**4).mean(0), 1 / 5, atol=0.03)
    assert abs(np.linalg.det(turns).mean()) < 0.06  # QR alone gives one sign


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="'shear'"):
        rotation("shear", 3, np.random.default_rng(0))
