"""Where the rows of one pass part: at the split layer, each gets what its changes add there."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.cells import Cells, EditedCells, SteeredCells
from clampsweep.decoder.engine import Directions, Engine, Split
from clampsweep.decoder.heads import Heads, Shifts


class Parting:
    """What the changes of the split layer add to the residual streams that rows share.

    Args:
        engine: The model's.
        split: Where rows part.
        cells: The tokens of the pass as the rows see them.
        edited: The edits of the split layer, by cell; None if there are none.
        steered: What is added after it, by cell; None if nothing is.

    Attributes:
        delta: By how much each edit changes its neuron; not known before the layer has run. [pair]
    """

    def __init__(
        self,
        engine: Engine,
        split: Split,
        cells: Cells,
        edited: EditedCells | None,
        steered: SteeredCells | None,
    ):
        self._engine, self._split, self._cells = engine, split, cells
        self._edited, self._steered = edited, steered
        self.delta: Tensor | None = None
        self._output: Tensor | None = None  # [token, d_model], of the layer's output projection

    def keep_output(self, module: Any, args: Any, output: Tensor) -> None:
        """After the layer's output projection: what a norm after it will be given."""
        self._output = output.flatten(0, -2)

    def heads(
        self, residual: Float[Tensor, "base d_model"], base: Int[Tensor, " row"] | None
    ) -> Heads:
        """The newest positions of the rows, changed if the split layer is the last.

        Args:
            residual: Residual streams that rows share.
            base: The one of each row; None if row and base are the same.
        """
        if self._split.apart or (self._edited is None and self._steered is None):
            return Heads(residual, base)
        # Here every row has one cell, in the order of the rows.
        if not self._split.shared_heads:
            return Heads(self.parted(residual if base is None else residual[base]))
        return Heads(residual, base, self._shifts())

    def _shifts(self) -> Shifts:
        """How rows that share a residual stream differ from it: by edits, then by steering."""
        along, moved, steered = self._split.head_directions, [], self._steered
        n_directions = 0
        if along is None:
            raise RuntimeError("rows differ along no direction")
        if self._edited is not None:
            directions, delta = self._known()
            n_directions = len(directions.vectors)
            moved.append((self._edited.cell, directions.of_edit[self._edited.number], delta))
        if steered is not None:
            moved.append((steered.cell, n_directions + steered.number, steered.multiple))
        row, number, delta = (torch.cat(parts) for parts in zip(*moved, strict=True))
        return Shifts(row, number, delta, along.vectors, along.unembedded)

    def parted(self, cells: Float[Tensor, "cell d_model"]) -> Float[Tensor, "cell d_model"]:
        """The residual stream after the layer, each cell changed as its row says.

        Args:
            cells: The same without the changes.
        """
        if self._edited is not None:
            cells = self._with_edits(cells, self._edited)
        return cells if self._steered is None else self._steered.add_to(cells)

    def _with_edits(
        self, cells: Float[Tensor, "cell d_model"], edited: EditedCells
    ) -> Float[Tensor, "cell d_model"]:
        """The residual stream after the layer, with what edits add by way of W_out."""
        directions, delta = self._known()
        engine = self._engine
        # [pair, 1] * [pair, d_model]: what the edits add to what W_out gives
        steps = delta[:, None] * directions.vectors[directions.of_edit[edited.number]]
        if not engine.norms_after:
            return cells.index_add(0, edited.cell, steps, alpha=engine.factor)
        if self._output is None:
            raise RuntimeError("the output projection has not run")
        step = torch.zeros_like(cells).index_add_(0, edited.cell, steps)  # [cell, d_model]
        norm, output = engine.norms_after[self._split.layer], self._output[self._cells.token]
        moved: Tensor = norm(output + step) - norm(output)
        return cells + moved

    def _known(self) -> tuple[Directions, Float[Tensor, " pair"]]:
        """Directions and lengths of the steps."""
        if self._split.directions is None or self.delta is None:
            raise RuntimeError("the split layer has no edits, or has not run")
        return self._split.directions, self.delta
