"""Attention of packed tokens to the keys and values of their texts.

Tokens of many texts run through a Hugging Face model packed in one row, `[1, token]`, so nothing is
padded in its matrix products. `attend` is registered as the model's attention function; it finds
those keys and values (`decoder.key_values`) in the `PackedPass` it is handed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor
from transformers import AttentionInterface

from clampsweep.decoder.key_values import KeyValues, PromptTokens

NAME = "clampsweep"

_INERT = {"dropout", "position_ids", "position_embeddings", "use_cache", "is_causal"}


class UnsupportedError(Exception):
    """The model's attention asks for something that `attend` does not do."""


@dataclass
class Layout:
    """Which keys and values packed tokens belong to, the same for a run of layers.

    Attributes:
        keys: Where they are kept.
        prompts: In a pass over prompts, the prompt of each token and its position there; None in
            a pass over every row's newest token.
    """

    keys: KeyValues
    prompts: PromptTokens | None = None


@dataclass
class PackedPass:
    """One forward pass: the layout of each layer's tokens."""

    layouts: Sequence[Layout]


def attend(
    module: Any,
    query: Float[Tensor, "one head token d_head"],
    key: Float[Tensor, "one kv_head token d_head"],
    value: Float[Tensor, "one kv_head token d_head"],
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    packed_pass: PackedPass,
    **options: Any,
) -> tuple[Float[Tensor, "one token head d_head"], None]:
    """Attention of packed tokens, as Hugging Face's attention interface wants it.

    Raises:
        UnsupportedError: The layer asks for an option that is not known here, such as a window.
    """
    asked = {name for name, setting in options.items() if setting is not None} - _INERT
    if asked or attention_mask is not None:
        raise UnsupportedError(f"attention option {', '.join(sorted(asked)) or 'attention_mask'}")
    layer = module.layer_idx
    layout = packed_pass.layouts[layer]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    # [1, head, token, d_head] to [token, head, d_head], which `KeyValues` takes
    parts = [heads[0].transpose(0, 1) for heads in (query, key, value)]
    if layout.prompts is None:
        out = layout.keys.step(layer, *parts, scale)
    else:
        out = layout.keys.fill(layer, layout.prompts, *parts, scale)
    return out[None], None


AttentionInterface.register(NAME, attend)
