"""What a direction of the residual stream does to the logits: the final norm's gain folded in."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.model import Model

N_TOKENS = 20  # that a neuron's output weights move most: its own


def gain(norm: Any, width: int, like: Tensor) -> Float[Tensor, " d_model"]:
    """What a norm multiplies each coordinate by, beside its common scale.

    Found by calling it, so that it does not matter how the model writes its gain down.

    Args:
        norm: A norm over the last axis, with or without a mean taken off, a gain and a bias.
        width: Of its input; even.
        like: Type and device of its weights.
    """
    signs = torch.ones(width, dtype=like.dtype, device=like.device)
    signs[1::2] = -1  # mean 0, mean square 1
    with torch.inference_mode():
        found: Tensor = (norm(signs[None]) - norm(-signs[None]))[0] * signs / 2
    return found.clone()


def centres(norm: Any, width: int, like: Tensor) -> bool:
    """Whether a norm takes the mean off."""
    ramp = torch.arange(width, dtype=like.dtype, device=like.device)[None] - (width - 1) / 2
    with torch.inference_mode():
        return torch.allclose(norm(ramp), norm(ramp + ramp.max()), rtol=1e-3, atol=1e-3)


def through(
    norm: Any, directions: Float[Tensor, "some d_model"]
) -> Float[Tensor, "some d_model"]:
    """Directions as what reads the norm's output sees them, but for the norm's common scale."""
    width = directions.shape[1]
    if centres(norm, width, directions):
        directions = directions - directions.mean(1, keepdim=True)
    return directions * gain(norm, width, directions)


def logit_directions(
    model: Model, layer: int, neurons: Int[Tensor, " some"]
) -> Float[Tensor, "some d_vocab"]:
    """How one unit of each neuron moves the logits, their mean taken off, but for a common scale.

    Args:
        model: Loaded model.
        layer: Of the neurons.
        neurons: Their places in it.
    """
    written = through(model.part("ln_final"), model.output_directions(layer, neurons))
    unembed = model.part("unembed")
    with torch.inference_mode():
        moved: Tensor = unembed(written) - unembed(torch.zeros_like(written))
        return moved - moved.mean(1, keepdim=True)


def own_tokens(
    model: Model, layer: int, neuron: int, sign: int, n_tokens: int = N_TOKENS
) -> Int[Tensor, " token"]:
    """The tokens that a neuron raises most (sign 1) or lowers most (-1), the most moved first.

    Args:
        model: Loaded model.
        layer: Of the neuron.
        neuron: Its place in it.
        sign: That of the neuron's activation, for those that it raises; the opposite, for those
            that it lowers.
        n_tokens: How many.
    """
    moved = sign * logit_directions(model, layer, torch.tensor([neuron], device=model.device))[0]
    return moved.topk(min(n_tokens, len(moved))).indices
