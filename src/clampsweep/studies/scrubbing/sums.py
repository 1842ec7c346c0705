"""Sums of an example's losses over its positions in each category: what shards are made of.

They add up over examples, so that no step holds the losses of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.tables import Column, Schema

_EXAMPLE = {
    "block": Column("str", "block of examples"),
    "example": Column("int", "number of the example that was scrubbed"),
    "experiment": Column("str", "what was scrubbed"),
}

SUMS = Schema(
    "scrubbing sums",
    {
        **_EXAMPLE,
        "category": Column("str", "category of positions"),
        "count": Column("int", "number of the example's positions in it"),
        "total": Column("float", "sum of their losses, nats"),
        "squares": Column("float", "sum of their squared losses"),
    },
    key=("block", "example", "experiment", "category"),
)

LOSSES = Schema(
    "scrubbing losses",
    {
        **_EXAMPLE,
        "position": Column("int", "place of the input, from 0 (BOS)"),
        "input": Column("int", "token there"),
        "label": Column("int", "token after it"),
        "nll": Column("float", "loss of the label, nats"),
    },
    key=("block", "example", "experiment", "position"),
)

DRAWS = Schema(
    "scrubbing draws",
    {
        **_EXAMPLE,
        "draw": Column("int", "number of the draw in the experiment, from 1"),
        "other": Column("int", "number of the example that it is from"),
    },
    key=("block", "example", "experiment", "draw"),
)


def sums(
    example: int,
    nll: Float32[np.ndarray, "experiment pos"],
    flags: Bool[np.ndarray, "category pos"],
    names: Sequence[str],
) -> pd.DataFrame:
    """Rows of `SUMS` of an example, without the block.

    Args:
        example: Its number.
        nll: Its losses, nats.
        flags: Whether a position is in a category, in the order of `CATEGORIES`.
        names: Of the experiments.
    """
    losses, chosen = nll.astype(np.float64), flags.T.astype(np.float64)
    return pd.DataFrame(
        {
            "example": example,
            "experiment": np.repeat(names, len(CATEGORIES)),
            "category": list(CATEGORIES) * len(names),
            "count": np.tile(flags.sum(1), len(names)),
            "total": (losses @ chosen).ravel(),
            "squares": (losses**2 @ chosen).ravel(),
        }
    )


def losses_table(
    example: int,
    nll: Float32[np.ndarray, "experiment pos"],
    tokens: Int[np.ndarray, " token"],
    names: Sequence[str],
) -> pd.DataFrame:
    """Rows of `LOSSES` of an example, without the block.

    Args:
        example: Its number.
        nll: Its losses, nats.
        tokens: Its tokens, BOS first.
        names: Of the experiments.
    """
    n_pos = nll.shape[1]
    return pd.DataFrame(
        {
            "example": example,
            "experiment": np.repeat(names, n_pos),
            "position": np.tile(np.arange(n_pos), len(names)),
            "input": np.tile(tokens[:-1], len(names)),
            "label": np.tile(tokens[1:], len(names)),
            "nll": nll.astype(np.float64).ravel(),
        }
    )


def draws_table(
    example: int, draws: Sequence[Mapping[int, int]], names: Sequence[str]
) -> pd.DataFrame:
    """Rows of `DRAWS` of an example, without the block.

    Args:
        example: Its number.
        draws: For each experiment, number of the draw -> the example that it is from.
        names: Of the experiments.
    """
    rows = [
        (example, name, draw, other)
        for name, own in zip(names, draws, strict=True)
        for draw, other in own.items()
    ]
    return pd.DataFrame(rows, columns=["example", "experiment", "draw", "other"])
