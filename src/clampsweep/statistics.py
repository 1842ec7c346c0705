"""Intervals and tests for counts of rescued and harmed texts: thin over scipy and numpy."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy import stats

from clampsweep.errors import shown, whole

_ROWS_AT_ONCE = 256  # of a resampling: 4,096 draws of them are 8 MB
_CELLS_AT_ONCE = 4_000_000  # of a resampling's weights, draws x clusters: 32 MB
_EXACT = 12  # clusters that change: up to so many all flips are tried, 4,096 of them


class Interval(NamedTuple):
    """Ends of an interval."""

    low: float
    high: float


@functools.cache
def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Ends of the Wilson score interval of a share, both in 0..1 (Wilson 1927).

    Args:
        k: Number of successes, 0..n.
        n: Number of trials; with 0 both ends are nan.
        level: Confidence level, in 0..1.

    Raises:
        TypeError, ValueError: A count is no whole number, or a number is out of its range.
    """
    k, n = whole("k", k, 0), whole("n", n, 0)
    if n == 0:
        return Interval(float("nan"), float("nan"))
    interval = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    return Interval(float(interval.low), float(interval.high))


@functools.cache
def mcnemar_exact(b: int, c: int) -> float:
    """Two-sided exact McNemar p value, in 0..1: do the two kinds of change occur equally often?

    Args:
        b: Number of pairs that changed in one direction, such as rescued.
        c: Number of pairs that changed in the other, such as harmed; b + c = 0 gives 1.

    Raises:
        TypeError, ValueError: A count is no whole number, or negative.
    """
    b, c = whole("b", b, 0), whole("c", c, 0)
    return float(stats.binomtest(b, b + c).pvalue) if b or c else 1.0


def benjamini_hochberg(p: Sequence[float]) -> np.ndarray:
    """P values adjusted for the false discovery rate, in the same order (Benjamini, Hochberg 1995).

    Args:
        p: The p values of one family of tests, each in 0..1; may be empty.

    Raises:
        ValueError: A p value is nan or out of 0..1, or they are no row of numbers.
    """
    values = np.asarray(p, dtype=float)
    if values.ndim != 1:
        raise ValueError(f"p: got {shown(p)}; write a list of p values")
    return np.asarray(stats.false_discovery_control(values)) if values.size else values


def rank_p(own: float, others: Sequence[float]) -> float:
    """P value, in 0..1, of being as high as `own`, were it one of `others`: (1 + b) / (1 + n).

    b of the n others are at least as high; ties count against (Phipson and Smyth 2010). The
    smallest p is 1 / (1 + n).

    Args:
        own: The value in question.
        others: Values that could have taken its place, were it not special.

    Raises:
        ValueError: One of them is not a number: it would count as lower than all.
    """
    if np.isnan([own, *others]).any():
        raise ValueError("a value is nan, so it has no rank; leave it out")
    return (1 + sum(other >= own for other in others)) / (1 + len(others))


def rank_interval(own: float, others: Sequence[float], level: float = 0.05) -> Interval:
    """Bounds of `own` among others, each at 1 - level: the test of `rank_p` turned round.

    Each says how far `own` may be moved before that test no longer tells it from the others, whose
    median is the null: the lower bound lies above the median exactly if `rank_p` of own is below
    the level, the upper bound below it exactly if own is as surely lower than they are. Too few
    others to be sure give no bound: -inf and inf.

    Args:
        own: The value in question.
        others: Values that could have taken its place, were it not special; at least one.
        level: Of each bound, in 0..1.

    Raises:
        ValueError: A value is not a number, there are no others, or the level is out of its range.
    """
    if not len(others) or np.isnan([own, *others]).any() or not 0 < level < 1:
        raise ValueError(f"got {own}, others {shown(others)}, level {level}; numbers, 1 or more")
    ascending = np.sort(np.asarray(others, dtype=float))
    n = len(ascending)
    # So many others at or beyond own are too many for p < level.
    too_many = next(b for b in range(n + 1) if (1 + b) / (1 + n) >= level)
    null = float(np.median(ascending))
    if not too_many:
        return Interval(-np.inf, np.inf)
    low, high = own - ascending[-too_many], own - ascending[too_many - 1]
    return Interval(null + float(low), null + float(high))


