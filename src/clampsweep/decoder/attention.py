"""Attention of packed tokens to the keys and values of their texts.

Tokens of many texts run through a Hugging Face model packed in one row, `[1, token]`, so nothing is
padded in its matrix products. `attend` is registered as the model's attention function; it finds
those keys and values (`decoder.key_values`) in the `PackedPass` that is running.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
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
    """One forward pass.

    Attributes:
        layouts: The layout of each layer's tokens.
        n_layers: Layers whose attention has run so far.
        window: How far back the layers look that look least far, in tokens; None if all the way.
    """

    layouts: Sequence[Layout]
    n_layers: int = 0
    window: int | None = None


_RUNNING: ContextVar[PackedPass] = ContextVar("running")


@contextmanager
def running(packed_pass: PackedPass) -> Iterator[PackedPass]:
    """While a model runs packed tokens: its attention finds the pass here."""
    token = _RUNNING.set(packed_pass)
    try:
        yield packed_pass
    finally:
        _RUNNING.reset(token)


def attend(
    module: Any,
    query: Float[Tensor, "one head token d_head"],
    key: Float[Tensor, "one kv_head key d_head"],
    value: Float[Tensor, "one kv_head key d_value"],
    attention_mask: Tensor | None = None,
    *,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **options: Any,
) -> tuple[Float[Tensor, "one token head d_value"], None]:
    """Attention of packed tokens, as Hugging Face's attention interface wants it.

    A window is noted, not kept to: the caller lets no text be longer.

    Raises:
        UnsupportedError: The layer asks for an option that is not known here, such as a soft cap.
    """
    asked = {name for name, setting in options.items() if setting is not None} - _INERT
    if asked or attention_mask is not None:
        raise UnsupportedError(f"attention option {', '.join(sorted(asked)) or 'attention_mask'}")
    if key.shape != value.shape or key.shape[2] != query.shape[2]:
        raise UnsupportedError("its layers have no key and value of one width for each token")
    packed_pass = _RUNNING.get()
    packed_pass.n_layers += 1
    if sliding_window is not None:
        packed_pass.window = min(sliding_window, packed_pass.window or sliding_window)
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


def exchange(plain: Any) -> None:
    """Let a model's layers attend by `attend`.

    Args:
        plain: Changed in place.

    Raises:
        UnsupportedError: They cannot be told to.
    """
    plain.set_attn_implementation(NAME)
    if plain.config._attn_implementation == NAME:
        return
    # GPT-J and CodeGen have a method for what other models leave to the interface.
    own = [module for module in plain.modules() if hasattr(module, "scale_attn")]
    if not own:
        raise UnsupportedError("its attention cannot be exchanged")
    plain.config._attn_implementation = NAME  # so that no mask is made
    for module in own:
        module._attn = partial(_attend_heads_first, module)


def _attend_heads_first(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None = None
) -> tuple[Float[Tensor, "one head token d_head"], None]:
    """`attend`, with the axes of the result as GPT-J has them."""
    out, _ = attend(module, query, key, value, attention_mask)
    return out.transpose(1, 2), None
