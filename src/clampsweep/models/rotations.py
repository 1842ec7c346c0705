"""Rotary embeddings whose frequencies change with the length of a text."""

from __future__ import annotations

from typing import Any

import torch

_CHANGING = ("dynamic", "longrope")  # as transformers' `dynamic_rope_update` has them


def has_changing_rope(plain: Any) -> bool:
    """Whether a model's rotations at a position depend on how long the text is."""
    kinds = [kind for module in plain.modules() for kind in _kinds(module)]
    return any(changing in kind for kind in kinds for changing in _CHANGING)


def forget(plain: Any) -> None:
    """Let a model's rotations be those of a short text again, as in a model just loaded."""
    if any("dynamic" in kind for module in plain.modules() for kind in _kinds(module)):
        ids = torch.zeros(1, 1, dtype=torch.long, device=plain.device)
        plain(input_ids=ids, use_cache=False)  # transformers' own reset: a text that is short


def _kinds(module: Any) -> list[str]:
    kinds = getattr(module, "rope_type", "")
    return list(map(str, kinds.values() if isinstance(kinds, dict) else [kinds]))  # by layer type
