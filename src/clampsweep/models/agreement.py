"""Whether two ways of running a model give the same values, but for rounding."""

from __future__ import annotations

import torch
from torch import Tensor


def difference(got: Tensor, wanted: Tensor) -> float:
    """How far values are from those wanted, as a share of the largest of these.

    Args:
        got: Of any shape.
        wanted: Of the same shape.
    """
    return float((got - wanted).abs().max() / wanted.abs().max())


def tolerance(dtype: torch.dtype) -> float:
    """The share that rounding stays below, in a model of some dtype; another model does not."""
    return 1e-3 if dtype in (torch.float32, torch.float64) else 0.1
