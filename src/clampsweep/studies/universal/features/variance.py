"""Variance reduction: how much of a neuron's variance a feature of tokens explains.

VR = 1 - [(1 - b) var(v | y=0) + b var(v | y=1)] / var(v), of a neuron's values v, a feature y and
the share b of positions that have it (Gurnee et al. 2024, section 4.3). By the law of total
variance this is b (1 - b) (mean(v | y=1) - mean(v | y=0))^2 / var(v), the squared correlation of v
and y: sums of v over the positions of a feature are enough, and no squares by feature are needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy import stats

_CONSTANT = 1e-12  # a variance of so small a share of the squared mean is rounding


class Sums:
    """Sums over positions, from which the correlation of every feature and neuron follows.

    Args:
        features: Number of features.
        neurons: Number of neurons.
    """

    def __init__(self, features: int, neurons: int):
        self.n = 0
        self._having: Float64[np.ndarray, " feature"] = np.zeros(features)
        self._sum: Float64[np.ndarray, " neuron"] = np.zeros(neurons)
        self._square: Float64[np.ndarray, " neuron"] = np.zeros(neurons)
        self._with: Float64[np.ndarray, "feature neuron"] = np.zeros((features, neurons))

    def add(
        self, labels: Float[Any, "row feature"], values: Float[Any, "row neuron"], at: slice
    ) -> None:
        """Count positions for some of the neurons.

        Args:
            labels: 1 where a position has a feature, else 0; an array or a tensor.
            values: Of neurons, near 0 in the mean, so that float32 keeps its digits.
            at: Which neurons.
        """
        self._sum[at] += _numbers(values.sum(0))
        self._square[at] += _numbers((values * values).sum(0))
        self._with[:, at] += _numbers(labels.T @ values)

    def count(self, labels: Float[Any, "row feature"]) -> None:
        """Count the positions themselves, once for all neurons."""
        self.n += len(labels)
        self._having += _numbers(labels.sum(0))

    def correlations(self, at: slice) -> Float64[np.ndarray, "feature neuron"]:
        """Correlation of each feature with each of some neurons; 0 where one is constant."""
        n = max(self.n, 1)
        share, mean = self._having / n, self._sum[at] / n
        spread = self._square[at] / n - mean**2
        spread[spread <= _CONSTANT * mean**2] = 0.0
        together = self._with[:, at] / n - share[:, None] * mean
        scale = np.sqrt((share * (1 - share))[:, None] * spread)
        return np.asarray(np.divide(together, scale, out=np.zeros_like(scale), where=scale > 0))

    def reductions(self, at: slice) -> Float64[np.ndarray, "feature neuron"]:
        """VR of each feature and each of some neurons, in 0..1; 0 where one is constant."""
        return np.asarray(self.correlations(at) ** 2)


def _numbers(sums: Any) -> Float64[np.ndarray, "*shape"]:
    """An array or a tensor on any device as float64."""
    own = sums.cpu().numpy() if hasattr(sums, "cpu") else sums
    return np.asarray(own, dtype=np.float64)


def block_sums(
    labels: Float[np.ndarray, "row pair"],
    values: Float[np.ndarray, "row pair"],
    blocks: Int[np.ndarray, " row"],
) -> Float64[np.ndarray, "block pair five"]:
    """Of each block, number of positions and sums of y, v, v^2 and y v, for each pair.

    Args:
        labels: Of the pair's feature.
        values: Of the pair's neuron.
        blocks: Each row's, from 0 without gaps.
    """
    n_blocks, pairs = int(blocks.max()) + 1, labels.shape[1]
    found = np.zeros((n_blocks, pairs, 5))
    for block in range(n_blocks):
        y, v = (one[blocks == block].astype(np.float64) for one in (labels, values))
        parts = (np.full(pairs, float(len(y))), y.sum(0), v.sum(0), (v * v).sum(0), (y * v).sum(0))
        found[block] = np.stack(parts, axis=-1)
    return found


def _correlation(sums: Float64[np.ndarray, "*shape five"]) -> Float64[np.ndarray, "*shape"]:
    n, y, v, square, both = np.moveaxis(sums, -1, 0)
    scale = np.maximum(n * y - y * y, 0) * np.maximum(n * square - v * v, 0)
    together = n * both - y * v
    return np.asarray(
        np.divide(together, np.sqrt(scale), out=np.zeros_like(scale), where=scale > 0)
    )


def intervals(
    sums: Float64[np.ndarray, "block pair five"], strata: Int[np.ndarray, " block"]
) -> Float64[np.ndarray, "pair 2"]:
    """Ends of the 95 % interval of each pair's VR, in 0..1: a jackknife over blocks.

    A block is left out at a time, and blocks of a stratum stand for one another (domains are fixed,
    documents are drawn). The jackknife is of artanh of the correlation, which has no border, with
    Student's quantile; an interval of the correlation that holds 0 gives a VR from 0.

    Args:
        sums: What `block_sums` gives.
        strata: Domain of each block.
    """
    without = np.arctanh(np.clip(_correlation(sums.sum(0) - sums), -0.999999, 0.999999))
    z = np.arctanh(np.clip(_correlation(sums.sum(0)), -0.999999, 0.999999))
    variance, freedom = np.zeros(sums.shape[1]), 0
    for stratum in np.unique(strata):
        own = without[strata == stratum]
        if len(own) > 1:
            variance += (len(own) - 1) / len(own) * ((own - own.mean(0)) ** 2).sum(0)
            freedom += len(own) - 1
    if not freedom:
        return np.full((sums.shape[1], 2), np.nan)
    wide = stats.t.ppf(0.975, freedom) * np.sqrt(variance)
    low, high = np.tanh(z - wide), np.tanh(z + wide)
    least = np.where(low * high <= 0, 0.0, np.minimum(low**2, high**2))
    return np.stack([least, np.maximum(low**2, high**2)], axis=-1)
