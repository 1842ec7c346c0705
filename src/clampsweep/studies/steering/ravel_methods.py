"""Ways to swap an attribute between two vectors: subspaces, features, coordinates.

Each gives a function from a base's and a source's vector, at the entity's last token, to the base's
with the source's part of it. What is not of the subspace, the features or the coordinates stays the
base's. Methods that learn by gradient: `ravel_trained.py`. Source: arXiv 2402.17700, section 4.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from torch import Tensor

from clampsweep.names import MLP_POST, RESID_POST

FULL, DIFF_MEANS, PCA, SAE, RANDOM = "full", "diff_means", "pca", "sae", "random_subspace"
NEURONS, MLP_NEURONS = "neurons", "mlp_neurons"

_ITERATIONS = 400  # most, of a classifier
_STRENGTHS = tuple(10.0**power for power in np.arange(-3, 2.5, 0.5))  # inverse penalties
_ROUNDING = 1e-9  # shares of a size below it are none

Vectors = Float[Tensor, "*row width"]
Swap = Callable[[Vectors, Vectors], Vectors]
"""From a base's and a source's vectors to the base's with the source's part."""


@runtime_checkable
class SaeLike(Protocol):
    """What a sparse autoencoder can do."""

    def encode(self, x: Tensor) -> Tensor:
        """Features of vectors: [row, d_model] to [row, feature]."""

    def decode(self, f: Tensor) -> Tensor:
        """Vectors of features: [row, feature] to [row, d_model]."""


class Method(NamedTuple):
    """A way to swap.

    Attributes:
        name: Such as das.
        size: Dimensions, features or coordinates that are swapped.
        swap: What swaps.
        point: Name of the hook point whose vectors it takes: the residual stream after the layer,
            or the layer's post-activations.
    """

    name: str
    size: int
    swap: Swap
    point: str = RESID_POST


class Labelled(NamedTuple):
    """Vectors of entities that a method is fitted to, and what is known of an attribute of theirs.

    Attributes:
        vectors: At the entity's last token.
        labels: The attribute's value, as a number of it.
    """

    vectors: Float[Tensor, "row width"]
    labels: Int[np.ndarray, " row"]


def full() -> Method:
    """The whole vector swapped: the most that can be caused, and the least that is isolated."""
    return Method(FULL, 0, lambda base, source: source)


def within(basis: Float[Tensor, "width size"]) -> Swap:
    """A swap of the part that lies in a subspace.

    Args:
        basis: Orthonormal columns that span it.
    """

    def swap(base: Tensor, source: Tensor) -> Tensor:
        own = basis.to(base)
        return base + (source - base) @ own @ own.T

    return swap


def coordinates(chosen: Int[np.ndarray, " size"]) -> Swap:
    """A swap of some coordinates."""
    at = torch.from_numpy(np.asarray(chosen, dtype=np.int64))

    def swap(base: Tensor, source: Tensor) -> Tensor:
        swapped = base.clone()
        swapped[..., at] = source[..., at]
        return swapped

    return swap


def random_subspace(width: int, size: int, seed: int) -> Method:
    """A subspace drawn uniformly: what any of that size does."""
    drawn = np.random.default_rng(seed).standard_normal((width, size))
    return Method(RANDOM, size, within(torch.from_numpy(np.linalg.qr(drawn)[0])))


def diff_means(data: Labelled, size: int) -> Method:
    """The subspace in which the means of an attribute's values differ most.

    With two values it is the line along the difference of their means.

    Args:
        data: Vectors and values.
        size: Most dimensions; there are fewer where there are fewer values.
    """
    vectors = _numbers(data.vectors)
    values, counts = np.unique(data.labels, return_counts=True)
    means = np.stack([vectors[data.labels == value].mean(0) for value in values])
    around = means - np.average(means, axis=0, weights=counts)
    # Each mean counts as often as it has vectors: the variance between values.
    _, lengths, axes = np.linalg.svd(np.sqrt(counts)[:, None] * around, full_matrices=False)
    n = min(size, int((lengths > _ROUNDING * np.linalg.norm(vectors)).sum()))
    return Method(DIFF_MEANS, n, within(torch.from_numpy(axes[:n].T.copy())))


def pca(data: Labelled, size: int, *, chosen: bool = False) -> Method:
    """Principal components of the vectors: the first ones, or those that tell an attribute.

    Args:
        data: Vectors and values.
        size: Components.
        chosen: Whether they are chosen by `telling`; the first ones are the same whatever the
            attribute, so that they cannot tell one from another.
    """
    vectors = _numbers(data.vectors)
    around = vectors - vectors.mean(0)
    axes = np.linalg.svd(around, full_matrices=False)[2]  # [component, width]
    at = telling(around @ axes.T, data.labels, size) if chosen else np.arange(min(size, len(axes)))
    name = f"{PCA}_chosen" if chosen else PCA
    return Method(name, len(at), within(torch.from_numpy(axes[at].T.copy())))


def sae(model: SaeLike, data: Labelled, size: int) -> Method:
    """Features of a sparse autoencoder that tell an attribute; what it cannot say stays the base's.

    Args:
        model: The autoencoder, of the residual stream after the layer.
        data: Vectors and values.
        size: Features.
    """
    with torch.no_grad():
        at = torch.from_numpy(telling(_numbers(model.encode(data.vectors)), data.labels, size))

    def swap(base: Tensor, source: Tensor) -> Tensor:
        own, other = model.encode(base), model.encode(source)
        mixed = own.clone()
        mixed[..., at] = other[..., at]
        return base + (model.decode(mixed) - model.decode(own)).to(base)

    return Method(SAE, len(at), swap)


def neurons(data: Labelled, size: int, point: str = RESID_POST) -> Method:
    """Single coordinates that tell an attribute: of the residual stream, or neurons of the layer.

    Args:
        data: Vectors and values, at the hook point.
        size: Coordinates.
        point: Name of the hook point, `RESID_POST` or `MLP_POST`.
    """
    at = telling(_numbers(data.vectors), data.labels, size)
    name = MLP_NEURONS if point == MLP_POST else NEURONS
    return Method(name, len(at), coordinates(at), point)


def telling(
    features: Float64[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], size: int
) -> Int[np.ndarray, " chosen"]:
    """Features that tell the values of an attribute apart, rising; so many, or all that are used.

    Those of the strictest linear support vector classifier with an L1 penalty that uses so many
    (arXiv 2402.17700, section 4.2), by the sum of their |weights|; features are standardised, so
    that their scales do not count. Values that a single vector has are left out.

    Args:
        features: By vector.
        labels: The attribute's value, as a number of it.
        size: How many.
    """
    values, counts = np.unique(labels, return_counts=True)
    rows = np.isin(labels, values[counts > 1])
    if len(values[counts > 1]) < 2:  # nothing to tell apart but by single vectors
        rows = np.ones(len(labels), dtype=bool)
    own = features[rows]
    spread = own.std(0)
    live = np.flatnonzero(spread > _ROUNDING * np.abs(own).max())
    if not len(live) or len(np.unique(labels[rows])) < 2:
        return np.zeros(0, dtype=np.int64)
    scaled = (own[:, live] - own[:, live].mean(0)) / spread[live]
    weights = np.zeros(len(live))
    for strength in _STRENGTHS:
        weights = _weights(scaled, labels[rows], strength)
        if (weights > 0).sum() >= min(size, len(live)):
            break
    order = np.argsort(-weights, kind="stable")[: min(size, int((weights > 0).sum()))]
    return np.sort(live[order])


def _weights(
    scaled: Float64[np.ndarray, "row feature"], labels: Int[np.ndarray, " row"], strength: float
) -> Float64[np.ndarray, " feature"]:
    """Sum over values of each feature's |weight|."""
    classifier = LinearSVC(
        C=strength, penalty="l1", dual=False, tol=0.01, max_iter=_ITERATIONS, random_state=0
    )
    with warnings.catch_warnings():  # of a choice of features, the last digits do not matter
        warnings.simplefilter("ignore", ConvergenceWarning)
        found: Float64[np.ndarray, " feature"] = np.abs(classifier.fit(scaled, labels).coef_).sum(0)
    return found


def numbered(values: Sequence[int | str]) -> Int[np.ndarray, " row"]:
    """Values as numbers from 0, in their sorted order."""
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.int64)


def _numbers(vectors: Tensor) -> Float64[np.ndarray, "row width"]:
    found: Float64[np.ndarray, "row width"] = vectors.detach().cpu().double().numpy()
    return found
