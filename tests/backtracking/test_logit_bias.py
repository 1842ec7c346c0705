"""The equal logit bias against softmax by brute force, and its place among effects."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import log_softmax, logsumexp

from clampsweep.studies.backtracking.logit_bias import biased, equal_bias, interval, problems, sums

LEXICON = [1, 4]


def _logits(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 7)) * 3


def _onset(logits):
    """Log-probability of the lexicon in each row."""
    return logsumexp(log_softmax(logits, axis=1)[:, LEXICON], axis=1)


def _with_bias(logits, bias):
    changed = logits.copy()
    changed[:, LEXICON] += bias
    return changed


@given(st.floats(-20, 20))
def test_the_change_is_that_of_a_softmax_with_the_bias_on_the_lexicons_logits(bias):
    logits = _logits(6)
    wanted = _onset(_with_bias(logits, bias)) - _onset(logits)
    np.testing.assert_allclose(biased(_onset(logits), bias), wanted, atol=1e-9)


def test_among_other_words_it_changes_nothing():
    logits, rest = _logits(5), [0, 2, 3, 5, 6]
    base, changed = (log_softmax(x[:, rest], axis=1) for x in (logits, _with_bias(logits, 4.0)))
    np.testing.assert_allclose(changed, base, atol=1e-12)


@pytest.mark.parametrize("lp", [-60.0, -1e-9, 0.0])
def test_the_rarest_and_the_surest_onset_have_a_change_too(lp):
    found = biased(np.array([lp]), 2.0)[0]
    assert math.isfinite(found) and found == pytest.approx(2.0 if lp == -60 else 0, abs=1e-6)


def _tables(events, controls, changes):
    """`bare` and `change` as `effects` makes them, of log-probabilities at events and controls."""
    n = len(events)
    bare = pd.DataFrame(
        {
            "match_id": [f"m{at}" for at in range(n)] * 2,
            "y": [1] * n + [0] * n,
            "problem_id": [f"p{at // 2}" for at in range(n)] * 2,
            "lp_onset": [*events, *controls],
        }
    ).set_index(["match_id", "y"])
    index = pd.Index([f"m{at}" for at in range(n)], name="match_id")
    return bare, pd.DataFrame({0: changes[1], 1: changes[0]}, index=index)


def test_a_set_that_is_a_logit_bias_is_no_other_than_the_equal_one():
    events, controls = _onset(_logits(8, 1)), _onset(_logits(8, 2))
    own = [biased(one, -1.3) for one in (events, controls)]
    bare, change = _tables(events, controls, own)
    found = equal_bias(bare, change, problems(bare, change.index))
    assert found["bias"] == pytest.approx(-1.3)
    assert found["bias_control"] == pytest.approx(own[1].mean())
    assert found["bias_gap"] == pytest.approx(0, abs=1e-9)
    assert found["bias_p"] == 1 and found["bias_low"] <= 1e-9 <= found["bias_high"] + 2e-9


def test_a_set_that_acts_at_events_alone_differs_from_the_bias_by_what_that_does_at_controls():
    events, controls = _onset(_logits(12, 3)), _onset(_logits(12, 4))
    rng = np.random.default_rng(5)
    own = rng.normal(-1, 0.1, 12), np.zeros(12)
    bare, change = _tables(events, controls, own)
    found = equal_bias(bare, change, problems(bare, change.index))
    # By hand: the bias by bisection, with softmax of two outcomes.
    low, high = -50.0, 50.0

    def moved(lp, bias):
        p = np.exp(lp)
        return np.log(p * np.exp(bias) / (p * np.exp(bias) + 1 - p)) - lp

    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if moved(events, middle).mean() < own[0].mean() else (low, middle)
        )
    assert found["bias"] == pytest.approx(low)
    gap = own[0] - own[1] - (moved(events, low) - moved(controls, low))
    assert found["bias_gap"] == pytest.approx(gap.mean())
    assert found["bias_control"] == pytest.approx(moved(controls, low).mean())
    assert found["bias_high"] < 0 and found["bias_p"] == pytest.approx(2 / 2**6)


def test_where_no_bias_changes_the_onset_as_much_there_is_none():
    events = np.full(4, math.log(0.9))
    bare, change = _tables(events, events, (np.full(4, 0.2), np.zeros(4)))  # above 1
    assert equal_bias(bare, change, problems(bare, change.index)) == {}


def test_an_interval_draws_problems_and_needs_two():
    values, of = np.array([1.0, 1.0, 4.0, 2.0]), np.array([0, 0, 1, 1])
    # Of two problems: both as the one (1), both as the other (3), or one of each (2).
    assert interval(values, of) == pytest.approx((1.0, 3.0))
    assert np.isnan(interval(values, np.zeros(4, int))).all()
    assert sums(values, of).tolist() == [[2.0], [6.0]]


def test_a_problem_has_a_number_in_the_order_of_its_first_event():
    bare, change = _tables(np.zeros(5), np.zeros(5), (np.zeros(5), np.zeros(5)))
    assert problems(bare, change.index[::-1]).tolist() == [0, 1, 1, 2, 2]
