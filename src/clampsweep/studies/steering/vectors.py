"""Steering vectors: mean differences of residuals of answers that match and that do not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

from clampsweep.tables import Column, Schema

VECTORS = Schema(
    "steering vectors",
    {
        "behaviour": Column("str", "what its pairs show"),
        "layer": Column("int", "layer after which residuals were read"),
        "extraction": Column("str", "where: text_mean, over the answer's tokens; or letter"),
        "fold": Column("str", "of which pairs: train, or shuffled/N with labels dealt out anew"),
        "n_pairs": Column("int", "number of these pairs"),
        "norm": Column("float", "length of the vector"),
        "coherence": Column("float", "mean cosine of a pair's difference with the others' mean"),
        "separation": Column("float", "d' of answers along the vector, each pair left out in turn"),
        "vector": Column("vector", "mean of matching less mean of other answers"),
    },
    key=("behaviour", "layer", "extraction", "fold"),
)


class MeanDifference(NamedTuple):
    """A vector and how well its pairs agree on it.

    Attributes:
        vector: Mean of the matching less mean of the others.
        norm: Its length.
        coherence: Mean over pairs of the cosine of a pair's difference with the mean difference of
            the other pairs; -1 to 1. nan for a single pair.
        separation: Difference of the two sides' mean along the vector of the other pairs, in
            standard deviations (d'). nan for fewer than 3 pairs.
    """

    vector: Float64[np.ndarray, " d_model"]
    norm: float
    coherence: float
    separation: float


def mean_difference(
    match: Float[np.ndarray, "pair d_model"], nonmatch: Float[np.ndarray, "pair d_model"]
) -> MeanDifference:
    """The steering vector of some pairs (contrastive activation addition, arXiv 2312.06681).

    Args:
        match: Residuals of the answers that match.
        nonmatch: Of the others, in the same order.

    Raises:
        ValueError: There is no pair, or shapes differ, or a number is not finite.
    """
    one, other = np.asarray(match, np.float64), np.asarray(nonmatch, np.float64)
    if one.shape != other.shape or one.ndim != 2 or not len(one):
        raise ValueError(f"got residuals of shapes {one.shape}, {other.shape}; write equal ones")
    differences = one - other
    if not np.isfinite(differences).all():
        raise ValueError("residuals are not finite")
    n, vector = len(one), differences.mean(0)
    coherence = separation = np.nan
    if n > 1:
        rest = (vector * n - differences) / (n - 1)  # [pair, d_model]: mean of the others
        coherence = float(np.mean(_cosines(differences, rest)))
        if n > 2:
            units = rest / np.maximum(np.linalg.norm(rest, axis=1, keepdims=True), 1e-300)
            along = (one * units).sum(1), (other * units).sum(1)  # [pair] each
            spread = np.sqrt((along[0].var(ddof=1) + along[1].var(ddof=1)) / 2)
            apart = along[0].mean() - along[1].mean()
            separation = float(apart / spread) if spread else np.nan
    return MeanDifference(vector, float(np.linalg.norm(vector)), coherence, separation)


def shuffled(
    match: Float[np.ndarray, "pair d_model"], nonmatch: Float[np.ndarray, "pair d_model"], seed: int
) -> Float64[np.ndarray, " d_model"]:
    """The mean difference with the sides of half of the pairs exchanged: the control of labels.

    Args:
        match: Residuals of the answers that match.
        nonmatch: Of the others.
        seed: Of the choice of pairs.
    """
    n = len(match)
    signs = np.where(np.random.default_rng(seed).permutation(n) < n // 2, -1.0, 1.0)
    differences = np.asarray(match, np.float64) - np.asarray(nonmatch, np.float64)
    found: np.ndarray = (signs[:, None] * differences).mean(0)
    return found


def random_vectors(
    n: int, norm: float, d_model: int, seed: int
) -> Float64[np.ndarray, "vector d_model"]:
    """Directions drawn evenly from all, of a given length.

    Args:
        n: How many.
        norm: Their length.
        d_model: Width of the residual stream.
        seed: Of the draws.
    """
    drawn = np.random.default_rng(seed).standard_normal((n, d_model))
    found: np.ndarray = norm * drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    return found


def cosine_matrix(
    vectors: Float[np.ndarray, "vector d_model"],
) -> Float64[np.ndarray, "vector vector"]:
    """Cosines of vectors with one another, -1 to 1.

    Args:
        vectors: None of them zero.
    """
    own = np.asarray(vectors, np.float64)
    units = own / np.linalg.norm(own, axis=1, keepdims=True)
    found: np.ndarray = np.clip(units @ units.T, -1, 1)
    return found


def _cosines(
    one: Float64[np.ndarray, "row d_model"], other: Float64[np.ndarray, "row d_model"]
) -> Float64[np.ndarray, " row"]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: np.ndarray = (one * other).sum(1) / np.maximum(lengths, 1e-300)
    return found
