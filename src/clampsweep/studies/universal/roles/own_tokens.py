"""The tokens that a neuron's output weights move most, norms folded in."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.weights import FOLDED, layer_weights, unembedding

N_TOKENS = 20


class OwnTokens:
    """Finds them.

    Args:
        model: Loaded model.
    """

    def __init__(self, model: Model):
        self._model = model
        self._writes: dict[int, Float[Tensor, "neuron d_model"]] = {}

    @cached_property
    def _ids(self) -> Int[Tensor, " token"]:
        """Token of each row of `_rows`, ascending: those that the tokenizer has."""
        n_rows = len(self._model.plain.get_output_embeddings().weight)
        return torch.tensor(
            sorted(at for at in self._model.tokenizer.get_vocab().values() if at < n_rows)
        )

    @cached_property
    def _rows(self) -> Float[Tensor, "token d_model"]:
        return torch.cat([part.float() for part in unembedding(self._model, FOLDED)])

    def logits(self, neuron: Neuron) -> Float[Tensor, " token"]:
        """How a unit of a neuron moves the logits, beside their mean, but for the norm's scale.

        Args:
            neuron: Which.
        """
        layer = neuron.layer
        if layer not in self._writes:
            self._writes[layer] = layer_weights(self._model, layer, FOLDED).out.float()
        return self._rows @ self._writes[layer][neuron.index]

    def most(self, neuron: Neuron, sign: int, n_tokens: int = N_TOKENS) -> Int[Tensor, " some"]:
        """Those that it raises most (with sign that of its activation) or lowers most (opposite).

        Args:
            neuron: Which.
            sign: 1 or -1.
            n_tokens: How many, if there are so many; the most moved first.
        """
        moved = sign * self.logits(neuron)
        found = self._ids[torch.topk(moved, min(n_tokens, len(moved))).indices]
        return found.to(self._model.device)
