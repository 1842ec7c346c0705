"""Parts of the forward pass of an attention-only model, for one sequence, head by head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.weights import Learned, Norm, Rotary, Shortformer, Weights

_LOGITS = 2**22  # at once


class Forward:
    """The parts, over weights, for sequences of one length.

    Args:
        weights: Of the model.
        n_pos: Length of the sequences, tokens.

    Raises:
        UserError: They are longer than the model's context.
    """

    def __init__(self, weights: Weights, n_pos: int):
        if n_pos > weights.n_ctx:
            raise UserError(
                f"examples of {n_pos} tokens are longer than the model's context of "
                f"{weights.n_ctx}; cut them shorter"
            )
        self.weights, self.n_pos = weights, n_pos
        later = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
        self.later: Bool[Tensor, "query key"] = later  # what a query does not see
        if isinstance(weights.positions, Rotary):
            cos, sin = _rotations(weights.positions, n_pos)
            self._cos, self._sin = cos.to(weights.W_E.dtype), sin.to(weights.W_E.dtype)

    def embed(self, ids: Int[Tensor, " pos"]) -> Float[Tensor, "pos d_model"]:
        """What layer 0 reads; learned positions are part of it."""
        embedded = self.weights.W_E[ids]
        if isinstance(self.weights.positions, Learned):
            return embedded + self.weights.positions.table[: self.n_pos]
        return embedded

    def normed(self, norm: Norm, residual: Float[Tensor, "pos d"]) -> Float[Tensor, "pos d"]:
        """What a layer, or the unembedding, makes of the residual stream."""
        return functional.layer_norm(residual, norm.w.shape, norm.w, norm.b, norm.eps)

    def project(
        self, layer: int, channel: str, normed: Float[Tensor, "pos d_model"], heads: Sequence[int]
    ) -> Float[Tensor, "head pos d_head"]:
        """Queries, keys or values of some heads, with all that position does to them.

        Args:
            layer: Layer of the heads.
            channel: `q`, `k` or `v`.
            normed: What the layer's norm gives.
            heads: In the order of the result.
        """
        own, positions = self.weights.layers[layer], self.weights.positions
        weight, bias = {
            "q": (own.W_Q, own.b_Q), "k": (own.W_K, own.b_K), "v": (own.W_V, own.b_V),
        }[channel]  # fmt: skip
        if channel != "v" and isinstance(positions, Shortformer):
            normed = normed + positions.table[: self.n_pos]
        some = list(heads)
        projected = normed @ weight[some] + bias[some, None]  # [head, pos, d_head]
        if channel != "v" and isinstance(positions, Rotary):
            return self._turned(projected, positions)
        return projected

    def mixed(
        self,
        q: Float[Tensor, "head pos d_head"],
        k: Float[Tensor, "head pos d_head"],
        v: Float[Tensor, "head pos d_head"],
    ) -> Float[Tensor, "head pos d_head"]:
        """Values as each query's attention mixes them; the patterns are not kept."""
        mixed: Tensor = functional.scaled_dot_product_attention(
            q[None], k[None], v[None], is_causal=True
        )[0]
        return mixed

    def scores(
        self, q: Float[Tensor, "head pos d_head"], k: Float[Tensor, "head pos d_head"]
    ) -> Float[Tensor, "head query key"]:
        """Attention scores before the softmax; -inf where the key is later than the query."""
        scaled = q / self.weights.d_head**0.5
        scores: Tensor = (scaled @ k.mT).masked_fill_(self.later, float("-inf"))
        return scores

    def written(
        self, layer: int, z: Float[Tensor, "head pos d_head"], heads: Sequence[int]
    ) -> Float[Tensor, "head pos d_model"]:
        """What each of some heads writes to the residual stream; the layer's bias is apart."""
        return z @ self.weights.layers[layer].W_O[list(heads)]

    def wrote(
        self, layer: int, z: Float[Tensor, "head pos d_head"]
    ) -> Float[Tensor, "pos d_model"]:
        """What all heads of a layer write together, its bias included."""
        own = self.weights.layers[layer]
        # [pos, head * d_head] @ [head * d_head, d_model]
        return z.transpose(0, 1).flatten(1) @ own.W_O.flatten(0, 1) + own.b_O

    def logits(self, residual: Float[Tensor, "pos d"]) -> Float[Tensor, "pos d_vocab"]:
        """Logits of what stands in the residual stream at the end."""
        normed = self.normed(self.weights.norm, residual)
        return torch.addmm(self.weights.b_U, normed, self.weights.W_U)

    def nll(
        self, residual: Float[Tensor, "pos d_model"], labels: Int[Tensor, " pos"]
    ) -> Float[Tensor, " pos"]:
        """Loss of each label, nats; logits are made for some positions at a time.

        Args:
            residual: At the end.
            labels: The token after each position.
        """
        rows = max(1, _LOGITS // self.weights.d_vocab)
        parts = zip(torch.split(residual, rows), torch.split(labels, rows), strict=True)
        losses = [
            functional.cross_entropy(self.logits(some), right, reduction="none")
            for some, right in parts
        ]
        return torch.cat(losses)

    def _turned(
        self, projected: Float[Tensor, "head pos d_head"], rotary: Rotary
    ) -> Float[Tensor, "head pos d_head"]:
        """Queries or keys turned by position."""
        turning, rest = projected[..., : rotary.n_rotated], projected[..., rotary.n_rotated :]
        if rotary.adjacent:
            a, b = turning[..., ::2], turning[..., 1::2]
        else:
            a, b = turning.chunk(2, dim=-1)
        cos, sin = self._cos, self._sin  # [pos, pair]
        pairs = (a * cos - b * sin, b * cos + a * sin)
        turned = torch.stack(pairs, -1).flatten(-2) if rotary.adjacent else torch.cat(pairs, -1)
        return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


def _rotations(
    rotary: Rotary, n_pos: int
) -> tuple[Float[Tensor, "pos pair"], Float[Tensor, "pos pair"]]:
    """Cosine and sine of each pair's angle; in float32 whatever the model's dtype, as elsewhere."""
    exponents = torch.arange(0, rotary.n_rotated, 2).float() / rotary.n_rotated
    angles = torch.arange(n_pos).float()[:, None] * (1.0 / rotary.base**exponents)
    return angles.cos(), angles.sin()
