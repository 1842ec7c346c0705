"""Intervals and tests for counts of rescued and harmed texts: thin over scipy."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import stats


@functools.cache
def wilson(k: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Ends of the Wilson score interval of a share, both in 0..1 (Wilson 1927).

    Args:
        k: Number of successes, 0..n.
        n: Number of trials; with 0 both ends are nan.
        level: Confidence level, in 0..1.

    Raises:
        ValueError: `k` or `level` is out of its range.
    """
    if n == 0:
        return float("nan"), float("nan")
    interval = stats.binomtest(int(k), int(n)).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)


@functools.cache
def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact McNemar p value, in 0..1: do the two kinds of change occur equally often?

    Args:
        b: Number of pairs that changed in one direction, such as rescued.
        c: Number of pairs that changed in the other, such as harmed; b + c = 0 gives 1.

    Raises:
        ValueError: A count is negative.
    """
    return float(stats.binomtest(int(b), int(b + c)).pvalue) if b or c else 1.0


def benjamini_hochberg(p: Sequence[float]) -> np.ndarray:
    """P values adjusted for the false discovery rate, in the same order (Benjamini, Hochberg 1995).

    Args:
        p: The p values of one family of tests, each in 0..1; may be empty.

    Raises:
        ValueError: A p value is nan or out of 0..1.
    """
    values = np.asarray(p, dtype=float)
    return np.asarray(stats.false_discovery_control(values)) if values.size else values
