"""GT3: are the dimensions of the embedding special, as a basis?

In a basis that means nothing, such as one that is turned at random, a dimension's kurtosis over the
vocabulary is that of any direction. So the embedding's dimensions are held against those of the
same embedding in random orthogonal bases.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
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

_ROWS_AT_ONCE = 4096  # tokens: their products with a basis of 640 are 10 MB


def kurtosis(
    rows: Float[Tensor, "token d_model"], basis: Float[Tensor, "d_model direction"] | None = None
) -> Float64[np.ndarray, " direction"]:
    """Pearson kurtosis over tokens of each coordinate, in a basis or as it stands.

    Args:
        rows: The embedding, float32.
        basis: Directions of length 1, in its columns; None for the coordinates themselves.
    """
    mean = rows.mean(0, dtype=torch.float64)
    two = torch.zeros(rows.shape[1] if basis is None else basis.shape[1], dtype=torch.float64)
    four = torch.zeros_like(two)
    for part in torch.split(rows - mean.to(rows), _ROWS_AT_ONCE):
        square = (part if basis is None else part @ basis).square_()
        two += square.sum(0, dtype=torch.float64)
        four += square.square_().sum(0, dtype=torch.float64)
    return (four * len(rows) / two**2).numpy()


def rotation(width: int, generator: torch.Generator) -> Float[Tensor, "width width"]:
    """A random orthogonal matrix, all equally likely (Mezzadri 2007), float32.

    Args:
        width: Its size.
        generator: What it is drawn with.
    """
    q, r = torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))
    turned: Tensor = (q * r.diagonal().sign()).float()
    return turned


def rotated(rows: Float[Tensor, "token d_model"], n_rotations: int, seed: int) -> pd.DataFrame:
    """The table `ROTATIONS`.

    2 * tokens * d_model^2 FLOP each: 33 GFLOP for 49,152 tokens of 576.

    Args:
        rows: The embedding.
        n_rotations: Number of random bases.
        seed: Of the bases.
    """
    generator = torch.Generator().manual_seed(seed)
    found = []
    for number in tqdm(range(n_rotations), unit="rotation", mininterval=1):
        values = kurtosis(rows, rotation(rows.shape[1], generator))
        found.append({"rotation": number, "mean": values.mean(), "max": values.max()})
    return pd.DataFrame(found)


def known_rows(model: Model) -> Float[Tensor, "token d_model"]:
    """The embedding of the tokens that the tokenizer has, float32 on the CPU.

    Args:
        model: Loaded model; rows that only fill a size up are left out.
    """
    weight = model.plain.get_input_embeddings().weight.detach()
    known = sorted(at for at in model.tokenizer.get_vocab().values() if at < len(weight))
    rows: Tensor = weight[known].float().cpu()
    return rows


def embeddings(rows: Float[Tensor, "token d_model"], turned: pd.DataFrame) -> pd.DataFrame:
    """The table `EMBEDDINGS`.

    Args:
        rows: The embedding of the tokens that the tokenizer has.
        turned: `ROTATIONS` of it.
    """
    values = kurtosis(rows)
    cut = float(np.quantile(turned["max"], 0.95))
    return pd.DataFrame(
        {"dimension": np.arange(len(values)), "kurt": values, "beyond": values > cut}
    )
