"""How much a vector moves a behaviour: slopes of items, with intervals, tests and random vectors.

A slope is the change of an item's log-probability difference (matching less other answer, nats per
token) for one multiple of a vector, from both signs: (d(+m) - d(-m)) / 2m. An item whose slope is
below 0 is anti-steerable (arXiv 2407.12404).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy import stats

from clampsweep.errors import shown
from clampsweep.statistics import Interval, flips, rank_p

_RESAMPLES = 4000


class Slope(NamedTuple):
    """The mean slope of some items.

    Attributes:
        mean: In nats per token and multiple.
        interval: 95 %, bias-corrected and accelerated bootstrap over items; without width for a
            single item or equal ones.
        p: One-sided, that the mean is above 0, by flipping signs of items.
        anti_steerable: Share of items whose slope is below 0.
        n: Number of items.
    """

    mean: float
    interval: Interval
    p: float
    anti_steerable: float
    n: int


def item_slopes(
    up: Float64[np.ndarray, " item"], down: Float64[np.ndarray, " item"], multiple: float
) -> Float64[np.ndarray, " item"]:
    """Slope of each item, in nats per token and multiple.

    Args:
        up: Log-probability differences at `multiple`.
        down: At minus that.
        multiple: Above 0.

    Raises:
        ValueError: It is not above 0.
    """
    if not multiple > 0:
        raise ValueError(f"multiple: got {shown(multiple)}; write a number above 0")
    return (np.asarray(up, np.float64) - np.asarray(down, np.float64)) / (2 * multiple)


def mean_slope(slopes: Float64[np.ndarray, " item"], seed: int) -> Slope:
    """The mean slope of items, its interval and test.

    Args:
        slopes: Of each item, finite; one at least.
        seed: Of the resampling and of the flips.

    Raises:
        ValueError: There is none, or one is not finite.
    """
    own = np.asarray(slopes, np.float64)
    if own.ndim != 1 or not len(own) or not np.isfinite(own).all():
        raise ValueError(f"slopes: got {shown(slopes)}; write finite numbers, one at least")
    mean = float(own.mean())
    sums = flips(len(own), seed=seed) @ own  # [flip], the first as it is
    # Sums of other orders of the same numbers differ in their last digits.
    as_high = sums >= sums[0] - 1e-9 * np.abs(own).sum()
    return Slope(
        mean, _interval(own, seed), float(as_high.mean()), float((own < 0).mean()), len(own)
    )


def _interval(own: Float64[np.ndarray, " item"], seed: int) -> Interval:
    if np.ptp(own) == 0:
        return Interval(float(own[0]), float(own[0]))
    found = stats.bootstrap(
        (own,), np.mean, n_resamples=_RESAMPLES, method="BCa", rng=np.random.default_rng(seed)
    ).confidence_interval
    return Interval(float(found.low), float(found.high))


class Band(NamedTuple):
    """Where the mean slope of a random vector lies.

    Attributes:
        mean: Over vectors and items.
        interval: 95 % of a new vector on new items: both are drawn anew in the bootstrap.
        spread: Standard deviation of the vectors' means over the same items.
        p: Of the vector in question, one-sided: its rank among the random ones.
    """

    mean: float
    interval: Interval
    spread: float
    p: float


def random_band(
    own: Float64[np.ndarray, " item"], random: Float64[np.ndarray, "vector item"], seed: int
) -> Band:
    """Where random vectors of the same length lie, and how a vector's mean slope ranks among them.

    Items alone would make the band too narrow: what differs between random directions is most of
    their spread. So in each draw a vector is drawn, and then items.

    Args:
        own: Slopes of the vector in question.
        random: Slopes of random vectors, on the same items.
        seed: Of the draws.

    Raises:
        ValueError: There are fewer than 2 random vectors, or other numbers of items.
    """
    own, random = np.asarray(own, np.float64), np.asarray(random, np.float64)
    if random.ndim != 2 or len(random) < 2 or random.shape[1] != len(own):
        raise ValueError(
            f"random: got shape {random.shape} beside {len(own)} items; write 2 vectors or more "
            "on the same items"
        )
    n_vectors, n_items = random.shape
    rng = np.random.default_rng(seed)
    vectors = rng.integers(n_vectors, size=_RESAMPLES)  # [draw]
    items = rng.integers(n_items, size=(_RESAMPLES, n_items))  # [draw, item]
    drawn = random[vectors[:, None], items].mean(1)  # [draw]
    low, high = np.quantile(drawn, [0.025, 0.975])
    means = random.mean(1)  # [vector]
    return Band(
        float(random.mean()),
        Interval(float(low), float(high)),
        float(means.std(ddof=1)),
        rank_p(float(own.mean()), means.tolist()),
    )


class Transfer(NamedTuple):
    """What share of the target's own mean slope another vector reaches.

    Attributes:
        share: T = mean slope of the other / mean slope of the target's own.
        interval: 95 %, percentile bootstrap over items, drawn for both alike. Infinite where the
            own slope may be 0.
    """

    share: float
    interval: Interval


def transfer(
    other: Float64[np.ndarray, " item"], own: Float64[np.ndarray, " item"], seed: int
) -> Transfer:
    """What share of the target's own slope another behaviour's vector reaches.

    Args:
        other: Slopes of the other vector, of the same length as the target's own.
        own: Slopes of the target's own vector, on the same items.
        seed: Of the draws.

    Raises:
        ValueError: They are of other numbers of items.
    """
    other, own = np.asarray(other, np.float64), np.asarray(own, np.float64)
    if other.shape != own.shape or other.ndim != 1 or not len(own):
        raise ValueError(f"got slopes of shapes {other.shape}, {own.shape}; write equal ones")
    n = len(own)
    items = np.random.default_rng(seed).integers(n, size=(_RESAMPLES, n))  # [draw, item]
    wholes = own[items].mean(1)
    share = float(other.mean() / own.mean()) if own.mean() else float("nan")
    low, high = np.quantile(wholes, [0.025, 0.975])
    if low <= 0 <= high:
        return Transfer(share, Interval(-np.inf, np.inf))
    ends = np.quantile(other[items].mean(1) / wholes, [0.025, 0.975])
    return Transfer(share, Interval(float(ends[0]), float(ends[1])))
