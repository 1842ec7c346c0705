"""Weights of an attention-only model, laid out by head: all that the engine knows of a model.

Names and shapes are TransformerLens's. Inputs stand on the left: `x @ W + b`. Where a model has no
bias, or a norm has no weight of its own, zeros and ones stand for them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.errors import UserError


@dataclass(frozen=True)
class Rotary:
    """Queries and keys are turned by position: their first `n_rotated` dimensions, in pairs.

    Attributes:
        base: The angle of pair i at position t is t / base ** (2 i / n_rotated).
        n_rotated: Number of dimensions of a head that are turned; even.
        adjacent: Whether pair i is (2 i, 2 i + 1), as in GPT-J; else (i, i + n_rotated / 2), as
            in GPT-NeoX.
    """

    base: float
    n_rotated: int
    adjacent: bool = False


@dataclass(frozen=True)
class Shortformer:
    """A row for each position is added, after the norm, to what queries and keys are made of."""

    table: Float[Tensor, "pos d_model"]


@dataclass(frozen=True)
class Learned:
    """A row for each position is added to the embedding, as in GPT-2."""

    table: Float[Tensor, "pos d_model"]


@dataclass(frozen=True)
class Norm:
    """A LayerNorm: `(x - mean) / sqrt(variance + eps) * w + b`."""

    w: Float[Tensor, " d_model"]
    b: Float[Tensor, " d_model"]
    eps: float


@dataclass(frozen=True)
class Layer:
    """A layer of attention. Scores are divided by the square root of d_head."""

    norm: Norm
    W_Q: Float[Tensor, "head d_model d_head"]
    W_K: Float[Tensor, "head d_model d_head"]
    W_V: Float[Tensor, "head d_model d_head"]
    W_O: Float[Tensor, "head d_head d_model"]
    b_Q: Float[Tensor, "head d_head"]  # noqa: N815
    b_K: Float[Tensor, "head d_head"]  # noqa: N815
    b_V: Float[Tensor, "head d_head"]  # noqa: N815
    b_O: Float[Tensor, " d_model"]  # noqa: N815


@dataclass(frozen=True)
class Weights:
    """An attention-only model.

    Attributes:
        W_E: Embedding.
        layers: From the first to the last.
        norm: The final one.
        W_U: Unembedding.
        b_U: Its bias.
        positions: What tells tokens their places.
        n_ctx: Context length, tokens.
    """

    W_E: Float[Tensor, "d_vocab d_model"]
    layers: tuple[Layer, ...]
    norm: Norm
    W_U: Float[Tensor, "d_model d_vocab"]
    b_U: Float[Tensor, " d_vocab"]  # noqa: N815
    positions: Rotary | Shortformer | Learned
    n_ctx: int

    @property
    def n_heads(self) -> int:
        """Number of heads of a layer."""
        return int(self.layers[0].W_Q.shape[0])

    @property
    def d_model(self) -> int:
        """Width of the residual stream."""
        return int(self.W_E.shape[1])

    @property
    def d_head(self) -> int:
        """Width of a head."""
        return int(self.layers[0].W_Q.shape[2])

    @property
    def d_vocab(self) -> int:
        """Number of tokens."""
        return int(self.W_E.shape[0])

    def to(self, dtype: torch.dtype) -> Weights:
        """The same in another dtype."""
        found: Weights = _converted(self, lambda tensor: tensor.to(dtype))
        return found


def _converted(part: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """A part of the weights with each of its tensors converted."""
    if isinstance(part, Tensor):
        return convert(part)
    if isinstance(part, tuple):
        return tuple(_converted(one, convert) for one in part)
    if not is_dataclass(part) or isinstance(part, type):
        return part
    found = {field.name: _converted(getattr(part, field.name), convert) for field in fields(part)}
    return replace(part, **found)


def from_model(plain: Any, where: str = "model") -> Weights:
    """Weights of Hugging Face's own GPT-NeoX or GPT-2, whose MLPs must write nothing.

    Args:
        plain: The model (`Model.plain`), loaded with `d_mlp: 0`, which checks the MLPs.
        where: The model's place in the config, for messages.

    Raises:
        UserError: It is of another class, or its positions or biases are of an unknown kind.
    """
    readers = {"gpt_neox": _neox, "gpt2": _gpt2}
    kind = plain.config.model_type
    if kind not in readers:
        raise UserError(
            f"{where}: got a model of type {kind}, and scrubbing reads the attention of "
            f"{' and '.join(readers)}; save it as a GPT-NeoX whose MLPs are zero"
        )
    weights: Weights = _converted(readers[kind](plain, where), lambda tensor: tensor.detach())
    return weights


def _neox(plain: Any, where: str) -> Weights:
    """Of a GPT-NeoX: a head's query, key and value rows lie together."""
    config, body = plain.config, plain.gpt_neox
    rope = config.rope_parameters
    if rope.get("rope_type", "default") != "default":
        raise UserError(
            f"{where}: rotations of type {rope['rope_type']}, and scrubbing knows the default ones"
        )
    n_heads = config.num_attention_heads
    d_head = config.hidden_size // n_heads
    layers = []
    for block in body.layers:
        joint = block.attention.query_key_value
        # [head * 3 * d_head, d_model] -> three of [head, d_model, d_head]
        parts = joint.weight.view(n_heads, 3, d_head, -1).transpose(2, 3).unbind(1)
        biases = _bias(joint).view(n_heads, 3, d_head).unbind(1)
        dense = block.attention.dense
        W_O = dense.weight.T.reshape(n_heads, d_head, -1)  # noqa: N806
        layers.append(_layer(block.input_layernorm, parts, W_O, biases, _bias(dense)))
    return Weights(
        W_E=body.embed_in.weight,
        layers=tuple(layers),
        norm=_norm(body.final_layer_norm),
        W_U=plain.get_output_embeddings().weight.T,
        b_U=_bias(plain.get_output_embeddings()),
        positions=Rotary(
            float(rope["rope_theta"]), int(d_head * rope.get("partial_rotary_factor", 1.0))
        ),
        n_ctx=config.max_position_embeddings,
    )


