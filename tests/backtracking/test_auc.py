"""Areas against pairs that are counted one by one, and draws against samples drawn one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from backtracking.matched import by_pairs
from clampsweep.studies.backtracking.auc import Counts, auc, counts, drawn, interval, weights


@given(
    hn.arrays(
        np.int64, st.tuples(st.integers(2, 12), st.integers(1, 3)), elements=st.integers(0, 4)
    ),
    st.randoms(use_true_random=False),
)
def test_the_area_of_each_column_is_the_share_of_pairs_ties_half(values, random):
    y = np.array([True, False] + [random.random() < 0.5 for _ in range(len(values) - 2)])
    found = auc(values.astype(float), y)
    assert found.tolist() == pytest.approx([by_pairs(one, y) for one in values.T])


def test_scores_turned_round_have_the_rest_of_the_area():
    rng = np.random.default_rng(0)
    scores, y = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.4
    assert auc(scores, y) + auc(-scores, y) == pytest.approx(1)


def _samples(seed, n_problems=7):
    """Scores with ties, labels and problems; problem 3 has no event, problem 5 no control."""
    rng = np.random.default_rng(seed)
    problems = np.repeat(np.arange(n_problems), rng.integers(2, 6, n_problems))
    y = rng.random(len(problems)) < 0.4
    y[problems == 3], y[problems == 5] = False, True
    return rng.integers(0, 6, len(problems)).astype(float), y, problems


def test_counts_are_pairs_of_problems_counted_one_by_one():
    scores, y, problems = _samples(1)
    found = counts(scores, y, problems)
    for a in range(7):
        for b in range(7):
            events, controls = scores[y & (problems == a)], scores[~y & (problems == b)]
            assert found.pairs[a, b] == len(events) * len(controls)
            if found.pairs[a, b]:
                both = [*events, *controls]
                own = by_pairs(both, [True] * len(events) + [False] * len(controls))
                assert found.above[a, b] == pytest.approx(own * found.pairs[a, b])
            else:
                assert found.above[a, b] == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_area_of_a_draw_is_that_of_the_samples_of_the_problems_drawn(seed):
    scores, y, problems = _samples(seed)
    times = weights(7, seed, draws=60)
    found = drawn(counts(scores, y, problems), times)
    for area, draw in zip(found, times.astype(int), strict=True):
        taken = [
            at
            for problem in np.repeat(np.arange(7), draw)
            for at in np.flatnonzero(problems == problem)
        ]
        if 0 < y[taken].sum() < len(taken):
            assert area == pytest.approx(by_pairs(scores[taken], y[taken]))
        else:
            assert np.isnan(area)


def test_a_draw_takes_as_many_problems_as_there_are_each_as_likely():
    times = weights(6, 0)
    assert times.shape == (2000, 6)
    assert (times.sum(1) == 6).all()
    np.testing.assert_allclose(times.mean(0), 1, atol=0.1)
    assert times.var() == pytest.approx(5 / 6, abs=0.05)  # binomial, 6 draws at 1/6


def test_the_interval_is_the_middle_of_the_draws_that_have_both_classes():
    found = Counts(np.array([[0.0, 3.0], [0.0, 0.0]]), np.array([[0.0, 4.0], [0.0, 0.0]]))
    times = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0], [2.0, 1.0]])
    areas = drawn(found, times)  # events are in the one problem, controls in the other
    np.testing.assert_array_equal(np.isnan(areas), [False, True, True, False])
    assert interval(areas) == (0.75, 0.75)
    assert interval(np.arange(1001.0)) == (25.0, 975.0)


def test_an_interval_over_problems_holds_the_truth_about_as_often_as_it_says():
    """Scores of one problem share a part, which an interval over samples would not know of."""
    rng, truth, held = np.random.default_rng(0), 0.5, 0
    problems = np.repeat(np.arange(25), 4)
    y = np.tile([True, False, False, False], 25)
    for run in range(200):
        scores = np.repeat(rng.normal(size=25), 4) + rng.normal(size=100)
        low, high = interval(drawn(counts(scores, y, problems), weights(25, run, 300)))
        held += low <= truth <= high
    assert held >= 178  # 190 of 200 asked for; below 178 with probability 0.001
