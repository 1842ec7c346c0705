"""Moments of activations, that can be added up: over positions, over blocks, over draws of blocks.

A block's sums of powers are about its own mean, so that they keep their digits where the mean is
far larger than the standard deviation. `add_up` takes them to a common point before it adds, which
loses nothing either, because means of blocks lie close together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

_CONSTANT = 1e-15  # a standard deviation of so small a share of the mean is rounding


class Sums(NamedTuple):
    """Count and sums of powers, each of the same shape: [neuron], [block, neuron] or alike.

    Attributes:
        n: Number of positions.
        n_positive: Number of positions above 0.
        mean: Mean.
        sum2: Sum of (x - mean)^2.
        sum3: Sum of (x - mean)^3.
        sum4: Sum of (x - mean)^4.
    """

    n: Float64[np.ndarray, "*shape"]
    n_positive: Float64[np.ndarray, "*shape"]
    mean: Float64[np.ndarray, "*shape"]
    sum2: Float64[np.ndarray, "*shape"]
    sum3: Float64[np.ndarray, "*shape"]
    sum4: Float64[np.ndarray, "*shape"]

    @property
    def variance(self) -> Float64[np.ndarray, "*shape"]:
        """Unbiased variance, sum2 / (n - 1); nan for fewer than two positions."""
        return _over(self.sum2, self.n - 1)

    @property
    def share_positive(self) -> Float64[np.ndarray, "*shape"]:
        """Share of positions above 0, in 0..1; nan without positions."""
        return _over(self.n_positive, self.n)

    @property
    def skewness(self) -> Float64[np.ndarray, "*shape"]:
        """m3 / m2^1.5 with m_k = sum_k / n (biased); nan where values are constant."""
        return _over(_over(self.sum3, self.n), self._spread**1.5)

    @property
    def kurtosis(self) -> Float64[np.ndarray, "*shape"]:
        """Pearson's, m4 / m2^2 with m_k = sum_k / n (biased; 3 for a Gaussian); nan if constant."""
        return _over(_over(self.sum4, self.n), self._spread**2)

    @property
    def _spread(self) -> Float64[np.ndarray, "*shape"]:
        """Biased variance; 0 where it is rounding."""
        spread = _over(self.sum2, self.n)
        return np.where(spread <= (_CONSTANT * self.mean) ** 2, 0.0, spread)


def _over(
    above: Float64[np.ndarray, "*shape"], below: Float64[np.ndarray, "*shape"]
) -> Float64[np.ndarray, "*shape"]:
    """Quotient; nan where the divisor is not above 0."""
    nan = np.full(np.shape(above), np.nan)
    return np.asarray(np.divide(above, below, out=nan, where=below > 0))


class Powers(NamedTuple):
    """Sums of powers 2, 3 and 4 of the distance from a point, each of the same shape."""

    two: Float64[np.ndarray, "*shape"]
    three: Float64[np.ndarray, "*shape"]
    four: Float64[np.ndarray, "*shape"]


class Moments:
    """Running sums of powers and extremes of every neuron of one layer (Chan's and Pébay's merge).

    Args:
        d_mlp: Number of neurons.
    """

    def __init__(self, d_mlp: int):
        self.n = 0
        self.mean: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)
        self._sums = Powers(*np.zeros((3, d_mlp)))
        self.min: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, np.inf)
        self.max: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, -np.inf)
        self._positive: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)

    def add(self, values: Float[np.ndarray, "pos d_mlp"]) -> None:
        """Count more positions.

        Raises:
            ValueError: They are of another shape.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise ValueError(
                f"values: got an array of shape {values.shape}; write one of shape "
                f"[positions, {len(self.mean)}]"
            )
        more = len(values)
        if not more:
            return
        mean = values.mean(0)
        away = values - mean
        square = away**2
        sums = Powers(square.sum(0), (square * away).sum(0), (square**2).sum(0))
        total = self.n + more
        shift = mean - self.mean
        merged = self.mean + shift * more / total
        old, new = _moved(self.n, self._sums, self.mean - merged), _moved(more, sums, mean - merged)
        two = self._sums.two + (sums.two + shift**2 * self.n * more / total)
        self._sums = Powers(two, old.three + new.three, old.four + new.four)
        self.mean, self.n = merged, total
        self.min = np.minimum(self.min, values.min(0))
        self.max = np.maximum(self.max, values.max(0))
        self._positive += (values > 0).sum(0)

    @property
    def sd(self) -> Float64[np.ndarray, " d_mlp"]:
        """Standard deviation (n - 1); NaN for fewer than two positions."""
        if self.n < 2:
            return np.full(len(self.mean), np.nan)
        return np.asarray(np.sqrt(self._sums.two / (self.n - 1)))

    @property
    def share_positive(self) -> Float64[np.ndarray, " d_mlp"]:
        """Share of positions above 0, in 0..1."""
        return self._positive / max(self.n, 1)

    @property
    def sums(self) -> Sums:
        """What can be added up."""
        n = np.full(len(self.mean), float(self.n))
        return Sums(n, self._positive, self.mean, *self._sums)


def add_up(blocks: Sums, times: Int[np.ndarray, "draw block"] | None = None) -> Sums:
    """Sums over blocks, as if their positions had been counted together.

    Args:
        blocks: Of each block, [block, neuron].
        times: How often each block counts, in each of some draws; None for once, in one draw.

    Returns:
        [draw, neuron].
    """
    weights = np.ones((1, len(blocks.n))) if times is None else times.astype(np.float64)
    n = weights @ blocks.n  # [draw, neuron]
    # About one point for all blocks, sums of powers 1 to 4 simply add up.
    point = _over((blocks.n * blocks.mean).sum(0), blocks.n.sum(0))
    off = blocks.mean - point
    about = _moved(blocks.n, Powers(blocks.sum2, blocks.sum3, blocks.sum4), off)
    one, two, three, four = (weights @ part for part in (blocks.n * off, *about))
    mean = _over(one, n)  # from the point
    return Sums(
        n,
        weights @ blocks.n_positive,
        np.where(n > 0, point + mean, 0.0),
        np.maximum(two - n * mean**2, 0.0),
        three - 3 * mean * two + 2 * n * mean**3,
        four - 4 * mean * three + 6 * mean**2 * two - 3 * n * mean**4,
    )


def _moved(
    n: float | Float64[np.ndarray, "*shape"], sums: Powers, off: Float64[np.ndarray, "*shape"]
) -> Powers:
    """Sums of powers about a point that is `off` below the mean, from those about the mean."""
    two, three, four = sums
    return Powers(
        two + n * off**2,
        three + 3 * off * two + n * off**3,
        four + 4 * off * three + 6 * off**2 * two + n * off**4,
    )
