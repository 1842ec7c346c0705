"""Rank correlation within layers, and how it comes out where labels are dealt out anew there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import stats


class Association(NamedTuple):
    """A rank correlation within strata; nan where nothing varies.

    Attributes:
        estimate: In -1..1.
        low: Lower end of its 95 % interval, strata drawn with replacement.
        high: Upper end.
        p: Two-sided, by permutation within strata.
        n: Number of cases.
    """

    estimate: float
    low: float
    high: float
    p: float
    n: int


def association(
    one: Float[np.ndarray, " case"],
    other: Float[np.ndarray, " case"],
    strata: Int[np.ndarray, " case"],
    n_draws: int = 2000,
    seed: int = 0,
) -> Association:
    """Spearman's rank correlation within strata, such as layers.

    Ranks are taken within each stratum, about its mean, so that no difference of strata counts.

    Args:
        one: A number of each case.
        other: Another one.
        strata: Which cases may be exchanged.
        n_draws: Number of permutations, and of bootstrap draws of whole strata.
        seed: Of both.
    """
    ranks = np.stack([_centred_ranks(values, strata) for values in (one, other)])
    groups = [np.flatnonzero(strata == name) for name in np.unique(strata)]
    # Of each stratum: sum of products, sums of squares.
    parts = np.array(
        [[ranks[0, g] @ ranks[1, g], (ranks[0, g] ** 2).sum(), (ranks[1, g] ** 2).sum()]
         for g in groups]
    )  # fmt: skip
    own, rng = _ratio(parts.sum(0)), np.random.default_rng(seed)
    if np.isnan(own):
        return Association(np.nan, np.nan, np.nan, 1.0, len(one))
    drawn = np.zeros(n_draws)
    for g in groups:
        orders = rng.permuted(np.tile(ranks[1, g], (n_draws, 1)), axis=1)
        drawn += orders @ ranks[0, g]
    scale = np.sqrt(parts[:, 1].sum() * parts[:, 2].sum())
    p = (1 + (np.abs(drawn / scale) >= abs(own) - 1e-12).sum()) / (1 + n_draws)
    times = rng.multinomial(len(groups), np.full(len(groups), 1 / len(groups)), n_draws)
    resampled = np.array([_ratio(one) for one in times @ parts])
    low, high = np.nanquantile(resampled, [0.025, 0.975]) if len(groups) > 1 else (np.nan, np.nan)
    return Association(own, float(low), float(high), float(p), len(one))


def _centred_ranks(
    values: Float[np.ndarray, " case"], strata: Int[np.ndarray, " case"]
) -> Float[np.ndarray, " case"]:
    found = np.empty(len(values))
    for name in np.unique(strata):
        here = strata == name
        ranks = stats.rankdata(values[here])
        found[here] = ranks - ranks.mean()
    return found


def _ratio(part: Float[np.ndarray, " 3"]) -> float:
    """Correlation of sums of products and squares; nan where nothing varies."""
    below = float(np.sqrt(part[1] * part[2]))
    return float(part[0]) / below if below > 0 else float("nan")
