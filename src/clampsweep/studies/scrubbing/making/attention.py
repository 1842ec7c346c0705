"""The model that is trained: layers of attention alone, and its form as a GPT-NeoX of no MLP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

N_LAYERS = 2


class Attention(nn.Module):
    """A layer: a norm, then heads whose queries and keys are turned by position."""

    def __init__(self, d_model: int, n_heads: int, bias_scale: float) -> None:
        """Make a layer with random weights.

        Args:
            d_model: Width of the residual stream.
            n_heads: Number of heads.
            bias_scale: Standard deviation of the biases of queries and keys.
        """
        super().__init__()
        self.n_heads = n_heads
        self.norm = nn.LayerNorm(d_model)
        self.q, self.k, self.v, self.o = (nn.Linear(d_model, d_model) for _ in range(4))
        for linear in (self.q, self.k):
            nn.init.normal_(linear.bias, std=bias_scale)
        for linear in (self.v, self.o):
            nn.init.zeros_(linear.bias)

    def forward(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        cos: Float[Tensor, "pos d_head"],
        sin: Float[Tensor, "pos d_head"],
    ) -> Float[Tensor, "batch pos d_model"]:
        """What the layer adds to the residual stream."""
        query, key, value = self._parts(residual, cos, sin)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        written: Tensor = self.o(mixed.transpose(1, 2).flatten(2))
        return written

    def pattern(
        self,
        residual: Float[Tensor, "batch pos d_model"],
        cos: Float[Tensor, "pos d_head"],
        sin: Float[Tensor, "pos d_head"],
    ) -> Float[Tensor, "batch head pos pos"]:
        """Attention of each head and query over the keys."""
        query, key, _ = self._parts(residual, cos, sin)
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        later = torch.ones_like(scores[0, 0], dtype=torch.bool).triu(1)
        found: Tensor = scores.masked_fill(later, -torch.inf).softmax(-1)
        return found

    def _parts(self, residual: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values: `[batch, head, pos, d_head]` each."""
        normed = self.norm(residual)
        shape = (*residual.shape[:2], self.n_heads, -1)
        query, key, value = (
            linear(normed).view(shape).transpose(1, 2) for linear in (self.q, self.k, self.v)
        )
        return query * cos + _turned(query) * sin, key * cos + _turned(key) * sin, value


def _turned(one: Tensor) -> Tensor:
    """Pairs (a, b) of dimensions as (-b, a); pair i is (i, i + d_head / 2)."""
    first, second = one.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


class AttentionOnly(nn.Module):
    """Embedding, two layers of attention, a norm, unembedding."""

    def __init__(self, d_vocab: int, shape: Mapping[str, Any]) -> None:
        """Make a model with random weights, drawn from torch's generator.

        Args:
            d_vocab: Number of tokens.
            shape: Of the recipe: d_model, n_heads, n_ctx, rotary_base, bias_scale.
        """
        super().__init__()
        self.shape = dict(shape)
        width = shape["d_model"]
        self.embed = nn.Embedding(d_vocab, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.layers = nn.ModuleList(
            Attention(width, shape["n_heads"], shape["bias_scale"]) for _ in range(N_LAYERS)
        )
        self.norm = nn.LayerNorm(width)
        self.unembed = nn.Linear(width, d_vocab, bias=False)
        nn.init.normal_(self.unembed.weight, std=0.02)

    def forward(self, ids: Int[Tensor, "batch pos"]) -> Float[Tensor, "batch pos d_vocab"]:
        """Logits."""
        residual = self.embed(ids)
        cos, sin = self._rotations(ids.shape[1])
        for layer in self.layers:
            residual = residual + layer(residual, cos, sin)
        logits: Tensor = self.unembed(self.norm(residual))
        return logits

    def _rotations(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the angle of each position and dimension of a head."""
        d_head = self.shape["d_model"] // self.shape["n_heads"]
        rates = self.shape["rotary_base"] ** -(torch.arange(0, d_head, 2) / d_head)
        angles = torch.arange(length)[:, None] * rates.repeat(2)  # [pos, d_head]
        return angles.cos(), angles.sin()

    @torch.no_grad()
    def patterns(self, ids: Int[Tensor, "batch pos"]) -> Float[Tensor, "layer batch head pos pos"]:
        """Attention of each layer, head and query over the keys."""
        residual = self.embed(ids)
        rotations = self._rotations(ids.shape[1])
        found = []
        for layer in self.layers:
            found.append(layer.pattern(residual, *rotations))  # type: ignore[operator]
            residual = residual + layer(residual, *rotations)
        return torch.stack(found)
