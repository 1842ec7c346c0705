"""Statistics that need the values themselves, and not only sums of their powers.

Values are [neuron, position], so that a neuron's lie together. Kurtosis is Pearson's (3 for a
Gaussian).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int

LOWEST, HIGHEST, N_EDGES = -10.0, 15.0, 256
"""Edges of the paper's bins of pre-activations (its published code)."""

_AT_ONCE = 64  # neurons: 1 MB for 2,048 positions


class Shape(NamedTuple):
    """Moments of each neuron: mean, biased variance, skewness, kurtosis; nan where constant."""

    mean: Float64[np.ndarray, " neuron"]
    variance: Float64[np.ndarray, " neuron"]
    skewness: Float64[np.ndarray, " neuron"]
    kurtosis: Float64[np.ndarray, " neuron"]


def shape_of(values: Float[np.ndarray, "neuron pos"]) -> Shape:
    """Moments over positions."""
    parts = [_shape(values[at : at + _AT_ONCE]) for at in range(0, len(values), _AT_ONCE)]
    return Shape(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def _shape(values: Float[np.ndarray, "some pos"]) -> Shape:
    """The same of so few neurons that all stays in the cache."""
    n = values.shape[1]
    mean = values.mean(1, dtype=np.float64)
    away = values - mean[:, None]
    square = away * away
    two = square.mean(1)
    two = np.where(two > 0, two, np.nan)
    three, four = (np.einsum("np,np->n", square, one) for one in (away, square))
    return Shape(mean, np.nan_to_num(two), three / n / two**1.5, four / n / two**2)


def l_kurtosis(values: Float[np.ndarray, "neuron pos"]) -> Float64[np.ndarray, " neuron"]:
    """L-kurtosis, in -0.25..1: 0.123 for a Gaussian, 0 for a uniform; nan where constant.

    The ratio of the unbiased fourth to the second L-moment, by probability-weighted moments
    (Hosking 1990); it tells heavy tails without the fourth power, which one value can decide.

    Args:
        values: At least four positions.
    """
    n = values.shape[1]
    ranked = np.sort(values, axis=1).astype(np.float64)
    rank = np.arange(n, dtype=np.float64)
    weights = [np.ones(n)]
    for power in range(1, 4):
        weights.append(weights[-1] * (rank - power + 1) / (n - power))
    b0, b1, b2, b3 = (ranked @ np.stack(weights, 1) / n).T
    spread = 2 * b1 - b0
    ratio = np.full(len(spread), np.nan)
    apart = ranked[:, -1] > ranked[:, 0]
    return np.asarray(np.divide(20 * b3 - 30 * b2 + 12 * b1 - b0, spread, out=ratio, where=apart))


def product_null(
    up: Float[np.ndarray, "neuron pos"],
    post: Float[np.ndarray, "neuron pos"],
    n_draws: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "draw neuron"]:
    """Kurtosis of gated products whose factors do not know of each other, [draw, neuron].

    post = f(gate) * up; each draw puts `up` in another order of positions, the same for all
    neurons, and leaves f(gate) where it is. 3 is no null for a product: that of two independent
    Gaussians has 9.

    Args:
        up: What the activated gate is multiplied with.
        post: The products.
        n_draws: Number of draws.
        rng: Of the orders.
    """
    up = up.astype(np.float64)
    gate = np.divide(post, up, out=np.zeros_like(up), where=up != 0)
    orders = [rng.permutation(up.shape[1]) for _ in range(n_draws)]
    found = np.empty((n_draws, len(up)))
    for at in range(0, len(up), _AT_ONCE):
        some = slice(at, at + _AT_ONCE)
        for draw, order in enumerate(orders):
            found[draw, some] = _shape(gate[some] * up[some].take(order, axis=1)).kurtosis
    return found


class Binned(NamedTuple):
    """Moments as the paper's code has them, from bins.

    Attributes:
        shape: Moments of the middles of the bins that values fall in.
        freq: Share of values in bins from (-0.098, 0] on, which the code takes for above 0.
        clipped: Share of values below the lowest edge or above the highest.
    """

    shape: Shape
    freq: Float64[np.ndarray, " neuron"]
    clipped: Float64[np.ndarray, " neuron"]


def binned(values: Float[np.ndarray, "neuron pos"]) -> Binned:
    """Moments from 255 bins between -10 and 15; what lies outside counts in the outermost."""
    width = (HIGHEST - LOWEST) / (N_EDGES - 1)
    place: Int[np.ndarray, "neuron pos"] = np.clip(
        np.ceil((values.astype(np.float64) - LOWEST) / width).astype(np.int64) - 1, 0, N_EDGES - 2
    )
    zero = round(-LOWEST / width)  # 0 is an edge: the bin that ends there is one lower
    outside = (values < LOWEST) | (values > HIGHEST)
    return Binned(
        shape_of(LOWEST + (place + 0.5) * width), (place >= zero - 1).mean(1), outside.mean(1)
    )


def top_mean(
    values: Float[np.ndarray, "neuron pos"], share: float
) -> Float64[np.ndarray, " neuron"]:
    """Mean of each neuron's values at the positions where they are largest in size.

    Args:
        values: Activations.
        share: Which share of the positions, in 0..1; at least one is taken.
    """
    few = max(1, int(np.ceil(share * values.shape[1])))
    found = np.empty(len(values))
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        at = np.argpartition(-np.abs(some), few - 1, axis=1)[:, :few]
        own = np.take_along_axis(some, at, axis=1)
        found[start : start + _AT_ONCE] = own.mean(1, dtype=np.float64)
    return found
