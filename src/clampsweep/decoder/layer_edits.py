"""The edits of a batch's rows as arrays, and what they make of activations.

Rows have their own edits, so that one forward pass serves many clamp values, neurons and prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from clampsweep.decoder.interventions import Edit
from clampsweep.decoder.steering import pairs_by_layer
from clampsweep.names import OWN


@dataclass
class LayerEdits:
    """The edits of one layer in a batch, as arrays of equal length E.

    Attributes:
        row: Batch row of each edit.
        neuron: Index in the layer.
        gain: Factor.
        shift: Addend at (position modulo width); one column unless there are donors.
        width: Number of columns of `shift` in use, by edit.
        along: Number of the random direction that the change is sent along, OWN if none.
    """

    row: Int[Tensor, " edit"]
    neuron: Int[Tensor, " edit"]
    gain: Float[Tensor, " edit"]
    shift: Float[Tensor, "edit width"]
    width: Int[Tensor, " edit"]
    along: Int[Tensor, " edit"]

    @property
    def redirected(self) -> LayerEdits:
        """Those that are sent along a random direction."""
        return self.take((self.along != OWN).nonzero()[:, 0])

    @property
    def direct(self) -> LayerEdits:
        """The others."""
        return self.take((self.along == OWN).nonzero()[:, 0])

    def values(
        self, before: Float[Tensor, "edit pos"], positions: Int[Tensor, "#edit pos"]
    ) -> Float[Tensor, "edit pos"]:
        """The edited neurons' new values, in activation units."""
        column = positions % self.width[:, None]  # [edit, pos]: donors repeat cyclically
        shift = self.shift.gather(1, column)  # [edit, pos]
        gain = self.gain[:, None]  # [edit, 1]
        # Gain 0 discards the value even where it is not finite.
        return torch.where(gain == 0, shift, gain * before + shift)

    def select(self, rows: Int[Tensor, " kept"], n_rows: int) -> LayerEdits:
        """The edits of the rows that stay in a batch of `n_rows`, renumbered."""
        renumbered = torch.full((n_rows,), -1, device=self.row.device)  # [row], -1 if it leaves
        renumbered[rows] = torch.arange(len(rows), device=self.row.device)
        stay = (renumbered[self.row] >= 0).nonzero()[:, 0]
        staying = self.take(stay)
        staying.row = renumbered[staying.row]
        return staying

    def take(self, edits: Int[Tensor, " some"]) -> LayerEdits:
        """The edits of the given numbers, in that order."""
        return LayerEdits(*(getattr(self, field.name)[edits] for field in fields(self)))


def by_layer(
    rows: Sequence[Sequence[object]], device: torch.device, dtype: torch.dtype
) -> dict[int, LayerEdits]:
    """Edits of a batch's rows, gathered by layer.

    Args:
        rows: The changes of each row, in batch order; others than edits are left out.
        device: Where the model is.
        dtype: The model's.
    """
    layer_edits = {}
    for layer, pairs in pairs_by_layer(rows, Edit).items():
        shifts = [change.donor or (change.shift,) for _, change in pairs]
        width = max(len(shift) for shift in shifts)
        # [edit, width]; what is padded is never read, since positions are taken modulo the width
        padded = [list(shift) + [0.0] * (width - len(shift)) for shift in shifts]
        layer_edits[layer] = LayerEdits(
            row=torch.tensor([row for row, _ in pairs], device=device),
            neuron=torch.tensor([change.neuron.index for _, change in pairs], device=device),
            gain=torch.tensor([change.gain for _, change in pairs], device=device, dtype=dtype),
            shift=torch.tensor(padded, device=device, dtype=dtype),
            width=torch.tensor([len(shift) for shift in shifts], device=device),
            along=torch.tensor([change.neuron.direction for _, change in pairs], device=device),
        )
    return layer_edits


def apply(
    activation: Float[Tensor, "row pos d_mlp"],
    edits: LayerEdits,
    positions: Int[Tensor, " pos"],
    covered: Bool[Tensor, " pos"],
) -> Float[Tensor, "row pos d_mlp"]:
    """The MLP post-activation after the edits; the input itself is left as it was.

    Redirected edits leave it alone: see `pushes`.

    Args:
        activation: Natural post-activation at the fed positions.
        edits: This layer's.
        positions: Absolute positions fed.
        covered: Which of them the scope changes.
    """
    edits = edits.direct
    if not len(edits.row) or not bool(covered.any()):
        return activation
    columns = covered.nonzero()[:, 0]  # [covered]
    # [edit, covered] by broadcast, into [row, pos, d_mlp]
    index = (edits.row[:, None], columns[None, :], edits.neuron[:, None])
    changed = activation.clone()
    changed[index] = edits.values(activation[index], positions[None, columns])
    return changed


def pushes(
    activation: Float[Tensor, "row pos d_mlp"],
    edits: LayerEdits,
    positions: Int[Tensor, " pos"],
    covered: Bool[Tensor, " pos"],
) -> Float[Tensor, "edit pos"]:
    """How far redirected edits move what W_out gives, in units of their neuron's activation.

    Args:
        activation: Natural post-activation at the fed positions.
        edits: This layer's redirected ones.
        positions: Absolute positions fed.
        covered: Which of them the scope changes.
    """
    before = activation[edits.row, :, edits.neuron]  # [edit, pos]
    return (edits.values(before, positions[None]) - before) * covered
