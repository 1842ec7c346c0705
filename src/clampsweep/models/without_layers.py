"""A model whose lower layers compute nothing: what they would have given is known.

The model's own code goes on to make masks, positions and logits, whatever kind it is. What a layer
gives is put in its place with `hooks.hooked` (`residual`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from clampsweep.models.model import Model, twin


class _Passed(nn.Module):
    """Stands for a layer and hands on what it is given."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._behind = (layer,)  # in a tuple, so that it is no part of this module

    def __getattr__(self, name: str) -> Any:
        """What models ask of their layers, such as the kind of their attention."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_behind"][0], name)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden_states


def can_be_left_out(model: Model) -> bool:
    """Whether a model's layers can be left out: they hand on a tensor and nothing else."""
    kinds: list[bool] = []
    handle = model.part("blocks.0").register_forward_hook(
        lambda module, args, output: kinds.append(isinstance(output, Tensor))
    )
    with handle, torch.inference_mode():
        model.plain(input_ids=torch.arange(4, device=model.device)[None], use_cache=False)
    return all(kinds)


def without_layers(model: Model, last: int) -> Any:
    """A twin of the plain model, over the same weights, whose layers up to one do nothing.

    Args:
        model: Loaded model, whose layers can be left out.
        last: The last of these layers; -1 for none.
    """
    plain = twin(model.plain)
    doomed = {id(model.part(f"blocks.{one}", plain)) for one in range(last + 1)}
    for parent in list(plain.modules()):
        for name, child in list(parent.named_children()):
            if id(child) in doomed:
                setattr(parent, name, _Passed(child))
    return plain
