"""The equal logit bias: a control that needs no neuron, and intervals over problems.

So many nats on every word of the onset lexicon as change its log-probability at events as much as a
set of neurons does. What it does at controls follows from the log-probability there; among other
words it changes nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy.optimize import brentq

from clampsweep.statistics import cluster_bootstrap, sign_flip


def biased(lp: Float64[np.ndarray, " sample"], bias: float) -> Float64[np.ndarray, " sample"]:
    """Change of log p of the lexicon, nats, under a bias on all its logits.

    With probability p of the lexicon, p e^b / (p e^b + 1 - p).

    Args:
        lp: Its log-probability without.
        bias: In nats.
    """
    rest = np.log1p(-np.exp(np.minimum(lp, -1e-12)))
    moved: np.ndarray = bias - np.logaddexp(lp + bias, rest)
    return moved


def equal_bias(bare: pd.DataFrame, change: pd.DataFrame, problems: np.ndarray) -> dict[str, Any]:
    """Columns of `EFFECTS` on the equal logit bias; none where no bias changes the onset as much.

    Args:
        bare: Rows of the unchanged model, by match and class.
        change: Change of log p of the onset by a set, by match; a column a class.
        problems: Problem of each match, numbered from 0.
    """
    lp = bare["lp_onset"].unstack("y").reindex(change.index)
    wanted = float(change[1].mean())
    events, controls = lp[1].to_numpy(), lp[0].to_numpy()

    def gap(bias: float) -> float:
        return float(biased(events, bias).mean()) - wanted

    if not gap(-50.0) < 0 < gap(50.0):
        return {}
    bias = float(brentq(gap, -50.0, 50.0))
    at_events, at_controls = biased(events, bias), biased(controls, bias)
    own = (change[1] - change[0]).to_numpy()
    gaps = own - (at_events - at_controls)
    low, high = interval(gaps, problems)
    return {
        "bias": bias,
        "bias_control": float(at_controls.mean()),
        "bias_gap": float(gaps.mean()),
        "bias_low": low,
        "bias_high": high,
        "bias_p": float(sign_flip(sums(gaps, problems))[0]),
    }


def problems(bare: pd.DataFrame, events: pd.Index) -> np.ndarray:
    """Number of the problem of each event, from 0."""
    of_event = bare.reset_index().drop_duplicates("match_id").set_index("match_id")["problem_id"]
    return pd.factorize(of_event.reindex(events))[0]


def interval(values: Float64[np.ndarray, " event"], problems: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean over events, problems drawn anew."""
    n = int(problems.max(initial=0)) + 1
    if n < 2:
        return float("nan"), float("nan")
    totals = sums(values, problems)
    sizes = np.bincount(problems, minlength=n).astype(float)[:, None]
    low, high = cluster_bootstrap(totals, sizes)[0]
    return float(low), float(high)


def sums(values: Float64[np.ndarray, " event"], problems: np.ndarray) -> np.ndarray:
    """Sum over the events of each problem, [problem, 1]; rounded, so that ties are exact."""
    totals: np.ndarray = np.round(np.bincount(problems, values), 9)[:, None]
    return totals
