"""Mean differences against planted directions and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.steering.vectors import (
    cosine_matrix,
    mean_difference,
    random_vectors,
    shuffled,
)
from shapes import unchecked


def planted(n: int, d_model: int = 64, noise: float = 1.0, seed: int = 0):
    """Residuals of pairs that share what is talked about and differ by one direction."""
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal(d_model)
    topic = 5 * rng.standard_normal((n, d_model))
    drawn = noise * rng.standard_normal((2, n, d_model))
    return topic + direction + drawn[0], topic + drawn[1], direction


def test_a_planted_direction_is_recovered():
    match, nonmatch, direction = planted(60, noise=0.5)
    found = mean_difference(match, nonmatch)
    cosine = found.vector @ direction / np.linalg.norm(direction) / found.norm
    assert cosine > 0.95
    assert found.norm == pytest.approx(np.linalg.norm(direction), rel=0.1)


def test_coherence_is_the_mean_cosine_with_the_other_pairs():
    match, nonmatch, _ = planted(7)
    found, wanted = mean_difference(match, nonmatch), []
    for at in range(7):
        rest = [match[one] - nonmatch[one] for one in range(7) if one != at]
        mean, own = sum(rest) / 6, match[at] - nonmatch[at]
        wanted.append(own @ mean / np.linalg.norm(own) / np.linalg.norm(mean))
    assert found.coherence == pytest.approx(np.mean(wanted))


def test_alternating_signs_have_a_negative_coherence():
    """As letters have: the answer is (A) in one pair, (B) in the next."""
    signs = np.array([1.0, -1.0] * 4)[:, None]
    step = np.random.default_rng(0).standard_normal(16)
    assert mean_difference(signs * step, np.zeros((8, 16))).coherence == pytest.approx(-1)


def test_separation_is_that_of_answers_along_the_others_vector():
    match, nonmatch, _ = planted(5, d_model=3)
    along = []
    for at in range(5):
        rest = [one for one in range(5) if one != at]
        unit = (match[rest] - nonmatch[rest]).mean(0)
        unit /= np.linalg.norm(unit)
        along.append((match[at] @ unit, nonmatch[at] @ unit))
    one, other = np.array(along).T
    wanted = (one.mean() - other.mean()) / np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 2)
    assert mean_difference(match, nonmatch).separation == pytest.approx(wanted)


def test_one_pair_has_a_vector_and_nothing_to_agree_with():
    found = mean_difference(np.ones((1, 3)), np.zeros((1, 3)))
    assert found.vector.tolist() == [1, 1, 1]
    assert np.isnan([found.coherence, found.separation]).all()


def test_shuffled_labels_leave_little_of_a_vector():
    match, nonmatch, direction = planted(60, noise=0.1)
    lengths = [np.linalg.norm(shuffled(match, nonmatch, seed)) for seed in range(20)]
    assert max(lengths) < 0.05 * np.linalg.norm(direction)


def test_random_vectors_have_the_length_asked_for_and_no_common_direction():
    drawn = random_vectors(200, 3.0, 64, 0)
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 3)
    assert np.linalg.norm(drawn.mean(0)) < 3 * 2 / np.sqrt(200)
    np.testing.assert_array_equal(drawn, random_vectors(200, 3.0, 64, 0))


def test_cosines_are_those_by_hand():
    found = cosine_matrix(np.array([[2.0, 0], [1, 1], [-3, 0]]))
    half = 1 / np.sqrt(2)
    np.testing.assert_allclose(found, [[1, half, -1], [half, 1, -half], [-1, -half, 1]])


@pytest.mark.parametrize(
    ("match", "nonmatch"),
    [(np.ones((2, 3)), np.ones((3, 3))), (np.ones((0, 3)), np.ones((0, 3))),
     (np.full((2, 3), np.inf), np.ones((2, 3)))],
)  # fmt: skip
def test_other_residuals_are_refused(match, nonmatch):
    with unchecked(), pytest.raises(ValueError):
        mean_difference(match, nonmatch)
