"""What a norm multiplies and adds, and whether it takes the mean away."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor


class Norm(NamedTuple):
    """A LayerNorm or RMSNorm, but for its division.

    Attributes:
        gain: What each coordinate is multiplied by.
        bias: What is added; zeros if nothing is.
        centres: Whether the mean is taken away.
    """

    gain: Float64[Tensor, " d_model"]
    bias: Float64[Tensor, " d_model"]
    centres: bool


def read_norm(module: Any, width: int) -> Norm:
    """What a norm of a model does, measured on it, so that it holds whatever it is written as.

    Args:
        module: Of transformers.
        width: Of the residual stream.
    """
    bias = getattr(module, "bias", None)
    if isinstance(module, torch.nn.LayerNorm) or bias is not None:
        gain = module.weight.detach().double()
        zero = torch.zeros_like(gain)
        return Norm(gain, zero if bias is None else bias.detach().double(), True)
    weight = next(module.parameters())
    with torch.inference_mode():  # of ones the root mean square is 1: what comes out is the gain
        found = module(torch.ones(1, width, dtype=weight.dtype, device=weight.device))
    gain = found[0].double().clone()
    return Norm(gain, torch.zeros_like(gain), False)
