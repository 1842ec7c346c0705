"""Tables of moments by block of documents: made from a model, and read to be added up.

So a bootstrap over blocks needs no second run of the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from clampsweep.errors import UserError
from clampsweep.models.capture import Rows, capture
from clampsweep.models.hook_points import width
from clampsweep.models.model import Model
from clampsweep.models.moments import Moments, Sums
from clampsweep.names import HookPoint

_ROWS_AT_ONCE = 128  # positions whose powers stay in the cache: 1.5 MB for 1,536 neurons


class Blocks(NamedTuple):
    """A `MOMENTS` table as arrays.

    Attributes:
        names: Of the blocks.
        neurons: Hook point, layer and number of each neuron, in its columns' order.
        sums: [block, neuron].
    """

    names: list[str]
    neurons: pd.DataFrame
    sums: Sums


def blocks_of(table: pd.DataFrame) -> Blocks:
    """Moments by block and neuron, to be added up.

    Args:
        table: Rows of `MOMENTS`, of one or several files.

    Raises:
        UserError: A block lacks a neuron that another one has.
    """
    place = ["hook_point", "layer", "neuron"]
    names = sorted(table["block"].unique())
    table = table.sort_values(["block", *place])
    neurons = table.loc[table["block"] == names[0], place].reset_index(drop=True)
    for name in names:
        own = table.loc[table["block"] == name, place].reset_index(drop=True)
        if not own.equals(neurons):
            raise UserError(
                f"moments: block {name!r} has other neurons than block {names[0]!r}; make both of "
                "the same model and hook points"
            )
    shape = len(names), len(neurons)
    sums = Sums(*(table[name].to_numpy(float).reshape(shape) for name in Sums._fields))
    return Blocks(names, neurons, sums)


def block_moments(
    model: Model,
    sequences: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]] | None,
    points: Sequence[HookPoint],
    block: str,
    rows_per_forward: int = 32,
) -> pd.DataFrame:
    """Moments of a block of documents at hook points (`MOMENTS`).

    Args:
        model: Loaded model.
        sequences: Token ids of the block's documents.
        positions: Of each sequence those that count; None for all.
        points: Hook points; no attention patterns.
        block: Name of the block.
        rows_per_forward: Most sequences in one pass.

    Raises:
        UserError: As `capture`.
    """
    moments = {point: Moments(width(model, point)) for point in points}

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        values = vectors.cpu().numpy()
        for start in range(0, len(values), _ROWS_AT_ONCE):
            moments[point].add(values[start : start + _ROWS_AT_ONCE])

    for _ in capture(model, sequences, positions, points, receive, torch.float64, rows_per_forward):
        pass
    return pd.concat(
        [_frame(block, point, one.sums) for point, one in moments.items()], ignore_index=True
    )


def _frame(block: str, point: HookPoint, sums: Sums) -> pd.DataFrame:
    counts = {name: getattr(sums, name).astype(np.int64) for name in ("n", "n_positive")}
    place = {
        "block": block,
        "hook_point": point.name,
        "layer": point.layer,
        "neuron": np.arange(len(sums.n)),
    }
    return pd.DataFrame({**place, **sums._asdict(), **counts})
