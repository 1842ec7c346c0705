"""What neurons do to the vocabulary: moments of the cosines of W_out with all rows of W_U.

Prediction neurons raise some tokens far above the rest: a high kurtosis, positively skewed;
suppression neurons lower some (Gurnee et al. 2024, section 5.1). In a random direction the cosines
are close to Gaussian; how close, random directions tell.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.weights import FOLDED, RAW, layer_weights, unembedding
from clampsweep.tables import Column, Schema

_MOMENTS = {
    "vocab_mean": Column("float", "mean cosine of w_out with the rows of W_U"),
    "vocab_var": Column("float", "variance of these cosines (biased)"),
    "vocab_skew": Column("float", "skewness of these cosines", null=True),
    "vocab_kurt": Column(
        "float", "Pearson kurtosis of these cosines (3 for a Gaussian)", null=True
    ),
}

VOCAB = Schema(
    "universal vocabulary",
    {
        "processing": Column("str", "raw, or folded: with the final norm, W_U centred"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        **_MOMENTS,
    },
    key=("processing", "layer", "neuron"),
)

VOCAB_NULL = Schema(
    "universal vocabulary null",
    {
        "processing": Column("str", "raw or folded"),
        "draw": Column("int", "random direction, from 0"),
        **_MOMENTS,
    },
    key=("processing", "draw"),
)

CUT = 10.0  # vocab_kurt of a prediction or suppression neuron (the paper's notebook)

_ROWS_AT_ONCE = 2048  # directions: their products with 4,096 tokens are 32 MB


def vocabulary(model: Model) -> pd.DataFrame:
    """The table `VOCAB`.

    2 * neurons * tokens * d_model FLOP for each processing: 2.6 TFLOP for 46,080 neurons, 49,152
    tokens and a width of 576.

    Args:
        model: Loaded model.
    """
    columns, parts = list(VOCAB.columns), []
    for processing in (RAW, FOLDED):
        rows = _unit_rows(model, processing)
        for layer in tqdm(range(model.n_layers), desc=processing, unit="layer", mininterval=1):
            own = vocab_moments(layer_weights(model, layer, processing).out, rows)
            own = own.assign(processing=processing, layer=layer, neuron=np.arange(len(own)))
            parts.append(own[columns])
    return pd.concat(parts, ignore_index=True)


def random_directions(model: Model, n_draws: int, seed: int) -> pd.DataFrame:
    """The table `VOCAB_NULL`: what directions that mean nothing have.

    Args:
        model: Loaded model.
        n_draws: Number of directions for each processing.
        seed: Of the directions.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(n_draws, model.d_model, generator=generator, dtype=torch.float64)
    columns, parts = list(VOCAB_NULL.columns), []
    for processing in (RAW, FOLDED):
        own = vocab_moments(drawn, _unit_rows(model, processing))
        parts.append(own.assign(processing=processing, draw=np.arange(n_draws))[columns])
    return pd.concat(parts, ignore_index=True)


def _unit_rows(model: Model, processing: str) -> Float[Tensor, "token d_model"]:
    """Rows of W_U of length 1, float32."""
    rows = [functional.normalize(part, dim=1).float() for part in unembedding(model, processing)]
    return torch.cat(rows)


def vocab_moments(
    directions: Float64[Tensor, "direction d_model"], tokens: Float[Tensor, "token d_model"]
) -> pd.DataFrame:
    """Columns `vocab_mean`, `vocab_var`, `vocab_skew`, `vocab_kurt` of each direction.

    Args:
        directions: Of any length.
        tokens: Rows of W_U of length 1, float32.
    """
    units = functional.normalize(directions, dim=1)
    found = [_moments(part.float(), tokens) for part in torch.split(units, _ROWS_AT_ONCE)]
    return pd.DataFrame(np.concatenate(found), columns=list(_MOMENTS))


def _moments(
    units: Float[Tensor, "direction d_model"], tokens: Float[Tensor, "token d_model"]
) -> Float64[np.ndarray, "direction four"]:
    """Moments of cosines; about each direction's mean, which is known before."""
    n = len(tokens)
    mean = units.double() @ tokens.double().mean(0)
    sums = torch.zeros(3, len(units), dtype=torch.float64)
    for part in torch.split(tokens, 4096):
        away = torch.addmm(-mean.float()[:, None], units, part.T)  # [direction, token]
        square = away * away
        sums[0] += square.sum(1, dtype=torch.float64)
        sums[1] += torch.einsum("dt,dt->d", square, away).double()
        sums[2] += torch.einsum("dt,dt->d", square, square).double()
    two, three, four = sums / n
    two = torch.where(two > 0, two, torch.nan)
    return torch.stack([mean, two.nan_to_num(), three / two**1.5, four / two**2], 1).numpy()