def cluster_bootstrap(
    parts: Float64[np.ndarray, "cluster row"],
    wholes: Float64[np.ndarray, "cluster row"],
    n_resamples: int = 4000,
    seed: int = 0,
) -> Float64[np.ndarray, "row 2"]:
    """Ends of the 95 % percentile interval of sum(parts) / sum(wholes) in each row.

    Whole clusters are drawn with replacement, as many as there are, and the same ones for all
    rows; a draw that holds no whole of a row is left out. With few clusters the interval is too
    narrow, and it has no width where all clusters have the same share. Nan where fewer than 2
    clusters have a whole: nothing tells how much clusters differ.

    Args:
        parts: Sum over each cluster of the numerator, such as the number of rescued texts.
        wholes: The same of the denominator, 0 or more.
        n_resamples: Number of draws.
        seed: Of the draws; they depend on it and on the number of clusters alone.

    Raises:
        ValueError: The two have other shapes, or a number is not finite, or a whole negative.
    """
    parts, wholes = _table("parts", parts), _table("wholes", wholes)
    if parts.shape != wholes.shape or (wholes < 0).any():
        shapes = f"parts of shape {parts.shape}, wholes of {wholes.shape}"
        raise ValueError(f"got {shapes}; write equal shapes, wholes of 0 or more")
    n_clusters, n_rows = parts.shape
    ends = np.full((n_rows, 2), np.nan)
    known = np.flatnonzero((wholes > 0).sum(0) >= 2)
    if not known.size:
        return ends
    rng, even = np.random.default_rng(seed), np.full(n_clusters, 1 / n_clusters)
    shares = np.empty((n_resamples, len(known)))
    step = max(1, _CELLS_AT_ONCE // n_clusters)
    for start in range(0, n_resamples, step):
        some = shares[start : start + step]
        weights = rng.multinomial(n_clusters, even, len(some))
        weights = weights.astype(float)  # [resample, cluster]: how often each cluster is drawn
        with np.errstate(invalid="ignore"):  # 0 / 0 is nan, and left out
            some[:] = (weights @ parts[:, known]) / (weights @ wholes[:, known])
    for start in range(0, len(known), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        ends[known[rows]] = np.nanquantile(shares[:, rows], [0.025, 0.975], axis=0).T
    return ends


def _table(what: str, given: Any) -> Float64[np.ndarray, "cluster row"]:
    """A number for each cluster and row, all finite."""
    table = np.asarray(given, dtype=float)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ValueError(f"{what}: got {shown(given)}; write finite numbers, [cluster, row]")
    return table


def flips(n: int, n_draws: int = 4096, seed: int = 0) -> Float64[np.ndarray, "flip n"]:
    """Signs to give n things, +1 or -1, first all +1: every way for up to 12, else random ones.

    Args:
        n: Number of things.
        n_draws: Number of random flips, beside the first.
        seed: Of the random flips; they depend on it and on n alone.
    """
    if n <= _EXACT:
        return np.array(list(itertools.product([1.0, -1.0], repeat=n))).reshape(2**n, n)
    drawn = np.random.default_rng(seed).choice([1.0, -1.0], (n_draws, n))
    return np.concatenate([np.ones((1, n)), drawn])


def sign_flip(nets: Float64[np.ndarray, "cluster row"]) -> Float64[np.ndarray, " row"]:
    """Two-sided p value, in 0..1, of each row's |sum of nets|, were every net as likely reversed.

    Fisher's randomisation test of paired differences (Fisher 1935), with whole clusters for pairs:
    it holds however alike the members of a cluster are, and with few clusters too (Canay, Romano
    and Shaikh 2017). A cluster whose net is 0 is of no account. Up to 12 others all flips are
    tried; n of them allow no p below 2 / 2**n. With more, p = (1 + hits) / (1 + 4096) over random
    flips (Phipson and Smyth 2010). 1 if all nets are 0.

    Args:
        nets: Of each cluster, such as rescued - harmed; whole numbers, so that ties are exact.

    Raises:
        ValueError: They are of another shape, or one is not finite.
    """
    nets = _table("nets", nets)
    many = (nets != 0).sum(0) > _EXACT
    order = np.argsort(nets == 0, axis=0, kind="stable")[:_EXACT]  # those that are not 0 first
    few = np.take_along_axis(nets, order, axis=0)
    p = np.empty(nets.shape[1])
    p[~many] = _share_as_far(few[:, ~many])
    p[many] = _share_as_far(nets[:, many])
    return p


def _share_as_far(nets: Float64[np.ndarray, "cluster row"]) -> Float64[np.ndarray, " row"]:
    """Share of the flips of clusters whose |sum| is at least that of the first, by row."""
    signs, shares = flips(len(nets)), np.empty(nets.shape[1])
    for start in range(0, len(shares), _ROWS_AT_ONCE):
        sums = np.abs(signs @ nets[:, start : start + _ROWS_AT_ONCE])
        shares[start : start + _ROWS_AT_ONCE] = (sums >= sums[0]).mean(0)
    return shares


def permuted_labels(
    labels: Bool[np.ndarray, " item"],
    units: Int[np.ndarray, " item"],
    strata: Int[np.ndarray, " item"],
    n_draws: int,
    seed: int = 0,
) -> Bool[np.ndarray, "draw item"]:
    """Labels dealt out anew, each stratum's among its own units, all orders equally likely.

    Args:
        labels: Each item's; items of a unit share theirs.
        units: Which items move together, numbered from 0 without gaps.
        strata: Among which units labels may be exchanged; whole numbers.
        n_draws: Number of draws.
        seed: Of the draws.
    """
    first = np.unique(units, return_index=True)[1]  # an item of each unit
    own, stratum = labels[first], strata[first]
    # Sorted by stratum and then at random, units fill the places of their own stratum.
    places = np.argsort(stratum, kind="stable")
    rng = np.random.default_rng(seed)
    drawn = np.argsort(stratum + rng.random((n_draws, len(own))), axis=1)
    dealt = np.empty((n_draws, len(own)), dtype=bool)
    dealt[:, places] = own[drawn]
    return dealt[:, units]
