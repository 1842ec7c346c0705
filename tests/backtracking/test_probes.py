"""Scores that need no neuron against counts by hand, and probes against their own optimum."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from backtracking.matched import by_pairs
from clampsweep.studies.backtracking.probes import (
    Parts,
    bare,
    direction_score,
    fitted,
    oriented,
    probe_score,
    token_score,
)

Y = np.array([1, 1, 0, 0, 0, 0, 0, 0] * 3, dtype=bool)
DISCOVER = np.arange(24) < 8
SELECT = (np.arange(24) >= 8) & (np.arange(24) < 16)
PARTS = Parts(Y, DISCOVER, SELECT)


def test_a_tokens_score_is_its_log_odds_in_the_split_discover_alone():
    # Of two events one has token 5 and one 6; of six controls four have 6 and two have 7.
    tokens = np.array([5, 6, 6, 6, 6, 6, 7, 7] + [5, 6, 7, 8] * 4)
    found = dict(zip(tokens.tolist(), token_score(tokens, PARTS).tolist(), strict=True))
    odds = 2 / 6
    assert found == pytest.approx(
        {
            5: math.log((1 + odds) / 1),
            6: math.log((1 + odds) / 5),
            7: math.log(odds / 3),
            8: math.log(odds),  # never seen: as of all
        }
    )
    assert found[7] < found[6] < found[5] and found[7] < found[8] < found[5]


def test_a_token_that_says_nothing_more_than_all_has_the_odds_of_all_however_often_it_stands():
    found = token_score(np.full(24, 3), PARTS)
    assert found.tolist() == pytest.approx([math.log(2 / 6)] * 24)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_score_is_turned_so_that_events_of_the_split_discover_are_higher(sign):
    scores = sign * np.where(Y, 1.0, 0.0)
    scores[16:] *= -1  # of the split test, which is not looked at
    found = oriented(scores, PARTS)
    assert by_pairs(found[:8], Y[:8]) == 1
    assert by_pairs(found[16:], Y[16:]) == 0


def _residual(rng, n=24, d=6):
    values = rng.normal(size=(n, d)).astype(np.float32)
    values[:, 2] += 2 * Y[:n]
    return values


def test_the_direction_is_the_difference_of_means_of_the_split_discover():
    values = _residual(np.random.default_rng(0))
    found = direction_score(3, values, PARTS)
    first = values[:8].astype(float)
    direction = first[:2].mean(0) - first[2:].mean(0)
    np.testing.assert_allclose(found.direction, direction)
    np.testing.assert_allclose(found.scores, [row @ direction for row in values.astype(float)])
    assert found.layer == 3
    assert found.chosen_by == pytest.approx(by_pairs(found.scores[8:16], Y[8:16]))


def test_a_probe_is_at_the_optimum_of_a_balanced_penalised_logistic_loss():
    rng = np.random.default_rng(1)
    y = rng.random(120) < 0.25
    values = rng.normal(size=(120, 5)).astype(np.float32) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 0, 0]
    values[:, 1] += 8 * y
    parts = Parts(y, np.arange(120) < 80, np.zeros(120, bool))
    scores, weights = fitted(values, parts)
    known = values[:80]
    features = (known - known.mean(0)) / known.std(0)
    coefficients = weights * known.std(0)
    # Gradient of C * sum of weighted losses + |w|^2 / 2, by hand.
    balance = np.where(y[:80], 80 / (2 * y[:80].sum()), 80 / (2 * (~y[:80]).sum()))
    slope = balance * (1 / (1 + np.exp(-scores[:80])) - y[:80])
    np.testing.assert_allclose(0.01 * slope @ features + coefficients, 0, atol=2e-4)
    assert abs(0.01 * slope.sum()) < 2e-4
    # Scores of all samples are one straight function of the values.
    offset = scores - values @ weights
    np.testing.assert_allclose(offset, offset[0], rtol=1e-6)


def test_a_feature_that_never_varies_does_no_harm():
    values = _residual(np.random.default_rng(2))
    values[:, 4] = 1.5
    scores, weights = fitted(values, PARTS)
    assert np.isfinite(scores).all() and weights[4] == 0 != weights[2]


def test_a_probe_finds_what_one_direction_of_means_does_not():
    """Of two features that carry the same noise only the difference tells."""
    rng = np.random.default_rng(3)
    y = np.arange(300) % 3 == 0
    common = 10 * rng.normal(size=300)
    values = np.stack([common + y, common - y], 1).astype(np.float32)
    values += 0.3 * rng.normal(size=values.shape)
    parts = Parts(y, np.arange(300) < 200, np.arange(300) >= 200)
    assert probe_score(0, values, parts).chosen_by > direction_score(0, values, parts).chosen_by


def test_bare_scores_are_of_the_token_at_the_onset_the_one_before_and_the_position():
    samples = pd.DataFrame(
        {
            "next_token": np.where(Y, 9, 5),
            "cur_token": np.tile([1, 2, 3, 4], 6),
            "offset": np.where(Y, 20, 70),
        }
    )
    found = bare(samples, PARTS)
    assert set(found) == {"next token", "token before", "position"}
    assert by_pairs(found["next token"][16:], Y[16:]) == 1
    assert by_pairs(found["position"][16:], Y[16:]) == 1  # earlier is higher here
    np.testing.assert_allclose(
        found["token before"], token_score(samples["cur_token"].to_numpy(), PARTS)
    )
