"""GT3: are the dimensions of the embedding special, as a basis?

In a basis that means nothing, such as one that is turned at random, a dimension's kurtosis over the
vocabulary is that of any direction. So the embedding's dimensions are held against those of the
same embedding in random orthogonal bases.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.rotation import ORTHOGONAL, rotation
from clampsweep.tables import Column, Schema

EMBEDDINGS = Schema(
    "universal embeddings",
    {
        "dimension": Column("int", "coordinate of the residual stream, from 0"),
        "kurt": Column("float", "Pearson kurtosis over the vocabulary (3 for a Gaussian)"),
        "beyond": Column("bool", "whether it is above the 95th percentile of the bases' maxima"),
    },
    key=("dimension",),
)

ROTATIONS = Schema(
    "universal rotations",
    {
        "rotation": Column("int", "random orthogonal basis, from 0"),
        "mean": Column("float", "mean kurtosis of its dimensions"),
        "max": Column("float", "largest kurtosis of its dimensions"),
    },
    key=("rotation",),
)

MOST_TOKENS = 50_000
"""Tokens of the vocabulary that are looked at; of a larger one so many, drawn by lot."""

_ROWS_AT_ONCE = 1024  # tokens: their products with a basis of 640 are 2.6 MB, and stay in the cache


class Centred(NamedTuple):
    """An embedding about its mean, float32, and the sums of products of its coordinates, float64.

    With these a basis costs one product of matrices: second moments follow from the sums.
    """

    rows: Float[Tensor, "token d_model"]
    products: Float64[Tensor, "d_model d_model"]

    @classmethod
    def of(cls, rows: Float[Tensor, "token d_model"]) -> Centred:
        """An embedding, float32, about its mean."""
        centred = rows - rows.mean(0, dtype=torch.float64).to(rows)
        width = rows.shape[1]
        products = torch.zeros(width, width, dtype=torch.float64)
        for part in torch.split(centred, 16 * _ROWS_AT_ONCE):
            products += part.double().T @ part.double()
        return cls(centred, products)

    def kurtosis(
        self, basis: Float[Tensor, "d_model direction"] | None = None
    ) -> Float64[np.ndarray, " direction"]:
        """Pearson kurtosis over tokens of each coordinate, in a basis or as it stands.

        Args:
            basis: Directions of length 1, in its columns; None for the coordinates themselves.
        """
        basis = torch.eye(len(self.products)) if basis is None else basis
        two = (basis.double() * (self.products @ basis.double())).sum(0)
        four = torch.zeros_like(two)
        for part in torch.split(self.rows, _ROWS_AT_ONCE):
            powers = (part @ basis).square_().square_()
            four += torch.ones(len(part)) @ powers
        found: np.ndarray = (four * len(self.rows) / two**2).numpy()
        return found


def rotated(rows: Float[Tensor, "token d_model"], n_rotations: int, seed: int) -> pd.DataFrame:
    """The table `ROTATIONS`.

    2 * tokens * d_model^2 FLOP each: 33 GFLOP for 49,152 tokens of 576.

    Args:
        rows: The embedding.
        n_rotations: Number of random bases.
        seed: Of the bases.
    """
    rng, own = np.random.default_rng(seed), Centred.of(rows)
    found = []
    for number in tqdm(range(n_rotations), unit="rotation", mininterval=1):
        basis = torch.from_numpy(rotation(ORTHOGONAL, rows.shape[1], rng, np.float64))
        values = own.kurtosis(basis.float())
        found.append({"rotation": number, "mean": values.mean(), "max": values.max()})
    return pd.DataFrame(found)


def known_rows(
    model: Model, seed: int = 0, most: int = MOST_TOKENS
) -> Float[Tensor, "token d_model"]:
    """The embedding of the tokens that the tokenizer has, float32 on the CPU.

    Args:
        model: Loaded model; rows that only fill a size up are left out.
        seed: Decides which tokens of a large vocabulary are drawn.
        most: Tokens that are drawn, where there are more.
    """
    weight = model.plain.get_input_embeddings().weight.detach()
    known = sorted(at for at in model.tokenizer.get_vocab().values() if at < len(weight))
    if len(known) > most:
        lot = torch.Generator().manual_seed(seed)
        known = sorted(known[at] for at in torch.randperm(len(known), generator=lot)[:most])
    rows: Tensor = weight[known].float().cpu()
    return rows


def embeddings(rows: Float[Tensor, "token d_model"], turned: pd.DataFrame) -> pd.DataFrame:
    """The table `EMBEDDINGS`.

    Args:
        rows: The embedding of the tokens that the tokenizer has.
        turned: `ROTATIONS` of it.
    """
    values = Centred.of(rows).kurtosis()
    cut = float(np.quantile(turned["max"], 0.95))
    return pd.DataFrame(
        {"dimension": np.arange(len(values)), "kurt": values, "beyond": values > cut}
    )
