"""What a norm does to the residual stream, found by handing it vectors: so it can be folded.

Names and attributes of norms differ between families: Gemma's gain is 1 + its weight, some have no
weight. What a norm gives for a few vectors tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.errors import UserError

_SIZE = 30.0  # of the vectors: beside it the eps of a norm vanishes
_OFF = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 3e-2}
"""How far off a norm may be, as a share of what it gives; some reckon in float32 whatever comes."""


class Norm(NamedTuple):
    """A norm: `gain * x / size(x) + bias`, of x less its mean if `centred`.

    Attributes:
        gain: Of each coordinate.
        bias: Of each coordinate; None if it has none.
        centred: Whether it is a LayerNorm, which takes the mean away; an RMSNorm does not.
    """

    gain: Float[Tensor, " d_model"]
    bias: Float[Tensor, " d_model"] | None
    centred: bool


def read_norm(module: Any, d_model: int, where: str) -> Norm:
    """What a module does, if it is a LayerNorm or an RMSNorm of any family.

    Args:
        module: The norm.
        d_model: Width of the residual stream.
        where: What it is, for messages.

    Raises:
        UserError: It does something else.
    """
    weight, bias = (getattr(module, name, None) for name in ("weight", "bias"))
    like = weight if isinstance(weight, Tensor) else torch.empty(0)
    vectors = _vectors(d_model).to(like)
    with torch.inference_mode():
        given = module(vectors).double().cpu()
    own = None if bias is None else bias.detach().double().cpu()
    best = min(
        (Norm(gain, own, centred) for gain, centred in _candidates(weight, d_model)),
        key=lambda norm: _off(norm, vectors, given),
    )
    if not _off(best, vectors, given) < _OFF.get(vectors.dtype, 1e-2):
        raise UserError(
            f"{where}: cannot be folded: {type(module).__name__} is neither a LayerNorm nor an "
            "RMSNorm with a gain for each coordinate; use a model with one of these "
            "(docs/universal.md)"
        )
    return best


def normed(norm: Norm, vectors: Float[Tensor, "row d_model"]) -> Float[Tensor, "row d_model"]:
    """What a norm gives for vectors, its eps left out."""
    parts = vectors - vectors.mean(-1, keepdim=True) if norm.centred else vectors
    found = norm.gain * parts / parts.square().mean(-1, keepdim=True).sqrt()
    return found if norm.bias is None else found + norm.bias


def _vectors(d_model: int) -> Float[Tensor, "row d_model"]:
    """Three vectors whose mean is far from 0."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(3, d_model, generator=generator, dtype=torch.float64)
    return _SIZE * (drawn + 0.7)


def _candidates(weight: Any, d_model: int) -> Iterator[tuple[Tensor, bool]]:
    """Gains that a norm may have, and whether it is a LayerNorm."""
    gains = [torch.ones(d_model, dtype=torch.float64)]
    if isinstance(weight, Tensor):
        own = weight.detach().double().cpu()
        gains = [own, 1 + own]
    return product(gains, (True, False))


def _off(norm: Norm, vectors: Tensor, given: Float[Tensor, "row d_model"]) -> float:
    """How far a norm is from what was given, as a share of the largest of that."""
    if norm.gain.shape != given.shape[-1:]:
        return float("inf")
    found = normed(norm, vectors.double().cpu())
    return float((found - given).abs().max() / given.abs().max().clamp_min(1e-30))
