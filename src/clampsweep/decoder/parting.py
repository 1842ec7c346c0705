"""Where the rows of one pass part: at the split layer, each gets what its own edits add there."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.cells import Cells, EditedCells
from clampsweep.decoder.engine import Directions, Engine, Split
from clampsweep.decoder.heads import Heads, Shifts


class Parting:
    """What the edits of the split layer add to the residual streams that rows share.

    Args:
        engine: The model's.
        split: Where rows part.
        cells: The tokens of the pass as the rows see them.
        edited: The edits of the split layer, by cell; None if there are none.

    Attributes:
        delta: By how much each edit changes its neuron; not known before the layer has run. [pair]
    """

    def __init__(self, engine: Engine, split: Split, cells: Cells, edited: EditedCells | None):
        self._engine, self._split, self._cells, self._edited = engine, split, cells, edited
        self.delta: Tensor | None = None
        self._output: Tensor | None = None  # [token, d_model], of the layer's output projection

    def keep_output(self, module: Any, args: Any, output: Tensor) -> None:
        """After the layer's output projection: what a norm after it will be given."""
        self._output = output.flatten(0, -2)

    def heads(
        self, residual: Float[Tensor, "base d_model"], base: Int[Tensor, " row"] | None
    ) -> Heads:
        """The newest positions of the rows, with their edits if the split layer is the last.

        Args:
            residual: Residual streams that rows share.
            base: The one of each row; None if row and base are the same.
        """
        if self._split.apart or self._edited is None:
            return Heads(residual, base)
        # Here every row has one cell, in the order of the rows.
        if not self._split.shared_heads:
            return Heads(self.parted(residual if base is None else residual[base]))
        directions, delta = self._known()
        vectors = self._engine.factor * directions.vectors
        of_edit = directions.of_edit[self._edited.number]  # [pair]
        shifts = Shifts(self._edited.cell, of_edit, delta, vectors, directions.unembedded)
        return Heads(residual, base, shifts)

    def parted(self, cells: Float[Tensor, "cell d_model"]) -> Float[Tensor, "cell d_model"]:
        """The residual stream after the layer, each cell with the edits of its row.

        Args:
            cells: The same without them.
        """
        directions, delta = self._known()
        edited, engine = self._edited, self._engine
        if edited is None:
            raise RuntimeError("rows part without an edit")
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
