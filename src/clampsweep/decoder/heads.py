"""What the logits of many rows are made of: residuals that they share, and their own shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class Shifts:
    """Edits of the last layer that the residual streams of a `Heads` do not hold yet.

    Attributes:
        row: Row of each.
        number: The direction it moves its row along.
        delta: How far.
        directions: What one unit of a neuron adds to the residual stream.
        unembedded: `Unembedding.unembed` of the directions.
    """

    row: Int[Tensor, " edit"]
    number: Int[Tensor, " edit"]
    delta: Float[Tensor, " edit"]
    directions: Float[Tensor, "direction d_model"]
    unembedded: Float[Tensor, "direction d_vocab"] | None


@dataclass
class Heads:
    """The newest position of some rows, before the final norm.

    Attributes:
        residual: Residual stream of the bases.
        base: The base of each row; None if row and base are the same.
        shifts: How rows differ from their bases, if they do.
    """

    residual: Float[Tensor, "base d_model"]
    base: Int[Tensor, " row"] | None = None
    shifts: Shifts | None = None

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.residual if self.base is None else self.base)

    @classmethod
    def join(cls, parts: Sequence[Heads]) -> Heads:
        """The rows of all parts, one part after the other; all have the same directions."""
        bases, shifts = [], []
        n_bases = n_rows = 0
        for part in parts:
            if part.base is not None:
                bases.append(part.base + n_bases)
            if part.shifts is not None:
                shifts.append(replace(part.shifts, row=part.shifts.row + n_rows))
            n_bases, n_rows = n_bases + len(part.residual), n_rows + len(part)
        return cls(
            torch.cat([part.residual for part in parts]),
            torch.cat(bases) if bases else None,
            _joined(shifts) if shifts else None,
        )

    def rows(self) -> Float[Tensor, "row d_model"]:
        """The residual stream of every row."""
        found = self.residual if self.base is None else self.residual[self.base]
        if self.shifts is None:
            return found
        step = self.shifts.delta[:, None] * self.shifts.directions[self.shifts.number]
        return found.index_add(0, self.shifts.row, step)


def _joined(shifts: Sequence[Shifts]) -> Shifts:
    return replace(
        shifts[0],
        row=torch.cat([one.row for one in shifts]),
        number=torch.cat([one.number for one in shifts]),
        delta=torch.cat([one.delta for one in shifts]),
    )
