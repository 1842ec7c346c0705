"""What neurons are held against: scores of samples that need no neuron, or all of a layer.

Every score is made on the split discover; what is chosen (a layer) is chosen on the split select.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Int
from sklearn.linear_model import LogisticRegression

from clampsweep.studies.backtracking.auc import auc

_STRENGTH = 0.01  # of a probe: inverse of its penalty, on standardised features


class Parts(NamedTuple):
    """Which samples are for what.

    Attributes:
        y: Whether each is an event.
        discover: Whether scores are made on it.
        select: Whether choices are made on it.
    """

    y: Bool[np.ndarray, " sample"]
    discover: Bool[np.ndarray, " sample"]
    select: Bool[np.ndarray, " sample"]


def token_score(tokens: Int[np.ndarray, " sample"], parts: Parts) -> Float64[np.ndarray, " sample"]:
    """Log-odds of an event given a token id, by how often it stands at events and controls.

    One is added to a token's count at controls, and at events as much of one as there are events
    for each control: so a token that was never seen has the odds of all.
    """
    events = Counter(tokens[parts.discover & parts.y].tolist())
    controls = Counter(tokens[parts.discover & ~parts.y].tolist())
    odds = sum(events.values()) / sum(controls.values())  # of all
    return np.array(
        [math.log((events[token] + odds) / (controls[token] + 1)) for token in tokens.tolist()]
    )


def oriented(
    scores: Float64[np.ndarray, " sample"], parts: Parts
) -> Float64[np.ndarray, " sample"]:
    """Scores turned so that events are the higher ones on the split discover."""
    area = float(auc(scores[parts.discover], parts.y[parts.discover]))
    return scores if area >= 0.5 else -scores


class LayerScore(NamedTuple):
    """A score that a layer gives: area on the split select, and every sample's score.

    Attributes:
        layer: The layer.
        chosen_by: Area on the split select.
        scores: Of the samples.
        direction: What the residual stream is projected on.
    """

    layer: int
    chosen_by: float
    scores: Float64[np.ndarray, " sample"]
    direction: Float64[np.ndarray, " d_model"]


def direction_score(
    layer: int, residual: Float[np.ndarray, "sample d_model"], parts: Parts
) -> LayerScore:
    """Residual stream along the difference of means of events and controls."""
    values = residual.astype(float)
    events, controls = parts.discover & parts.y, parts.discover & ~parts.y
    direction = values[events].mean(0) - values[controls].mean(0)
    return _layer_score(layer, values @ direction, parts, direction)


def probe_score(
    layer: int, residual: Float[np.ndarray, "sample d_model"], parts: Parts
) -> LayerScore:
    """Logistic regression on the standardised residual stream."""
    scores, weights = fitted(residual, parts)
    return _layer_score(layer, scores, parts, weights)


def _layer_score(
    layer: int,
    scores: Float64[np.ndarray, " sample"],
    parts: Parts,
    direction: Float64[np.ndarray, " d_model"],
) -> LayerScore:
    area = float(auc(scores[parts.select], parts.y[parts.select]))
    return LayerScore(layer, area, scores, direction)


def fitted(
    values: Float[np.ndarray, "sample feature"], parts: Parts
) -> tuple[Float64[np.ndarray, " sample"], Float64[np.ndarray, " feature"]]:
    """Log-odds of every sample by a logistic regression, and its weights.

    Args:
        values: Features; they are standardised by the split discover.
        parts: Which samples it is fitted on.
    """
    known = values[parts.discover].astype(float)
    mean, spread = known.mean(0), known.std(0)
    spread[spread == 0] = 1.0
    features = (values.astype(float) - mean) / spread
    model = LogisticRegression(C=_STRENGTH, max_iter=500, class_weight="balanced")
    model.fit(features[parts.discover], parts.y[parts.discover])
    return model.decision_function(features), model.coef_[0] / spread


def bare(samples: pd.DataFrame, parts: Parts) -> dict[str, Float64[np.ndarray, " sample"]]:
    """Scores that need no model: tokens and position, by name."""
    position = samples["offset"].to_numpy(float)
    return {
        "next token": token_score(samples["next_token"].to_numpy(), parts),
        "token before": token_score(samples["cur_token"].to_numpy(), parts),
        "position": oriented(position, parts),
    }
