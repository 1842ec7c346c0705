"""Held-out areas against pairs counted one by one, permuted and drawn one by one."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from backtracking.matched import by_pairs, matched
from clampsweep.studies.backtracking.auc import weights
from clampsweep.studies.backtracking.held_areas import HELDOUT, PERMUTATIONS, Held
from clampsweep.studies.backtracking.ranking import Labels

SEED = 4


@pytest.fixture(scope="module")
def held():
    return Held("pred", matched(5, per_problem=2), SEED)


@pytest.fixture(scope="module")
def scores(held):
    rng = np.random.default_rng(1)
    return np.round(rng.normal(size=len(held.y)) + held.y, 1)


def _drawn(held, scores):
    """The area of the samples of each draw of problems, each as many times as it was drawn."""
    own = scores[held.test]
    problems = held.samples["problem_id"][held.test].to_numpy()
    places = [np.flatnonzero(problems == name).tolist() for name in dict.fromkeys(problems)]

    @functools.cache
    def area(draw):
        taken = [at for some, n in zip(places, draw, strict=True) for at in some * n]
        return by_pairs(own[taken], held.own_y[taken])

    return np.array([area(tuple(draw)) for draw in weights(5, SEED).astype(int).tolist()])


def test_a_row_is_the_area_of_the_split_test_alone(held, scores):
    row = held.row("a score", scores, 3, layer=7)
    own = scores[held.test]
    assert row["estimate"] == pytest.approx(by_pairs(own, held.own_y))
    assert (row["n1"], row["n0"], row["n_problems"]) == (10, 40, 5)
    assert (row["k"], row["layer"], row["null"]) == (3, 7, 0.5)
    assert set(row) == set(HELDOUT.columns)
    others = np.where(held.test, scores, -scores)  # what other splits hold is of no account
    assert held.row("a score", others, 3, layer=7) == row


def test_its_interval_is_that_of_a_bootstrap_over_problems_sample_by_sample(held, scores):
    row = held.row("a score", scores)
    ends = np.percentile(_drawn(held, scores), [2.5, 97.5])
    np.testing.assert_allclose((row["low"], row["high"]), ends)


def test_its_p_is_the_share_of_labels_permuted_within_matches_with_as_large_an_area(held, scores):
    row = held.row("a score", scores)
    own = scores[held.test]
    labels = Labels.of(held.samples[held.test], PERMUTATIONS, SEED).permuted
    hits = sum(by_pairs(own, y) >= row["estimate"] - 1e-9 for y in labels)
    assert row["p"] == pytest.approx((1 + hits) / 1000)


def test_p_is_of_one_side_a_score_that_is_lower_at_events_has_a_large_one(held, scores):
    assert held.row("a score", scores)["p"] < 0.05
    assert held.row("a score", -scores)["p"] > 0.95
    perfect = held.row("a score", held.y.astype(float))
    assert (perfect["estimate"], perfect["low"], perfect["p"]) == (1, 1, 0.001)


def test_a_difference_is_that_of_areas_in_the_same_draws(held, scores):
    other = np.roll(scores, 7)
    row = held.difference("one less another", scores, other, 5)
    both = [one[held.test] for one in (scores, other)]
    areas = [by_pairs(own, held.own_y) for own in both]
    assert row["estimate"] == pytest.approx(areas[0] - areas[1])
    gaps = _drawn(held, scores) - _drawn(held, other)
    np.testing.assert_allclose((row["low"], row["high"]), np.percentile(gaps, [2.5, 97.5]))
    share = 2 * min((gaps <= 0).mean(), (gaps >= 0).mean())
    assert row["p"] == pytest.approx(max(1 / 2000, min(1, share)))
    assert row["null"] == 0


def test_a_score_against_itself_differs_by_nothing(held, scores):
    row = held.difference("one less itself", scores, scores)
    assert (row["estimate"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)


def test_draws_and_labels_follow_the_seed(scores):
    rows = [Held("pred", matched(5, per_problem=2), seed).row("a", scores) for seed in (4, 4, 5)]
    assert rows[0] == rows[1] != rows[2]
