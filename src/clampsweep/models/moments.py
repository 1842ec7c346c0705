"""Running moments of activations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64


class Moments:
    """Running count, mean, variance and extremes of every neuron of one layer (Chan's merge)."""

    def __init__(self, d_mlp: int):
        self.n = 0
        self.mean: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)
        self._square: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)
        self.min: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, np.inf)
        self.max: Float64[np.ndarray, " d_mlp"] = np.full(d_mlp, -np.inf)
        self._positive: Float64[np.ndarray, " d_mlp"] = np.zeros(d_mlp)

    def add(self, values: Float[np.ndarray, "pos d_mlp"]) -> None:
        """Count more positions."""
        values = values.astype(np.float64)
        more = len(values)
        if not more:
            return
        mean = values.mean(0)
        total = self.n + more
        shift = mean - self.mean
        self._square += ((values - mean) ** 2).sum(0) + shift**2 * self.n * more / total
        self.mean += shift * more / total
        self.n = total
        self.min = np.minimum(self.min, values.min(0))
        self.max = np.maximum(self.max, values.max(0))
        self._positive += (values > 0).sum(0)

    @property
    def sd(self) -> Float64[np.ndarray, " d_mlp"]:
        """Standard deviation (n - 1); NaN for fewer than two positions."""
        if self.n < 2:
            return np.full(len(self.mean), np.nan)
        return np.asarray(np.sqrt(self._square / (self.n - 1)))

    @property
    def share_positive(self) -> Float64[np.ndarray, " d_mlp"]:
        """Share of positions above 0, in 0..1."""
        return self._positive / max(self.n, 1)
