"""What neurons say of tokens: moments over the vocabulary of cos(W_U, w_out), and their nulls.

Definitions: Gurnee et al. 2024, section 5.1. Prediction neurons have a kurtosis above 10 and
positive skew, suppression neurons the same with negative skew, partition neurons a high variance.
Kurtosis is Pearson's: a Gaussian's is 3.

The first two moments follow from mean and covariance of the tokens' directions; for the others each
neuron meets each token, in float32, in tiles that stay in the cache, and sums go on in float64.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.mlp import (
    FOLDED,
    RAW,
    Norms,
    fold,
    fold_unembedding,
    raw,
    read_norms,
    unembedding,
)
from clampsweep.tables import Column, Schema

CUT = 10.0  # kurtosis above which the paper's notebooks call a neuron one of prediction

SPHERE, MIXTURE = "random directions", "mixtures of a layer's neurons"
NULLS = (SPHERE, MIXTURE)

_MOMENTS = {
    "vocab_mean": Column("float", "mean over tokens of cos(W_U, w_out)"),
    "vocab_var": Column("float", "variance"),
    "vocab_skew": Column("float", "skew; null where the variance is 0", null=True),
    "vocab_kurt": Column("float", "kurtosis, a Gaussian's is 3; null likewise", null=True),
}

VOCABULARY = Schema(
    "un_vocab",
    {
        "processing": Column("str", "raw, or folded: final norm folded in, centred"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "place in the layer, from 0"),
        **_MOMENTS,
    },
    key=("processing", "layer", "neuron"),
)

VOCABULARY_NULL = Schema(
    "un_vocab_null",
    {
        "processing": Column("str", "raw or folded, as in un_vocab"),
        "null": Column("str", "random directions, or mixtures of a layer's neurons"),
        "layer": Column("int", "layer whose neurons are mixed; -1 for random directions"),
        "number": Column("int", "which of them, from 0"),
        **_MOMENTS,
    },
    key=("processing", "null", "layer", "number"),
)

_ROWS, _TOKENS = 256, 1024  # of a tile: 1 MB
_COLUMNS = tuple(_MOMENTS)


class Tokens(NamedTuple):
    """Directions of tokens, of length 1.

    Attributes:
        mean: Of them.
        covariance: Of them.
        off: Each less the mean, float32.
    """

    mean: Float64[Tensor, " d_model"]
    covariance: Float64[Tensor, "d_model d_model"]
    off: Float[Tensor, "token d_model"]


def vocabulary(model: Model, draws: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables `VOCABULARY` and `VOCABULARY_NULL` of a model.

    Args:
        model: Loaded model.
        draws: Random directions for each processing; as many mixtures over all layers, or more.
        seed: Of the draws.

    Raises:
        UserError: Its weights cannot be folded (`mlp.read_norms`).
    """
    norms, rows = read_norms(model), unembedding(model)
    found: list[pd.DataFrame] = []
    null: list[pd.DataFrame] = []
    for processing in (RAW, FOLDED):
        own = rows if processing == RAW else fold_unembedding(rows, norms.final)
        tokens = directions(own)
        generator = np.random.default_rng([seed, len(found)])
        drawn = _sphere(draws, norms, processing, generator, model.d_model)
        null.append(_frame(processing, -1, moments(drawn, tokens), null=SPHERE))
        n_mixed = -(-draws // model.n_layers)
        for layer in tqdm(range(model.n_layers), f"Vocabulary, {processing}", unit="layer"):
            mlp = raw(model, layer)
            writes = (mlp if processing == RAW else fold(mlp, norms, layer)).writes
            found.append(_frame(processing, layer, moments(writes, tokens)))
            mixed = mixtures(writes, n_mixed, generator)
            null.append(_frame(processing, layer, moments(mixed, tokens), null=MIXTURE))
    return pd.concat(found, ignore_index=True), pd.concat(null, ignore_index=True)


def directions(rows: Float[Tensor, "token d_model"]) -> Tokens:
    """The tokens' directions; a token whose row is 0 has none, and is left out."""
    lengths = rows.norm(dim=-1, keepdim=True)
    known = lengths[:, 0] > 0
    units = rows[known] / lengths[known]
    mean = units.mean(0)
    off = units - mean
    return Tokens(mean, off.T @ off / len(off), off.float())


def moments(
    writes: Float[Tensor, "neuron d_model"], tokens: Tokens
) -> Float64[np.ndarray, "neuron moment"]:
    """Mean, variance, skew and kurtosis over tokens of the cosine with each row; nan for none.

    Args:
        writes: What neurons write; only their directions count.
        tokens: What `directions` gives.
    """
    units = writes.double() / writes.double().norm(dim=-1, keepdim=True)
    mean = units @ tokens.mean
    variance = ((units @ tokens.covariance) * units).sum(-1)
    third = np.zeros(len(units))
    fourth = np.zeros(len(units))
    for start, (sum3, sum4) in _tiles(units.float(), tokens.off):
        third[start : start + _ROWS] += sum3
        fourth[start : start + _ROWS] += sum4
    n, spread = len(tokens.off), variance.clamp_min(0).sqrt().numpy()
    spread = np.where(spread > 1e-9, spread, np.nan)
    skew, kurtosis = third / n / spread**3, fourth / n / spread**4
    return np.stack([mean.numpy(), variance.numpy(), skew, kurtosis], axis=1)


def _tiles(
    units: Float[Tensor, "neuron d_model"], off: Float[Tensor, "token d_model"]
) -> Iterator[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    """Sums of third and fourth powers of each tile of cosines, and its first row."""
    for start in range(0, len(units), _ROWS):
        own = units[start : start + _ROWS]
        for first in range(0, len(off), _TOKENS):
            cosines = (own @ off[first : first + _TOKENS].T).numpy()
            squares = np.square(cosines)
            third = np.einsum("ij,ij->i", squares, cosines).astype(float)
            fourth = np.einsum("ij,ij->i", squares, squares).astype(float)
            yield start, (third, fourth)


def mixtures(
    writes: Float[Tensor, "neuron d_model"], n: int, generator: np.random.Generator
) -> Float[Tensor, "draw d_model"]:
    """Sums of a layer's output directions with Gaussian weights: the same subspace, no neuron.

    Args:
        writes: What the layer's neurons write.
        n: How many sums.
        generator: Of the weights.
    """
    parts = torch.from_numpy(generator.standard_normal((n, len(writes))))
    lengths = writes.norm(dim=-1, keepdim=True)
    return parts @ torch.where(lengths > 0, writes / lengths, 0).double()


def _sphere(
    n: int, norms: Norms, processing: str, generator: np.random.Generator, d_model: int
) -> Float[Tensor, "draw d_model"]:
    """Directions drawn uniformly; folded, they are centred as neurons are."""
    drawn = torch.from_numpy(generator.standard_normal((n, d_model)))
    centred = processing == FOLDED and norms.final.centred
    return drawn - drawn.mean(-1, keepdim=True) if centred else drawn


def _frame(processing: str, layer: int, found: np.ndarray, null: str | None = None) -> pd.DataFrame:
    """Rows of `VOCABULARY`, or of `VOCABULARY_NULL`."""
    number = np.arange(len(found))
    place = {"processing": processing, "layer": layer, "neuron": number}
    if null is not None:
        place = {"processing": processing, "null": null, "layer": layer, "number": number}
    return pd.DataFrame(place | dict(zip(_COLUMNS, found.T, strict=True)))
