"""From the last residual stream to the next token, for rows whose last layers differ by a neuron.

Rows that share everything up to the last MLP's output have logits that differ by a multiple of one
vector: the unembedded output direction of the neuron. So one matrix product serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import linear

from clampsweep.decoder.final_norm import FinalNorm, wide
from clampsweep.decoder.heads import Factors, Heads
from clampsweep.decoder.packing import PackedLinear, packable

_SLICE = 2048  # vocabulary columns per product: the fastest on CPUs, and its logits stay in cache

_BLOCK = 128  # columns whose maximum is kept

_ROWS = 64  # rows whose logits are written out at once when sampling


class TopTwo(NamedTuple):
    """Each row's best token.

    Attributes:
        token: The token of the highest logit.
        top: That logit.
        lead: How far it is above the next, in nats.
    """

    token: Int[Tensor, " row"]
    top: Float[Tensor, " row"]
    lead: Float[Tensor, " row"]


class _Block(NamedTuple):
    """One block of the vocabulary for each row."""

    token: Int[Tensor, "row column"]
    score: Float[Tensor, "row column"]  # before the scale; -inf beyond the vocabulary


class Unembedding:
    """The final norm and the unembedding of a model.

    A norm of the form `gain * (x - mean(x) or x) / scale(x) + shift` is taken apart, so that rows
    share their base's product; another one is applied to every row.

    Args:
        norm: The module of the final norm.
        unembed: The linear layer from the residual stream to logits.
        factor: What the model multiplies its output by.
    """

    def __init__(self, norm: Any, unembed: Any, factor: float = 1.0):
        self._norm, self._factor = FinalNorm(norm), factor
        self._weight, self._bias = unembed.weight, unembed.bias  # [d_vocab, d_model], [d_vocab]
        with torch.inference_mode():
            self._constant = self._make_constant()
        self._products = _Products(self._weight)

    @property
    def n_vocab(self) -> int:
        """Number of tokens."""
        return len(self._weight)

    def unembed(
        self, directions: Float[Tensor, "direction d_model"]
    ) -> Float[Tensor, "direction d_vocab"] | None:
        """Logits that directions of the residual stream stand for, before the norm's scale."""
        if self._norm.form is None:
            return None
        return wide(linear(self._norm.gained(directions), self._weight))

    def _make_constant(self) -> Float[Tensor, " d_vocab"] | None:
        """What is added to the logits of every row, whatever its scale."""
        bias = None if self._bias is None else self._factor * self._bias
        shift = self._norm.shift
        if self._norm.form is None or shift is None:
            return bias
        moved = self._factor * linear(shift, self._weight)  # [d_vocab]
        return moved if bias is None else bias + moved

    def _scale(self, rows: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        """What products with the unembedding are divided by."""
        norm = self._norm
        scale = torch.ones_like(wide(rows[:, 0])) if norm.form is None else norm.scale(rows)
        return scale / self._factor

    def _factors(self, heads: Heads) -> Factors:
        rows, norm = heads.rows(), self._norm
        if norm.form is None:  # every row is a base of its own
            x, base = norm.whole(rows), None
        else:
            x, base = norm.gained(heads.residual), heads.base
        scale = self._scale(rows)
        coefficient, extra = scale.new_zeros(len(rows), 0), scale.new_zeros(0, self.n_vocab)
        shifts = heads.shifts
        if shifts is not None and shifts.unembedded is not None:
            extra = shifts.unembedded  # [direction, d_vocab]
            coefficient = scale.new_zeros(len(rows), len(extra))
            at = (shifts.row, shifts.number)  # [edit] into [row, direction]; a pair may recur
            coefficient.index_put_(at, shifts.delta.to(scale), accumulate=True)
        if self._constant is not None:  # times the scale, by which all is divided in the end
            coefficient = torch.cat([coefficient, scale[:, None]], 1)
            extra = torch.cat([extra, self._constant[None].to(scale)])
        return Factors(x, base, coefficient, extra, scale)

    def top_two(self, heads: Heads) -> TopTwo:
        """The highest logit of each row, and its lead over the next.

        States nothing about ties: the caller decides leads near 0.
        """
        factors = self._factors(heads)
        scores = self._base_scores(heads, factors)
        maxima = []
        for at, columns in enumerate(self._products.slices):
            by_row = factors.rows(scores[at].to(factors.scale), columns)  # [row, _SLICE]
            maxima.append(by_row.view(len(by_row), -1, _BLOCK).amax(-1))  # [row, block of slice]
        best = torch.cat(maxima, 1).topk(2, 1)  # [row, 2] of [row, block]
        # The second best is in the best's block, or the best of another block.
        block = self._block(factors, scores, best.indices[:, 0])
        two = block.score.topk(2, 1)  # [row, 2]
        top, second = two.values[:, 0], torch.maximum(two.values[:, 1], best.values[:, 1])
        token = block.token.gather(1, two.indices[:, :1])[:, 0]
        return TopTwo(token, top / factors.scale, (top - second) / factors.scale)

    def nll(self, heads: Heads, token: Int[Tensor, " row"]) -> Float[Tensor, " row"] | None:
        """Negative log-likelihood of a token for each row's base, in nats.

        That is, without the row's shifts. None where this norm does not let rows share a base.
        Free of matrix products if `top_two` has just seen the same residual stream.
        """
        taken_apart = self._norm.form is not None
        if not taken_apart and heads.shifts is not None:
            return None
        factors = self._factors(heads)
        scores = self._base_scores(heads, factors)
        scale = self._scale(heads.residual) if taken_apart else factors.scale  # [base]
        constant = self._constant
        by_slice = []
        for at, columns in enumerate(self._products.slices):
            logits = scores[at].to(scale) / scale[:, None]  # [base, _SLICE]
            if constant is not None:
                logits[:, : columns.stop - columns.start] += constant[columns]
            by_slice.append(logits.logsumexp(-1))
        total = torch.stack(by_slice).logsumexp(0)  # [base]
        base = factors.bases
        logit = scores[token // _SLICE, base, token % _SLICE].to(scale) / scale[base]  # [row]
        return total[base] - (logit if constant is None else logit + constant[token])

    def logits(self, heads: Heads) -> Iterator[tuple[slice, Float[Tensor, "row d_vocab"]]]:
        """All logits, some rows at a time."""
        factors = self._factors(heads)
        scores = self._products.whole(factors.x).to(factors.scale)  # [base, d_vocab]
        for start in range(0, len(factors.scale), _ROWS):
            some = slice(start, start + _ROWS)
            rows = factors.take(some)
            yield some, rows.rows(scores, slice(None)) / rows.scale[:, None]

    def _base_scores(self, heads: Heads, factors: Factors) -> Float[Tensor, "slice base column"]:
        """The products of the bases with all slices."""
        # Factors of one residual stream have one x only where rows share their bases' norm.
        key = heads.residual if self._norm.form is not None else factors.x
        return self._products.by_slice(factors.x, key)

    def _block(
        self,
        factors: Factors,
        scores: Float[Tensor, "slice base column"],
        block: Int[Tensor, " row"],
    ) -> _Block:
        """One block of columns for each row."""
        per_slice = _SLICE // _BLOCK
        at = block // per_slice  # [row], the slice
        first = (block % per_slice * _BLOCK)[:, None]  # [row, 1], where it begins in the slice
        inside = torch.arange(_BLOCK, device=block.device) + first  # [row, _BLOCK]
        kept = scores[at[:, None], factors.bases[:, None], inside].to(factors.scale)
        token = at[:, None] * _SLICE + inside
        return _Block(token, factors.at(kept, token))


class _Products:
    """Products with the transpose of the unembedding, slice by slice of the vocabulary.

    Args:
        weight: The unembedding.

    Attributes:
        slices: Columns of each slice.
    """

    def __init__(self, weight: Float[Tensor, "d_vocab d_model"]):
        n_vocab = len(weight)
        self.slices = [slice(at, min(at + _SLICE, n_vocab)) for at in range(0, n_vocab, _SLICE)]
        self._products = [_product(weight[columns]) for columns in self.slices]
        self._memory: Tensor | None = None  # [number], for the products with all slices
        self._last: tuple[Tensor, Tensor] | None = None  # a key, and its products

    def whole(self, x: Float[Tensor, "base d_model"]) -> Float[Tensor, "base d_vocab"]:
        """The product with all columns."""
        return torch.cat([product(x) for product in self._products], 1)

    def by_slice(
        self, x: Float[Tensor, "base d_model"], key: Tensor
    ) -> Float[Tensor, "slice base column"]:
        """The product of each slice, until the next call; -inf beyond the vocabulary.

        Args:
            x: Input of the unembedding.
            key: What x is made from: a call with the key of the last one gets its products.
        """
        if self._last is None or self._last[0] is not key:
            scores = self._room(x)
            for at, (columns, product) in enumerate(zip(self.slices, self._products, strict=True)):
                scores[at, :, : columns.stop - columns.start] = product(x)
            self._last = key, scores
        return self._last[1]

    def _room(self, x: Float[Tensor, "base d_model"]) -> Float[Tensor, "slice base column"]:
        """Memory for the logits of all bases, used again: new memory costs a tenth of a step."""
        shape = (len(self.slices), len(x), _SLICE)
        n = shape[0] * shape[1] * shape[2]
        if self._memory is None or len(self._memory) < n or self._memory.dtype != x.dtype:
            self._memory = x.new_empty(n * 5 // 4)
        room = self._memory[:n].view(shape)
        last = self.slices[-1]
        room[-1, :, last.stop - last.start :] = -torch.inf
        return room


def _product(weight: Float[Tensor, "column d_model"]) -> Callable[[Tensor], Tensor]:
    """Product with the transpose of some rows of the unembedding."""
    if packable(weight):
        return PackedLinear(weight, None)
    return lambda x: linear(x, weight)
