"""What the logits of many rows are made of: residuals that they share, and their own shifts.

`Heads` are the rows before the final norm, `Factors` the same after it, taken apart so that one
product with the unembedding serves all rows of a base.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad


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
        n_bases = n_rows = 0  # of the parts before
        for part in parts:
            if part.base is not None:
                bases.append(part.base + n_bases)  # [row of the part]
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
        residual = self.residual if self.base is None else self.residual[self.base]  # [row, ...]
        if self.shifts is None:
            return residual
        shifts = self.shifts
        step = shifts.delta[:, None] * shifts.directions[shifts.number]  # [edit, d_model]
        return residual.index_add(0, shifts.row, step)  # a row may have several


def _joined(shifts: Sequence[Shifts]) -> Shifts:
    return replace(
        shifts[0],
        row=torch.cat([part.row for part in shifts]),
        number=torch.cat([part.number for part in shifts]),
        delta=torch.cat([part.delta for part in shifts]),
    )


@dataclass
class Factors:
    """Logits as `(x @ W^T of each row's base + coefficient @ extra) / scale`.

    Attributes:
        x: Input of the unembedding.
        base: The base of each row; None if row and base are the same.
        coefficient: How much of each further vector a row's logits hold.
        extra: The further vectors, such as unembedded directions or a bias.
        scale: What the final norm divides each row by.
    """

    x: Float[Tensor, "base d_model"]
    base: Int[Tensor, " row"] | None
    coefficient: Float[Tensor, "row extra"]
    extra: Float[Tensor, "extra d_vocab"]
    scale: Float[Tensor, " row"]

    @property
    def bases(self) -> Int[Tensor, " row"]:
        """The base of each row, said in any case."""
        if self.base is not None:
            return self.base
        return torch.arange(len(self.scale), device=self.scale.device)

    def take(self, rows: slice) -> Factors:
        """Some of the rows, of the same bases."""
        return Factors(
            self.x, self.bases[rows], self.coefficient[rows], self.extra, self.scale[rows]
        )

    def rows(
        self, scores: Float[Tensor, "base column"], columns: slice
    ) -> Float[Tensor, "row column"]:
        """Scores of every row from those of the bases, before the scale.

        Args:
            scores: `x @ W^T`, at some columns of the vocabulary and perhaps padding after these.
            columns: The columns.
        """
        by_row = scores if self.base is None else scores[self.base]  # [row, column]
        if not len(self.extra):
            return by_row
        extra = self.extra[:, columns]
        # The last slice's scores are wider than the vocabulary: what is added beyond it is 0.
        extra = pad(extra, (0, scores.shape[1] - extra.shape[1]))  # [extra, column]
        return torch.addmm(by_row, self.coefficient, extra)  # [row, extra] @ [extra, column]

    def at(
        self, scores: Float[Tensor, "row block"], token: Int[Tensor, "row block"]
    ) -> Float[Tensor, "row block"]:
        """Scores of some tokens of every row, before the scale.

        Args:
            scores: `x @ W^T` of each row's base at them.
            token: The tokens; those beyond the vocabulary keep a score of -inf.
        """
        if not len(self.extra):
            return scores
        known = token.clamp(max=self.extra.shape[1] - 1)  # any finite number will do beyond it
        extra = self.extra[:, known].transpose(0, 1)  # [row, extra, block]
        return scores + (self.coefficient[:, :, None] * extra).sum(1)  # [row, extra, 1] * extra
