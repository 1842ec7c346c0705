"""Intervals from leaving out one block of documents at a time, and tests of equivalence.

A bootstrap repeats blocks, so that fewer are different, and a statistic that has not converged,
such as the kurtosis of heavy tails, comes out as of less text. Leaving out one block of twenty
changes that little (Efron and Tibshirani 1993, chapter 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int
from scipy import stats

LEVEL = 0.95


class Estimate(NamedTuple):
    """A statistic with what leaving out blocks tells of it; nan where it is not defined.

    Attributes:
        value: Of all blocks.
        low: Lower end of its 95 % interval.
        high: Upper end.
        se: Standard error.
        df: Degrees of freedom of its t distribution.
    """

    value: float
    low: float
    high: float
    se: float
    df: float


def all_but_one(n_blocks: int) -> Int[np.ndarray, "draw block"]:
    """How often each block counts: first all once, then all but the first, and so on."""
    return np.concatenate([np.ones((1, n_blocks), int), 1 - np.eye(n_blocks, dtype=int)])


def estimate(
    value: float, groups: Sequence[Sequence[float] | Float64[np.ndarray, " _"]]
) -> Estimate:
    """The delete-one-block jackknife of a statistic of one group of blocks or of several.

    Variances of the groups add up, and the t distribution has Welch's degrees of freedom.

    Args:
        value: Of all blocks.
        groups: Of each group of blocks, the statistic without each of them in turn.
    """
    variances = np.array([_variance(np.asarray(group, dtype=float)) for group in groups])
    total = float(variances.sum())
    if not np.isfinite(total) or not np.isfinite(value):
        return Estimate(value, np.nan, np.nan, np.nan, np.nan)
    sizes = np.array([len(group) for group in groups])
    below = float((variances**2 / (sizes - 1)).sum())
    df = total**2 / below if below > 0 else float((sizes - 1).sum())
    se = float(np.sqrt(total))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, df)) * se
    return Estimate(value, value - reach, value + reach, se, df)


def _variance(left: Float64[np.ndarray, " block"]) -> float:
    """Jackknife variance from a statistic without each block; nan for fewer than two."""
    n = len(left)
    return float((n - 1) / n * ((left - left.mean()) ** 2).sum()) if n > 1 else np.nan


def p_above(one: Estimate, null: float) -> float | None:
    """One-sided p value of a statistic being above a value; None where there is no interval."""
    return _tail(one, null - one.value)


def p_within(one: Estimate, margin: float) -> float | None:
    """P value of a statistic lying within a margin of 0: the larger of two one-sided tests.

    TOST (Schuirmann 1987); None where there is no interval.
    """
    sides = _tail(one, -margin - one.value), _tail(one, one.value - margin)
    return None if None in sides else max(side for side in sides if side is not None)


def p_other(one: Estimate, null: float = 0.0) -> float | None:
    """Two-sided p value of a statistic differing from a value; None without an interval."""
    p = _tail(one, -abs(one.value - null))
    return None if p is None else min(1.0, 2 * p)


def _tail(one: Estimate, away: float) -> float | None:
    """Probability below a distance, in standard errors."""
    if np.isnan(one.se):
        return None
    if one.se == 0:
        return float(away > 0) if away else 0.5
    return float(stats.t.cdf(away / one.se, one.df))
