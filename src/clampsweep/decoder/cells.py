"""The tokens of one pass as the rows see them, and a layer's edits set out over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.layer_edits import LayerEdits
from clampsweep.decoder.steering import LayerSteers
from clampsweep.names import OWN


class Ranges(NamedTuple):
    """Values that are repeated, and the number of each repetition, from 0."""

    value: Int[Tensor, " token"]
    within: Int[Tensor, " token"]


def ranges(values: Int[Tensor, " value"], lengths: Int[Tensor, " value"]) -> Ranges:
    """Each value as often as its length says, and the numbers from 0 within each."""
    start = lengths.cumsum(0) - lengths  # [value], where its repetitions begin
    total = int(lengths.sum())
    # [token]: a running number, less that of the first repetition of the same value
    within = torch.arange(total, device=values.device) - start.repeat_interleave(lengths)
    return Ranges(values.repeat_interleave(lengths), within)


class CellsOfEdits(NamedTuple):
    """Pairs of a cell and an edit of its row."""

    cell: Int[Tensor, " pair"]
    edit: Int[Tensor, " pair"]


@dataclass
class Cells:
    """The tokens of one pass as the rows see them: a cell is one position of one row.

    Attributes:
        token: The packed token, in the layers that rows share, of each cell.
        row: Its row; the cells of a row stand together.
        position: Its absolute position.
        expand: Whether each cell is computed on its own above the split layer.
        generated: Whether these are generated positions.
    """

    token: Int[Tensor, " cell"]
    row: Int[Tensor, " cell"]
    position: Int[Tensor, " cell"]
    expand: bool
    generated: bool

    def of_edits(self, edit_rows: Int[Tensor, " edit"], n_rows: int) -> CellsOfEdits:
        """Every pair of an edit and a cell of the edit's row.

        Args:
            edit_rows: Row of each edit; it may have no cell in this pass.
            n_rows: Number of rows in the job.
        """
        count = torch.bincount(self.row, minlength=n_rows)  # [row], its cells
        cell = torch.arange(len(self.row), device=self.row.device)  # [cell]
        first = torch.zeros_like(count)  # [row]; stays 0 where a row has no cell: none is taken
        # [cell] into [row]: the cells of a row stand together, so the lowest is their start
        first.scatter_reduce_(0, self.row, cell, "amin", include_self=False)
        edit = torch.arange(len(edit_rows), device=self.row.device)  # [edit]
        edit, within = ranges(edit, count[edit_rows])  # [pair] each
        return CellsOfEdits(first[edit_rows[edit]] + within, edit)

    def covered(
        self, cell: Int[Tensor, " pair"], scope: Scope, n_prompt: Int[Tensor, " row"]
    ) -> Bool[Tensor, " pair"]:
        """Whether a scope reaches each of some cells.

        Args:
            cell: The cells.
            scope: Positions that are changed.
            n_prompt: Tokens of each row's prompt.
        """
        if scope.reruns_newest:  # comes here in the last layer only, where only the newest counts
            return torch.ones_like(cell, dtype=torch.bool)
        return scope.covers(self.position[cell], n_prompt[self.row[cell]])


@dataclass
class EditedCells:
    """One layer's edits in one pass, once for every cell of their rows.

    Attributes:
        cell: Cell of each.
        number: Its number among the layer's edits.
        edits: What it does.
        position: Absolute position of the cell.
        covered: Whether the scope reaches it.
    """

    cell: Int[Tensor, " pair"]
    number: Int[Tensor, " pair"]
    edits: LayerEdits
    position: Int[Tensor, " pair"]
    covered: Bool[Tensor, " pair"]

    @classmethod
    def of(
        cls, edits: LayerEdits, cells: Cells, scope: Scope, n_prompt: Int[Tensor, " row"]
    ) -> EditedCells:
        """A layer's edits, set out by cell.

        Args:
            edits: The layer's.
            cells: The pass's.
            scope: Positions that the edits change.
            n_prompt: Tokens of each row's prompt.
        """
        cell, number = cells.of_edits(edits.row, len(n_prompt))  # [pair] each
        covered = cells.covered(cell, scope, n_prompt)
        return cls(cell, number, edits.take(number), cells.position[cell], covered)

    @property
    def direct(self) -> Bool[Tensor, " pair"]:
        """Which of them change the neuron itself, instead of being sent along a direction."""
        return self.edits.along == OWN

    def values(self, before: Float[Tensor, " pair"]) -> Float[Tensor, " pair"]:
        """The neurons' values after the intervention."""
        new = self.edits.values(before[:, None], self.position[:, None])[:, 0]  # one position each
        return torch.where(self.covered, new, before)  # as it was where the scope does not reach

    def write(self, activation: Float[Tensor, "cell d_mlp"], new: Float[Tensor, " pair"]) -> None:
        """Put the direct edits' new values in place."""
        direct = self.direct
        # [direct pair] into [cell, d_mlp]
        activation[self.cell[direct], self.edits.neuron[direct]] = new[direct]


@dataclass
class SteeredCells:
    """What is added after one layer in one pass, once for every cell of its rows.

    Attributes:
        cell: Cell of each.
        number: Its direction.
        multiple: How many times the direction is added; 0 where the scope does not reach.
        vectors: The directions.
    """

    cell: Int[Tensor, " pair"]
    number: Int[Tensor, " pair"]
    multiple: Float[Tensor, " pair"]
    vectors: Float[Tensor, "direction d_model"]

    @classmethod
    def of(
        cls, steers: LayerSteers, cells: Cells, scope: Scope, n_prompt: Int[Tensor, " row"]
    ) -> SteeredCells:
        """What is added after a layer, set out by cell.

        Args:
            steers: The layer's.
            cells: The pass's.
            scope: Positions that are steered.
            n_prompt: Tokens of each row's prompt.
        """
        cell, which = cells.of_edits(steers.row, len(n_prompt))  # [pair] each
        covered = cells.covered(cell, scope, n_prompt)  # [pair]
        multiple = steers.multiple[which] * covered
        return cls(cell, steers.number[which], multiple, steers.vectors)

    def add_to(self, residual: Float[Tensor, "cell d_model"]) -> Float[Tensor, "cell d_model"]:
        """The residual streams of the cells, steered."""
        step = self.multiple[:, None] * self.vectors[self.number]  # [pair, d_model]
        return residual.index_add(0, self.cell, step)
