"""Area under the ROC curve of a score: how often an event's is above a control's, 0..1.

Ties count half. Intervals draw problems anew, because samples of one problem are alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy.stats import rankdata

from clampsweep.statistics import Interval

DRAWS = 2000


def auc(scores: Float[np.ndarray, "sample ..."], y: Bool[np.ndarray, " sample"]) -> np.ndarray:
    """The area for each column of scores: (R1 - n1 (n1 + 1) / 2) / (n1 n0), R1 the events' ranks.

    Args:
        scores: Of each sample.
        y: Whether it is an event.
    """
    n1 = int(y.sum())
    n0 = len(y) - n1
    ranks = rankdata(scores, axis=0)
    return np.asarray((ranks[y].sum(0) - n1 * (n1 + 1) / 2) / (n1 * n0))


class Counts(NamedTuple):
    """How often events of a problem are above controls of a problem, and how many pairs there are.

    The area of any draw of problems follows from these alone.
    """

    above: Float64[np.ndarray, "problem problem"]
    pairs: Float64[np.ndarray, "problem problem"]


def counts(
    scores: Float[np.ndarray, " sample"],
    y: Bool[np.ndarray, " sample"],
    problems: Int[np.ndarray, " sample"],
) -> Counts:
    """Counts of a score.

    Args:
        scores: Of each sample.
        y: Whether it is an event.
        problems: Its problem, numbered from 0.
    """
    n = int(problems.max(initial=0)) + 1
    events, controls = scores[y][:, None], scores[~y][None]
    above = (events > controls) + 0.5 * (events == controls)  # [event, control]
    place = problems[y][:, None] * n + problems[~y][None]
    cells = np.bincount(place.ravel(), above.ravel(), minlength=n * n).reshape(n, n)
    pairs = np.bincount(place.ravel(), minlength=n * n).reshape(n, n).astype(float)
    return Counts(cells, pairs)


def weights(n_problems: int, seed: int, draws: int = DRAWS) -> Float64[np.ndarray, "draw problem"]:
    """How often each problem is drawn, in draws of as many problems as there are."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_problems, [1 / n_problems] * n_problems, draws).astype(float)


def drawn(
    found: Counts, times: Float64[np.ndarray, "draw problem"]
) -> Float64[np.ndarray, " draw"]:
    """The area in each draw; nan in one without events or without controls."""
    above = ((times @ found.above) * times).sum(1)
    pairs = ((times @ found.pairs) * times).sum(1)
    with np.errstate(invalid="ignore"):
        share: np.ndarray = above / pairs
    return share


def interval(areas: Float64[np.ndarray, " draw"]) -> Interval:
    """The middle 95 % of draws."""
    low, high = np.nanpercentile(areas, [2.5, 97.5])
    return Interval(float(low), float(high))
