"""Correlation of neurons of one model with those of another, from streaming sums.

Post-activations of both at the same places of the same texts (Gurnee et al. 2024, section 3).
Memory does not depend on how many places there are: products are made in float32, a batch at a
time, and added up in float64 about a point near the mean. Copies of the first model's neurons go
along as further columns, of two kinds, both of which take away that the models read the same token:
shifted in a circle within each sequence, which keeps the text; or swapped with another sequence of
the same kind of text, which keeps the places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int

from clampsweep.studies.universal.elsewhere import shifted_places, swapped_places
from clampsweep.studies.universal.rotation import rotation

_CONSTANT = 1e-6  # a standard deviation of so small a share of the size is rounding


class Best(NamedTuple):
    """For each neuron, the highest correlation with any neuron of the other model, and where.

    Attributes:
        corr: Pearson's, in -1..1; nan of a constant neuron.
        at: Number of the other neuron, layer by layer.
    """

    corr: Float64[np.ndarray, " a"]
    at: Int[np.ndarray, " a"]


class Products(NamedTuple):
    """Sums about the means over all places.

    Attributes:
        n: Number of places.
        own: Root of the sum of squares of each neuron of the first model; 0 if constant.
        other: The same of the second model, [layer, neuron].
        cross: Sums of products, [copy, layer, neuron]: of the first model's neurons, then of their
            shifted copies.
        within: Sums of products in each layer of the second model.
    """

    n: int
    own: Float64[np.ndarray, " copy"]
    other: Float64[np.ndarray, "layer d"]
    cross: Float64[np.ndarray, "copy layer d"]
    within: Float64[np.ndarray, "layer d d"]


class Copy(NamedTuple):
    """A copy of some columns of the first model, at other places.

    Attributes:
        columns: Which.
        swapped: Whether sequences are swapped; else they are shifted in a circle.
    """

    columns: Int[np.ndarray, " some"]
    swapped: bool = False


class Correlator:
    """Running sums.

    Args:
        n_own: Neurons of the first model that are looked at.
        n_layers: Layers of the second model.
        d: Neurons of each of its layers.
        copies: Copies at other places that go along.
        seed: Of these places.
    """

    def __init__(
        self, n_own: int, n_layers: int, d: int, copies: Sequence[Copy] = (), seed: int = 0
    ):
        self._copies, self._rng = list(copies), np.random.default_rng(seed)
        self._columns = np.concatenate([np.arange(n_own), *(one.columns for one in copies)])
        self._n = 0
        self._shape = n_layers, d
        self._points: tuple[Float32[np.ndarray, " a"], Float32[np.ndarray, " b"]] | None = None
        self._sums = np.zeros(len(self._columns)), np.zeros(n_layers * d)
        self._squares = np.zeros(len(self._columns))
        self._cross = np.zeros((len(self._columns), n_layers * d))
        self._within = np.zeros((n_layers, d, d))

    def add(
        self,
        own: Float32[np.ndarray, "place a"],
        other: Float32[np.ndarray, "place b"],
        lengths: Sequence[int],
    ) -> None:
        """Count more places.

        Args:
            own: Post-activations of the first model.
            other: Those of the second, layer by layer.
            lengths: Places of each sequence, in order. A batch is of one kind of text: sequences
                are swapped within it.
        """
        if not len(own):
            return
        if self._points is None:
            self._points = own.mean(0), other.mean(0)
        a, b = own - self._points[0], other - self._points[1]
        extended = self._extended(a, lengths)
        self._n += len(a)
        self._sums[0][:] += extended.sum(0, dtype=np.float64)
        self._sums[1][:] += b.sum(0, dtype=np.float64)
        self._squares += np.square(extended, dtype=np.float64).sum(0)
        self._cross += extended.T @ b
        n_layers, d = self._shape
        for layer in range(n_layers):
            part = b[:, layer * d : (layer + 1) * d]
            self._within[layer] += part.T @ part

    def _extended(
        self, a: Float32[np.ndarray, "place a"], lengths: Sequence[int]
    ) -> Float32[np.ndarray, "place copy"]:
        """The neurons and their copies at other places."""
        ways = {False: shifted_places, True: swapped_places}
        parts = (a[ways[one.swapped](lengths, self._rng)][:, one.columns] for one in self._copies)
        return np.concatenate([a, *parts], axis=1)

    def finish(self) -> Products:
        """What was added up, about the means; nothing can be added after it."""
        n, (n_layers, d) = max(self._n, 1), self._shape
        one, two = self._sums
        squares = np.maximum(self._squares - one**2 / n, 0)
        for row, total in zip(self._cross, one, strict=True):
            row -= total / n * two
        layers = two.reshape(n_layers, d)
        for within, each in zip(self._within, layers, strict=True):
            within -= np.outer(each, each) / n
        points = self._points or (np.zeros(int(self._columns.max()) + 1), np.zeros(len(two)))
        others = np.maximum(self._within.diagonal(axis1=1, axis2=2), 0)
        return Products(
            self._n,
            _roots(squares, points[0][self._columns] + one / n, n),
            _roots(others, (points[1] + two / n).reshape(n_layers, d), n),
            self._cross.reshape(-1, n_layers, d),
            self._within,
        )


def _roots(
    squares: Float64[np.ndarray, "*shape"], mean: Float64[np.ndarray, "*shape"], n: int
) -> Float64[np.ndarray, "*shape"]:
    """Roots of sums of squares; 0 where they are rounding."""
    roots = np.sqrt(squares)
    return np.where(roots <= _CONSTANT * np.abs(mean) * n**0.5, 0.0, roots)


def best(products: Products, start: int = 0, stop: int | None = None) -> Best:
    """The best correlation of each neuron or shifted copy (`Best`).

    Args:
        products: Of the two models.
        start: The first of the copies that are asked for.
        stop: The first that is not; None for all.
    """
    rows = range(len(products.own))[start:stop]
    corr, at = np.full(len(rows), np.nan), np.zeros(len(rows), dtype=np.int64)
    other = products.other.ravel()
    moving = np.flatnonzero(other > 0)
    for done, row in enumerate(rows):
        if products.own[row] > 0 and len(moving):
            each = products.cross[row].ravel()[moving] / other[moving]
            at[done] = moving[each.argmax()]
            corr[done] = each.max() / products.own[row]
    return Best(corr, at)


def same(
    products: Products, layer: Int[np.ndarray, " a"], neuron: Int[np.ndarray, " a"]
) -> Float64[np.ndarray, " a"]:
    """Each neuron's correlation with one neuron of the other model; nan if one is constant.

    Args:
        products: Of the two models.
        layer: Layer of the other neuron.
        neuron: Its place in the layer.
    """
    scale = products.own[: len(layer)] * products.other[layer, neuron]
    own = products.cross[np.arange(len(layer)), layer, neuron]
    nan = np.full(len(layer), np.nan)
    return np.asarray(np.divide(own, scale, out=nan, where=scale > 0))


def rotated_best(
    products: Products, n_own: int, kind: str, rng: np.random.Generator
) -> Float64[np.ndarray, " a"]:
    """Each neuron's best correlation where the other model's layers are rotated (one draw).

    Exact, without another run: products with rotated neurons are rotated products.

    Args:
        products: Of the two models.
        n_own: Neurons of the first model, without their copies.
        kind: `gaussian` or `orthogonal`, see `rotation`.
        rng: Where draws come from.

    Returns:
        [neuron]; nan of a constant neuron.
    """
    highest = np.full(n_own, -np.inf)
    for layer, within in enumerate(products.within):
        turn = rotation(kind, len(within), rng)
        cross = products.cross[:n_own, layer].astype(np.float32) @ turn.T
        squares = ((turn @ within.astype(np.float32)) * turn).sum(1, dtype=np.float64)
        roots = np.sqrt(np.maximum(squares, 0))
        moving = roots > 0
        if moving.any():
            highest = np.maximum(highest, (cross[:, moving] / roots[moving]).max(1))
    scale = products.own[:n_own]
    nan = np.full(n_own, np.nan)
    known = (scale > 0) & np.isfinite(highest)
    return np.asarray(np.divide(highest, scale, out=nan, where=known))
