"""Kurtosis of values that are pooled over positions and coordinates, beside what is possible.

The original evaluation pools in this way, over texts of few tokens. The first position's large
values then take nearly all of the possible maximum, whatever the text is: the number grows with how
many values there are, and no text can fail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, RESID_POST, HookPoint, hook_points
from clampsweep.studies.universal.convergence import possible
from clampsweep.studies.universal.value_stats import shape_of
from clampsweep.tables import Column, Schema

POOLED = Schema(
    "universal pooled",
    {
        "place": Column("str", "residual: after the middle layer; post: neurons of all layers"),
        "tokens": Column("int", "length of the texts"),
        "first": Column("bool", "whether the first position counts"),
        "n_values": Column("int", "values that are pooled"),
        "kurt": Column("float", "their kurtosis, median over texts", null=True),
        "possible": Column("float", "largest kurtosis of so many values"),
        "share": Column("float", "kurt / possible", null=True),
        "n_texts": Column("int", "number of texts"),
    },
    key=("place", "tokens", "first"),
)

LENGTHS = (3, 5, 9, 19, 33)


def pooled(model: Model, sequences: Sequence[Sequence[int]]) -> pd.DataFrame:
    """Rows of `POOLED`.

    Args:
        model: Loaded model.
        sequences: Token ids; their beginnings are the texts.
    """
    lengths = [length for length in LENGTHS if length <= min(map(len, sequences))]
    parts = [_of_length(model, sequences, length) for length in lengths]
    return pd.concat(parts, ignore_index=True)


def _of_length(model: Model, sequences: Sequence[Sequence[int]], length: int) -> pd.DataFrame:
    """Rows of texts of a length."""
    texts = [list(sequence[:length]) for sequence in sequences]
    found: dict[str, list[np.ndarray]] = {RESID_POST: [], MLP_POST: []}

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        found[point.name].append(vectors.cpu().numpy().reshape(len(texts), length, -1).copy())

    middle = HookPoint(model.n_layers // 2, RESID_POST)
    points = [middle, *hook_points(MLP_POST, range(model.n_layers))]
    for _ in capture(model, texts, None, points, receive, torch.float64, len(texts)):
        pass
    rows = []
    for place, name in (("residual", RESID_POST), ("post", MLP_POST)):
        values = np.concatenate(found[name], axis=2)  # [text, pos, coordinate]
        for first in (True, False):
            own = values[:, 0 if first else 1 :].reshape(len(texts), -1)
            kurt = float(np.median(shape_of(own).kurtosis))
            most = possible(own.shape[1])
            rows.append(
                {
                    "place": place,
                    "tokens": length,
                    "first": first,
                    "n_values": own.shape[1],
                    "kurt": kurt,
                    "possible": most,
                    "share": kurt / most,
                    "n_texts": len(texts),
                }
            )
    return pd.DataFrame(rows)
