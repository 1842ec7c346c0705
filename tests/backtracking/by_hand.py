"""Hugging Face's own pass over a whole text, neurons held at chosen positions by plain hooks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from clampsweep.studies.backtracking.trial import Holding
from reference import _PROJECTION

PROJECTION = {**_PROJECTION, "mistral": _PROJECTION["llama"]}


def whole_pass(
    plain: Any, ids: Sequence[int], held: Holding, at: Sequence[int] | slice = (-1,)
) -> torch.Tensor:
    """Logits at every position [pos, d_vocab] of a full pass, without a cache.

    Args:
        plain: The model in Hugging Face's class.
        ids: Token ids.
        held: Neurons, and what they are held at.
        at: Positions at which they are.
    """
    projection = PROJECTION[plain.config.model_type]

    def before(layer: int, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
        changed = args[0].clone()
        for neuron, value in zip(held.neurons, held.values, strict=True):
            if neuron.layer == layer:
                changed[0, at if isinstance(at, slice) else list(at), neuron.index] = value
        return (changed,)

    handles = [
        projection(plain, layer).register_forward_pre_hook(
            lambda module, args, layer=layer: before(layer, args)
        )
        for layer in range(plain.config.num_hidden_layers)
    ]
    with torch.inference_mode():
        found: torch.Tensor = plain(torch.tensor([list(ids)]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return found
