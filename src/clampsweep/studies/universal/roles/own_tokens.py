"""The tokens that a neuron's output weights move most, norms folded in."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.mlp import (
    Norms,
    fold,
    fold_unembedding,
    raw,
    read_norms,
    unembedding,
)

N_TOKENS = 20


class OwnTokens:
    """Finds them.

    Args:
        model: Loaded model.

    Raises:
        UserError: Its weights cannot be folded.
    """

    def __init__(self, model: Model):
        self._model = model
        self._writes: dict[int, Float[Tensor, "neuron d_model"]] = {}

    @cached_property
    def _norms(self) -> Norms:
        return read_norms(self._model)

    @cached_property
    def _rows(self) -> Float[Tensor, "token d_model"]:
        return fold_unembedding(unembedding(self._model), self._norms.final).float()

    def logits(self, neuron: Neuron) -> Float[Tensor, " token"]:
        """How a unit of a neuron moves the logits, beside their mean, but for the norm's scale.

        Args:
            neuron: Which.
        """
        layer = neuron.layer
        if layer not in self._writes:
            self._writes[layer] = fold(raw(self._model, layer), self._norms, layer).writes.float()
        return self._rows @ self._writes[layer][neuron.index]

    def most(self, neuron: Neuron, sign: int, n_tokens: int = N_TOKENS) -> Int[Tensor, " some"]:
        """Those that it raises most (with sign that of its activation) or lowers most (opposite).

        Args:
            neuron: Which.
            sign: 1 or -1.
            n_tokens: How many, if there are so many; the most moved first.
        """
        moved = sign * self.logits(neuron)
        found = torch.topk(moved, min(n_tokens, len(moved))).indices
        return found.to(self._model.device)
