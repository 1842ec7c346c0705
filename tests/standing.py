"""Hooks that stand on a model."""

from __future__ import annotations

from typing import Any


def n_hooks(model: Any) -> int:
    """Number of forward hooks, of both kinds, and of backward hooks on a torch model's modules."""
    return sum(
        len(one._forward_hooks) + len(one._forward_pre_hooks) + len(one._backward_hooks)
        for one in model.modules()
    )
