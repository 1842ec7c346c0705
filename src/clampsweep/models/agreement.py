"""Whether two ways of running a model give the same values, but for rounding."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from clampsweep.errors import reason

log = logging.getLogger(__name__)


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


def agree(otherwise: str, tried: Callable[[], tuple[Tensor, Tensor]], dtype: torch.dtype) -> bool:
    """Whether a way of running a model works and gives another one's logits; the log says why not.

    Args:
        otherwise: What is done if it does not, with which the log's line begins.
        tried: Gives the logits, and those wanted.
        dtype: The model's.
    """
    try:
        off = difference(*tried())
    except (RuntimeError, TypeError, ValueError, AttributeError, LookupError) as error:
        log.info("%s: %s", otherwise, reason(error))
        return False
    if not off < tolerance(dtype):
        log.info("%s: logits are off by %.1g", otherwise, off)
        return False
    return True
