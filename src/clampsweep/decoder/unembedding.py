"""From the last residual stream to the next token, for rows whose last layers differ by a neuron.

Rows that share everything up to the last MLP's output have logits that differ by a multiple of one
vector: the unembedded output direction of the neuron. So one matrix product serves all of them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import linear, pad

from clampsweep.decoder.heads import Heads
from clampsweep.decoder.packing import PackedLinear, packable

_SLICE = 2048  # vocabulary columns per product: the fastest on CPUs, and its logits stay in cache

_BLOCK = 128  # columns whose maximum is kept

_ROWS = 64  # rows whose logits are written out at once when sampling


def _wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


@dataclass
class _Factors:
    """Logits as `(x @ W^T of each row's base + coefficient @ extra) / scale`."""

    x: Float[Tensor, "base d_model"]
    base: Int[Tensor, " row"] | None
    coefficient: Float[Tensor, "row extra"]
    extra: Float[Tensor, "extra d_vocab"]
    scale: Float[Tensor, " row"]

    def rows(self, scores: Float[Tensor, "base column"], columns: slice) -> Tensor:
        """Scores of every row from those of the bases, in some columns of the vocabulary."""
        found = scores if self.base is None else scores[self.base]
        if not len(self.extra):
            return found
        extra = self.extra[:, columns]
        return torch.addmm(
            found, self.coefficient, pad(extra, (0, scores.shape[1] - extra.shape[1]))
        )


class Unembedding:
    """The final norm and the unembedding of a model.

    A norm of the form `gain * (x - mean(x) or x) / scale(x) + bias` is taken apart, so that rows
    share their base's product; another one is applied to every row.
    """

    def __init__(self, norm: Any, unembed: Any):
        self._norm = copy.deepcopy(norm)  # the other one may be hooked
        self._weight, self._bias = unembed.weight, unembed.bias
        self._kind = self._form()
        with torch.inference_mode():
            self._constant = self._make_constant()
        self._slices = [
            slice(at, min(at + _SLICE, self.n_vocab)) for at in range(0, self.n_vocab, _SLICE)
        ]
        self._products = [_product(self._weight[columns]) for columns in self._slices]
        self._memory: Tensor | None = None
        self._seen: tuple[Tensor, Tensor] | None = None  # the last residual stream, its products

    @property
    def n_vocab(self) -> int:
        """Number of tokens."""
        return len(self._weight)

    def unembed(self, directions: Float[Tensor, "direction d_model"]) -> Tensor | None:
        """Logits that directions of the residual stream stand for, before the norm's scale."""
        if self._kind is None:
            return None
        return _wide(linear(self._scaled(directions), self._weight))

    def _form(self) -> str | None:
        """`rms` or `layer`, if the norm does what that says."""
        weight = getattr(self._norm, "weight", None)
        if weight is None:
            return None
        generator = torch.Generator().manual_seed(0)
        probe = (torch.randn(4, len(weight), generator=generator) * 3 + 1).to(weight)
        with torch.inference_mode():
            wanted = self._norm(probe)
            for self._kind in ("rms", "layer"):
                got = self._scaled(probe) / self._scale(probe)[:, None] + self._shift()
                if torch.allclose(got, wanted, rtol=1e-4, atol=1e-5):
                    return self._kind
        return None

    def _shift(self) -> Tensor | float:
        bias = getattr(self._norm, "bias", None)
        return 0.0 if bias is None else bias

    def _centred(self, x: Tensor) -> Tensor:
        return x if self._kind == "rms" else x - x.mean(-1, keepdim=True)

    def _scaled(self, x: Tensor) -> Tensor:
        found: Tensor = self._norm.weight * self._centred(x)
        return found

    def _scale(self, x: Tensor) -> Tensor:
        eps = getattr(self._norm, "variance_epsilon", getattr(self._norm, "eps", 0.0))
        return (self._centred(_wide(x)).pow(2).mean(-1) + eps).sqrt()

    def _make_constant(self) -> Tensor | None:
        """What is added to the logits of every row, whatever its scale."""
        shift = self._shift() if self._kind else 0.0
        found: Tensor | None = self._bias
        if isinstance(shift, Tensor):
            moved = linear(shift, self._weight)
            return moved if found is None else found + moved
        return found

    def _factors(self, heads: Heads) -> _Factors:
        rows = heads.rows()
        if self._kind is None:
            x, base, scale = self._norm(rows), None, torch.ones_like(_wide(rows[:, 0]))
        else:
            x, base, scale = self._scaled(heads.residual), heads.base, self._scale(rows)
        coefficient, extra = scale.new_zeros(len(rows), 0), scale.new_zeros(0, self.n_vocab)
        shifts = heads.shifts
        if shifts is not None and shifts.unembedded is not None:
            extra = shifts.unembedded
            coefficient = scale.new_zeros(len(rows), len(extra))
            at = (shifts.row, shifts.number)
            coefficient.index_put_(at, shifts.delta.to(scale), accumulate=True)
        if self._constant is not None:
            coefficient = torch.cat([coefficient, scale[:, None]], 1)
            extra = torch.cat([extra, self._constant[None].to(scale)])
        return _Factors(x, base, coefficient, extra, scale)

    def top_two(
        self, heads: Heads
    ) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"], Float[Tensor, " row"]]:
        """Of each row: the token of the highest logit, that logit, and its lead over the next.

        States nothing about ties: the caller decides leads near 0.
        """
        parts, kept = self._products_of(heads)
        maxima = []
        for at, columns in enumerate(self._slices):
            scores = parts.rows(kept[at].to(parts.scale), columns)
            maxima.append(scores.view(len(scores), -1, _BLOCK).amax(-1))
        best = torch.cat(maxima, 1).topk(2, 1)
        token, scores = self._block(parts, kept, best.indices[:, 0])
        two = scores.topk(2, 1)
        second = torch.maximum(two.values[:, 1], best.values[:, 1])
        picked = token.gather(1, two.indices[:, :1])[:, 0]
        return picked, two.values[:, 0] / parts.scale, (two.values[:, 0] - second) / parts.scale

    def nll(self, heads: Heads, token: Int[Tensor, " row"]) -> Float[Tensor, " row"] | None:
        """Negative log-likelihood of a token for each row's base, in nats.

        That is, without the row's shifts. None where this norm does not let rows share a base.
        Free of matrix products if `top_two` has just seen the same residual stream.
        """
        if self._kind is None and heads.shifts is not None:
            return None
        parts, kept = self._products_of(heads)
        scale = self._scale(heads.residual) if self._kind else parts.scale
        constant = self._constant
        each, width = [], _SLICE
        for at, columns in enumerate(self._slices):
            logits = kept[at].to(scale) / scale[:, None]
            if constant is not None:
                logits[:, : columns.stop - columns.start] += constant[columns]
            each.append(logits.logsumexp(-1))
        total = torch.stack(each).logsumexp(0)
        base = torch.arange(len(token), device=token.device) if parts.base is None else parts.base
        own = kept[token // width, base, token % width].to(scale) / scale[base]
        return total[base] - (own if constant is None else own + constant[token])

    def _products_of(self, heads: Heads) -> tuple[_Factors, Float[Tensor, "slice base column"]]:
        """The heads' factors, and the products of their bases with all slices."""
        parts = self._factors(heads)
        if self._seen is None or self._seen[0] is not heads.residual or self._kind is None:
            kept = self._room(parts.x)
            for at, (columns, product) in enumerate(zip(self._slices, self._products, strict=True)):
                kept[at, :, : columns.stop - columns.start] = product(parts.x)
            self._seen = heads.residual, kept
        return parts, self._seen[1]

    def _block(
        self, parts: _Factors, kept: Tensor, block: Int[Tensor, " row"]
    ) -> tuple[Int[Tensor, "row column"], Float[Tensor, "row column"]]:
        """The tokens of one block of columns for each row, and their scores."""
        per_slice = _SLICE // _BLOCK
        at = block // per_slice
        inside = torch.arange(_BLOCK, device=block.device) + (block % per_slice * _BLOCK)[:, None]
        base = torch.arange(len(block), device=block.device) if parts.base is None else parts.base
        scores = kept[at[:, None], base[:, None], inside].to(parts.scale)
        token = at[:, None] * _SLICE + inside
        if len(parts.extra):
            extra = parts.extra[:, token.clamp(max=self.n_vocab - 1)].transpose(0, 1)
            scores = scores + (parts.coefficient[:, :, None] * extra).sum(1)
        return token, scores

    def _room(self, x: Tensor) -> Tensor:
        """Memory for the logits of all bases, used again: new memory costs a tenth of a step.

        What lies beyond the vocabulary is -inf.
        """
        shape = (len(self._slices), len(x), _SLICE)
        n = shape[0] * shape[1] * shape[2]
        if self._memory is None or len(self._memory) < n or self._memory.dtype != x.dtype:
            self._memory = x.new_empty(n * 5 // 4)
        room = self._memory[:n].view(shape)
        room[-1, :, self.n_vocab - self._slices[-1].start :] = -torch.inf
        return room

    def logits(self, heads: Heads) -> Iterator[tuple[slice, Float[Tensor, "row d_vocab"]]]:
        """All logits, some rows at a time."""
        parts = self._factors(heads)
        scores = torch.cat([product(parts.x) for product in self._products], 1).to(parts.scale)
        base = torch.arange(len(scores), device=scores.device) if parts.base is None else parts.base
        for start in range(0, len(base), _ROWS):
            some = slice(start, start + _ROWS)
            rows = replace(
                parts,
                base=base[some],
                coefficient=parts.coefficient[some],
                scale=parts.scale[some],
            )
            yield some, rows.rows(scores, slice(None)) / rows.scale[:, None]


def _product(weight: Float[Tensor, "column d_model"]) -> Callable[[Tensor], Tensor]:
    """Product with the transpose of some rows of the unembedding."""
    if packable(weight):
        return PackedLinear(weight, None)
    return lambda x: linear(x, weight)
