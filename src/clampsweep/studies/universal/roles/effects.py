"""What holding a neuron changed, by neuron; candidates against controls. From the table alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy import stats

from clampsweep.studies.universal.roles.tables import CLAMP, MEAN

N_DRAWS = 10_000  # of labels among neurons
_SEED = 0

_NEURON = ["kind", "layer", "neuron"]


class Comparison(NamedTuple):
    """Candidates against controls.

    Attributes:
        estimate: Mean of the candidates less that of the controls.
        low: Its 95 % interval by Welch's t over neurons, lower end; nan if either has fewer than 2.
        high: The same, upper end.
        p: Share of deals of the labels that give so large an estimate (one-sided), the own one
            counted; nan if there are none.
        least_p: The smallest that so few neurons allow.
        n: Number of candidates.
    """

    estimate: float
    low: float
    high: float
    p: float
    least_p: float
    n: int


class Mean(NamedTuple):
    """A mean over blocks, and whether it is as good as 0.

    Attributes:
        estimate: Mean over blocks.
        low: Its 95 % interval by Student's t over blocks, lower end.
        high: The same, upper end.
        p: The larger of the two one-sided p values of being beyond the margin (TOST).
        n: Number of blocks.
    """

    estimate: float
    low: float
    high: float
    p: float
    n: int


def ablated(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Change of a measure when a neuron is held at its mean: kind, layer, neuron, block, n, change.

    Args:
        rows: `INTERVENTIONS` of a role.
        measure: Which.
    """
    own = rows[(rows["operation"] == MEAN) & (rows["measure"] == measure)]
    return own.assign(change=own["held"] - own["natural"])[[*_NEURON, "block", "n", "change"]]


def swung(rows: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Measure at the highest value less that at the lowest, columns as in `ablated`.

    Args:
        rows: `INTERVENTIONS` of a role.
        measure: Which.
    """
    own = rows[(rows["operation"] == CLAMP) & (rows["measure"] == measure)]
    low, high = own["value"].min(), own["value"].max()
    ends = [own[own["value"] == end] for end in (low, high)]
    both = ends[1].merge(ends[0], on=[*_NEURON, "block", "n"], suffixes=("", "_low"))
    found: pd.DataFrame = both.assign(change=both["held"] - both["held_low"])
    return found[[*_NEURON, "block", "n", "change"]]


def by_neuron(changes: pd.DataFrame) -> pd.DataFrame:
    """Mean change of each neuron over positions: kind, layer, neuron, change."""
    weighted = changes.assign(total=changes["change"] * changes["n"])
    sums = weighted.groupby(_NEURON, sort=False)[["total", "n"]].sum().reset_index()
    return sums.assign(change=sums["total"] / sums["n"])[[*_NEURON, "change"]]


def values_of(neurons: pd.DataFrame, kind: str) -> Float64[np.ndarray, " neuron"]:
    """Changes of the neurons of a kind."""
    return neurons.loc[neurons["kind"] == kind, "change"].to_numpy(float)


def compare(
    own: Float64[np.ndarray, " candidate"], others: Float64[np.ndarray, " control"]
) -> Comparison:
    """Whether candidates have larger values than controls.

    Args:
        own: Of the candidates.
        others: Of the controls.
    """
    n, n_others = len(own), len(others)
    if not n or not n_others:
        return Comparison(np.nan, np.nan, np.nan, np.nan, 1.0, n)
    estimate = float(own.mean() - others.mean())
    low, high = np.nan, np.nan
    if min(n, n_others) > 1 and np.ptp(np.concatenate([own, others])) > 0:
        low, high = stats.ttest_ind(own, others, equal_var=False).confidence_interval(0.95)
    every = np.tile(np.concatenate([own, others]), (N_DRAWS, 1))
    dealt = np.random.default_rng(_SEED).permuted(every, axis=1)
    found = dealt[:, :n].mean(1) - dealt[:, n:].mean(1)
    tiny = 1e-9 * max(1e-30, float(np.abs(every[0]).max()))  # equal but for rounding
    p = float((1 + (found >= estimate - tiny).sum()) / (1 + N_DRAWS))
    ways = float(stats.hypergeom(n + n_others, n, n).pmf(n))
    return Comparison(estimate, float(low), float(high), p, max(ways, 1 / (1 + N_DRAWS)), n)


def kept(changes: pd.DataFrame, kind: str, margin: float) -> Mean:
    """Whether the mean change of a kind of neurons, over blocks, is within a margin.

    Args:
        changes: What `ablated` or `swung` gives.
        kind: Which neurons; a block's value is their mean.
        margin: How much is as good as nothing.
    """
    own = changes[changes["kind"] == kind].groupby("block")["change"].mean().to_numpy(float)
    n = len(own)
    if n < 2:
        return Mean(float(own.mean()) if n else np.nan, np.nan, np.nan, np.nan, n)
    mean, se = float(own.mean()), float(own.std(ddof=1) / np.sqrt(n))
    if se == 0:
        return Mean(mean, mean, mean, float(abs(mean) >= margin), n)
    reach = float(stats.t.ppf(0.975, n - 1)) * se
    beyond = max(float(stats.t.sf(one / se, n - 1)) for one in (mean + margin, margin - mean))
    return Mean(mean, mean - reach, mean + reach, beyond, n)
