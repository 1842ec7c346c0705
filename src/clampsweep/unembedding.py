"""From the last residual stream to the next token, for rows whose last layers differ by a neuron.

Rows that share everything up to the last MLP's output have logits that differ by a multiple of one
vector: the unembedded output direction of the neuron. So one matrix product serves all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

_SLICE = 2048  # vocabulary columns per product: the fastest on CPUs, and its logits stay in cache
_BLOCK = 128  # columns whose maximum is kept
_ROWS = 64  # rows whose logits are written out at once when sampling


def _wide(x: Tensor) -> Tensor:
    """In float32 at least."""
    return x if x.dtype == torch.float64 else x.float()


@dataclass
class Heads:
    """The newest position of some rows, before the final norm.

    Attributes:
        residual: Residual stream of the bases, of which each row has one.
        base: The base of each row.
        edit_row: Row of each edit of the last layer that the bases do not hold yet.
        edit_number: The direction it moves its row along.
        edit_delta: How far.
        directions: What one unit of a neuron adds to the residual stream.
        unembedded: `Unembedding.unembed` of the directions.
    """

    residual: Float[Tensor, "base d_model"]
    base: Int[Tensor, " row"]
    edit_row: Int[Tensor, " edit"] | None = None
    edit_number: Int[Tensor, " edit"] | None = None
    edit_delta: Float[Tensor, " edit"] | None = None
    directions: Float[Tensor, "direction d_model"] | None = None
    unembedded: Float[Tensor, "direction d_vocab"] | None = None

    @classmethod
    def join(cls, parts: Sequence[Heads]) -> Heads:
        """The rows of all parts, one part after the other; all have the same directions."""
        bases = np.cumsum([0, *(len(one.residual) for one in parts)]).tolist()
        rows = np.cumsum([0, *(len(one.base) for one in parts)]).tolist()
        whole = cls(
            torch.cat([one.residual for one in parts]),
            torch.cat([one.base + start for one, start in zip(parts, bases, strict=False)]),
        )
        if parts[0].directions is None:
            return whole
        starts = zip(parts, rows, strict=False)
        return replace(
            whole,
            edit_row=torch.cat([one.edit_row + start for one, start in starts]),
            edit_number=torch.cat([one.edit_number for one in parts]),
            edit_delta=torch.cat([one.edit_delta for one in parts]),
            directions=parts[0].directions,
            unembedded=parts[0].unembedded,
        )

    def rows(self) -> Float[Tensor, "row d_model"]:
        """The residual stream of every row."""
        found = self.residual[self.base]
        if self.directions is None:
            return found
        step = self.edit_delta[:, None] * self.directions[self.edit_number]
        return found.index_add(0, self.edit_row, step)


class Unembedding:
    """The final norm and the unembedding of a model.

    A norm of the form `gain * (x - mean(x) or x) / scale(x) + bias` is taken apart, so that rows
    share their base's product; another one is applied to every row.
    """

    def __init__(self, norm: Any, unembed: Any):
        self._norm, self._unembed = norm, unembed
        self._weight, self._bias = unembed.weight, unembed.bias
        self._kind = self._form(norm)

    @property
    def n_vocab(self) -> int:
        """Number of tokens."""
        return len(self._weight)

    def unembed(self, directions: Float[Tensor, "direction d_model"]) -> Tensor | None:
        """Logits that directions of the residual stream stand for, before the norm's scale."""
        if self._kind is None:
            return None
        return _wide(F.linear(self._scaled(directions, self._kind), self._weight))

    def _form(self, norm: Any) -> str | None:
        """`rms` or `layer`, if the norm does what that says."""
        weight = getattr(norm, "weight", None)
        if weight is None:
            return None
        made = torch.Generator().manual_seed(0)
        probe = (torch.randn(4, len(weight), generator=made) * 3 + 1).to(weight)
        with torch.inference_mode():
            wanted = norm(probe)
            for kind in ("rms", "layer"):
                got = self._scaled(probe, kind) / self._scale(probe, kind)[:, None] + self._shift()
                if torch.allclose(got, wanted, rtol=1e-4, atol=1e-5):
                    return kind
        return None

    def _shift(self) -> Tensor | float:
        bias = getattr(self._norm, "bias", None)
        return 0.0 if bias is None else bias

    def _scaled(self, x: Tensor, kind: str) -> Tensor:
        return self._norm.weight * (x if kind == "rms" else x - x.mean(-1, keepdim=True))

    def _scale(self, x: Tensor, kind: str) -> Tensor:
        eps = getattr(self._norm, "variance_epsilon", getattr(self._norm, "eps", 0.0))
        centred = x if kind == "rms" else x - x.mean(-1, keepdim=True)
        return (centred.pow(2).mean(-1) + eps).sqrt()

    def _factors(self, heads: Heads) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Logits as (x W^T [base] + coefficient @ extra) / scale: x, base, coefficient, extra, scale.
        """
        rows = heads.rows()
        if self._kind is None:
            own = torch.arange(len(rows), device=rows.device)
            x, scale = self._norm(rows), torch.ones_like(_wide(rows[:, 0]))
            bias = self._bias
            extra = scale.new_zeros(0, len(self._weight)) if bias is None else bias[None].to(scale)
            return x, own, scale.new_ones(len(rows), len(extra)), extra, scale
        scale = self._scale(_wide(rows), self._kind)
        x = self._scaled(heads.residual, self._kind)
        coefficient, extra = scale.new_zeros(len(rows), 0), scale.new_zeros(0, self.n_vocab)
        if heads.unembedded is not None:
            extra = heads.unembedded
            coefficient = scale.new_zeros(len(rows), len(extra))
            at = (heads.edit_row, heads.edit_number)
            coefficient.index_put_(at, heads.edit_delta.to(scale), accumulate=True)
        constant = self._constant()
        if constant is not None:
            coefficient = torch.cat([coefficient, scale[:, None]], 1)
            extra = torch.cat([extra, constant[None].to(scale)])
        return x, heads.base, coefficient, extra, scale

    def _constant(self) -> Tensor | None:
        """What is added to the logits of every row."""
        shift, bias = self._shift(), self._bias
        found = None if isinstance(shift, float) else F.linear(shift, self._weight)
        if bias is not None:
            found = bias if found is None else found + bias
        return found

    def top_two(
        self, heads: Heads
    ) -> tuple[Int[Tensor, " row"], Float[Tensor, " row"], Float[Tensor, " row"]]:
        """Of each row: the token of the highest logit, that logit, and its lead over the next.

        States nothing about ties: the caller decides leads near 0.
        """
        x, base, coefficient, extra, scale = self._factors(heads)
        n_vocab = len(self._weight)
        n_slices = -(-n_vocab // _SLICE)
        kept = x.new_full((n_slices, len(x), _SLICE), -torch.inf)
        blocks = []
        for at in range(n_slices):
            columns = slice(at * _SLICE, min((at + 1) * _SLICE, n_vocab))
            width = columns.stop - columns.start
            kept[at, :, :width] = F.linear(x, self._weight[columns])
            scores = self._row_scores(kept[at].to(scale), base, coefficient, extra, columns)
            blocks.append(scores.unflatten(1, (-1, _BLOCK)).amax(-1))
        best = torch.cat(blocks, 1).topk(2, 1)
        block = best.indices[:, 0]
        inside = torch.arange(_BLOCK, device=x.device) + (block % (_SLICE // _BLOCK) * _BLOCK)[:, None]
        at = block // (_SLICE // _BLOCK)
        scores = kept[at[:, None], base[:, None], inside].to(scale)
        token = at[:, None] * _SLICE + inside
        if extra.shape[0]:
            known = token.clamp(max=n_vocab - 1)
            scores = scores + (coefficient[:, :, None] * extra[:, known].transpose(0, 1)).sum(1)
        two = scores.topk(2, 1)
        second = torch.maximum(two.values[:, 1], best.values[:, 1])
        picked = token.gather(1, two.indices[:, :1])[:, 0]
        return picked, two.values[:, 0] / scale, (two.values[:, 0] - second) / scale

    @staticmethod
    def _row_scores(
        scores: Tensor, base: Tensor, coefficient: Tensor, extra: Tensor, columns: slice
    ) -> Tensor:
        if not extra.shape[0]:
            return scores[base]
        part = extra[:, columns]
        part = F.pad(part, (0, scores.shape[1] - part.shape[1]))
        return torch.addmm(scores[base], coefficient, part)

    def logits(self, heads: Heads) -> Iterator[tuple[slice, Float[Tensor, "row d_vocab"]]]:
        """All logits, some rows at a time."""
        x, base, coefficient, extra, scale = self._factors(heads)
        scores = F.linear(x, self._weight).to(scale)
        for start in range(0, len(base), _ROWS):
            part = slice(start, start + _ROWS)
            rows = scores[base[part]]
            if extra.shape[0]:
                rows = torch.addmm(rows, coefficient[part], extra)
            yield part, rows / scale[part, None]
