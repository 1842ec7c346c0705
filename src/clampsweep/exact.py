"""One step of one text in float64, from the first token on: what decides near-ties."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float64
from torch import Tensor

from clampsweep.interventions import Edit, LayerEdits, Scope, apply, by_layer
from clampsweep.models import Model, load_plain

log = logging.getLogger(__name__)


class Exact:
    """A model's weights in float64, run without a cache, one text at a time."""

    def __init__(self, model: Model):
        self._plain = load_plain(model).double()
        self._adapter = model.bridge.adapter

    def logits(
        self, tokens: Sequence[int], n_prompt: int, edits: Sequence[Edit], scope: Scope
    ) -> Float64[Tensor, " d_vocab"]:
        """Logits of the next token.

        Args:
            tokens: Prompt and text so far.
            n_prompt: How many of them are the prompt.
            edits: The text's edits.
            scope: Positions that they change.
        """
        ids = torch.tensor([list(tokens)], device=self._plain.device)
        positions = torch.arange(len(tokens), device=self._plain.device)
        covered = scope.covers(positions, n_prompt)

        def hook(changes: LayerEdits) -> Callable[..., tuple[Tensor]]:
            return lambda module, args: (apply(args[0], changes, positions, covered),)

        handles = [
            self._out(layer).register_forward_pre_hook(hook(changes))
            for layer, changes in by_layer([edits], ids.device, torch.float64).items()
        ]
        try:
            with torch.inference_mode():
                found: Tensor = self._plain(input_ids=ids, use_cache=False).logits[0, -1]
        finally:
            for handle in handles:
                handle.remove()
        return found

    def _out(self, layer: int) -> Any:
        return self._adapter.get_component(self._plain, f"blocks.{layer}.mlp.out")


_MADE: WeakKeyDictionary[Any, Exact] = WeakKeyDictionary()


def exact(model: Model) -> Exact | None:
    """The model's float64 twin, made when first needed; None where there are no plain weights."""
    if model.plain is None:
        return None
    if model.bridge not in _MADE:
        log.info("two choices nearly tie; loading the weights in float64 to decide such steps")
        _MADE[model.bridge] = Exact(model)
    return _MADE[model.bridge]