def _gpt2(plain: Any, where: str) -> Weights:
    """Of a GPT-2: inputs on the left, and all queries before all keys before all values."""
    config, body = plain.config, plain.transformer
    n_heads = config.n_head
    layers = []
    for number, block in enumerate(body.h):
        factor = number + 1 if config.scale_attn_by_inverse_layer_idx else 1
        if factor != 1 or not config.scale_attn_weights:
            raise UserError(
                f"{where}: attention scores that are not divided by the square root of d_head "
                "(scale_attn_weights, scale_attn_by_inverse_layer_idx) are not read"
            )
        joint, out = block.attn.c_attn, block.attn.c_proj
        # [d_model, 3 * head * d_head] -> three of [head, d_model, d_head]
        parts = joint.weight.view(config.n_embd, 3, n_heads, -1).permute(1, 2, 0, 3).unbind(0)
        biases = joint.bias.view(3, n_heads, -1).unbind(0)
        W_O = out.weight.view(n_heads, -1, config.n_embd)  # noqa: N806
        layers.append(_layer(block.ln_1, parts, W_O, biases, out.bias))
    return Weights(
        W_E=body.wte.weight,
        layers=tuple(layers),
        norm=_norm(body.ln_f),
        W_U=plain.get_output_embeddings().weight.T,
        b_U=_bias(plain.get_output_embeddings()),
        positions=Learned(body.wpe.weight),
        n_ctx=config.n_positions,
    )


def _layer(
    norm: Any,
    parts: Sequence[Tensor],
    W_O: Tensor,  # noqa: N803
    biases: Sequence[Tensor],
    b_O: Tensor,  # noqa: N803
) -> Layer:
    """A layer of its norm, what makes queries, keys and values, and what writes."""
    (W_Q, W_K, W_V), (b_Q, b_K, b_V) = parts, biases  # noqa: N806
    return Layer(_norm(norm), W_Q, W_K, W_V, W_O, b_Q, b_K, b_V, b_O)


def _norm(module: Any) -> Norm:
    return Norm(module.weight, module.bias, module.eps)


def _bias(linear: Any) -> Tensor:
    """The bias of a linear map, or zeros."""
    bias: Tensor | None = linear.bias
    return linear.weight.new_zeros(linear.weight.shape[0]) if bias is None else bias
