"""Steering: a multiple of a direction, added to the residual stream after a layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from clampsweep.decoder.interventions import Edit
from clampsweep.errors import finite, shown


@dataclass(frozen=True, eq=False)
class Steer:
    """What is added to the residual stream after a layer (`blocks.<layer>.hook_resid_post`).

    Attributes:
        layer: The layer.
        vector: The direction, of any length; whatever numbers are given, they are kept as float64.
        multiple: How many times it is added.

    Raises:
        TypeError: A field is of another kind.
        ValueError: A number is not finite.
    """

    layer: int
    vector: Float64[np.ndarray, " d_model"]
    multiple: float

    def __post_init__(self) -> None:
        """Check the fields, and take the vector as float64."""
        finite("multiple", self.multiple)
        object.__setattr__(self, "vector", _vector(self.vector))


def _vector(given: object) -> Float64[np.ndarray, " d_model"]:
    """A direction's coordinates."""
    if isinstance(given, Tensor):
        given = given.detach().cpu().double()
    try:
        vector = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"vector: got {shown(given)}; write a row of numbers") from None
    if vector.ndim != 1 or not np.isfinite(vector).all():
        what = f"an array of shape {vector.shape}" if vector.ndim != 1 else "one that is not finite"
        raise ValueError(f"vector: got {what}; write d_model finite numbers")
    return vector


Change = Edit | Steer
"""What a row's intervention consists of."""

_Kind = TypeVar("_Kind", Edit, Steer)


def pairs_by_layer(
    rows: Sequence[Sequence[object]], kind: type[_Kind]
) -> dict[int, list[tuple[int, _Kind]]]:
    """Changes of one kind in a batch by layer, the lowest first: each with the number of its row.

    Args:
        rows: The changes of each row, in batch order.
        kind: Others are left out.
    """
    pairs_of: dict[int, list[tuple[int, _Kind]]] = {}
    for row, changes in enumerate(rows):
        for change in changes:
            if isinstance(change, kind):
                pairs_of.setdefault(change.layer, []).append((row, change))
    return dict(sorted(pairs_of.items()))


@dataclass
class LayerSteers:
    """What is added after one layer in a batch; equal directions are held once.

    Attributes:
        row: Batch row of each.
        multiple: How many times the direction is added.
        number: Its direction.
        vectors: The directions.
    """

    row: Int[Tensor, " steer"]
    multiple: Float[Tensor, " steer"]
    number: Int[Tensor, " steer"]
    vectors: Float[Tensor, "direction d_model"]

    def select(self, rows: Int[Tensor, " kept"], n_rows: int) -> LayerSteers:
        """Those of the rows that stay in a batch of `n_rows`, renumbered."""
        renumbered = torch.full((n_rows,), -1, device=self.row.device)  # [row], -1 if it leaves
        renumbered[rows] = torch.arange(len(rows), device=self.row.device)
        row = renumbered[self.row]  # [steer]
        stay = row >= 0
        return replace(self, row=row[stay], multiple=self.multiple[stay], number=self.number[stay])

    def add_to(
        self, residual: Float[Tensor, "row pos d_model"], covered: Bool[Tensor, " pos"]
    ) -> Float[Tensor, "row pos d_model"]:
        """The residual stream, steered where the scope covers it; the input is left as it was."""
        if not len(self.row) or not bool(covered.any()):
            return residual
        step = self.multiple[:, None] * self.vectors[self.number]  # [steer, d_model]
        # [steer, 1, d_model] * [pos, 1], added to the rows
        return residual.index_add(0, self.row, step[:, None] * covered[:, None].to(step))


def steers_by_layer(
    rows: Sequence[Sequence[Change]], device: torch.device, dtype: torch.dtype
) -> dict[int, LayerSteers]:
    """What is added in a batch, gathered by layer.

    Args:
        rows: The changes of each row, in batch order; edits of neurons are left out.
        device: Where the model is.
        dtype: The model's.
    """
    by_layer = pairs_by_layer(rows, Steer)
    return {layer: _gathered(pairs, device, dtype) for layer, pairs in by_layer.items()}


def _gathered(
    pairs: Sequence[tuple[int, Steer]], device: torch.device, dtype: torch.dtype
) -> LayerSteers:
    distinct: dict[bytes, int] = {}  # number of each direction, by its content
    number = [distinct.setdefault(steer.vector.tobytes(), len(distinct)) for _, steer in pairs]
    vectors = np.stack([np.frombuffer(content) for content in distinct])  # [direction, d_model]
    return LayerSteers(
        row=torch.tensor([row for row, _ in pairs], device=device),
        multiple=torch.tensor([steer.multiple for _, steer in pairs], device=device, dtype=dtype),
        number=torch.tensor(number, device=device),
        vectors=torch.from_numpy(vectors).to(device, dtype),
    )
