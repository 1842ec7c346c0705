"""Which tokens top-k and top-p keep, and which they might keep if logits were off by a little."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from torch.nn.functional import pad

from clampsweep.texts.request import Decoding

_FIRST = 2048  # ranks that nearly always hold probability top_p: summed before all are


class Cut(NamedTuple):
    """Tokens that the cuts keep; those kept for sure; and those that may be kept."""

    kept: Bool[Tensor, "row d_vocab"]
    sure: Bool[Tensor, "row d_vocab"]
    maybe: Bool[Tensor, "row d_vocab"]


class _Counts(NamedTuple):
    """How many of the highest logits top_p keeps: at least, as they stand, at most."""

    least: Int[Tensor, "row one"]
    stated: Int[Tensor, "row one"]
    most: Int[Tensor, "row one"]


def cut(
    logits: Float[Tensor, "row d_vocab"], decoding: Decoding, near: Float[Tensor, "row one"]
) -> Cut:
    """What top_k and top_p keep, given errors of gaps below `near`.

    Of equal logits at the end of the kept ones, the lower token ids are kept.
    """
    k = min(decoding.top_k or logits.shape[1], logits.shape[1])
    falling = _falling(logits, k)  # [row, k + 1]
    least, stated, most = _counts(falling[:, :k], decoding, near)  # [row, 1] each
    last = falling.gather(1, stated - 1)  # [row, 1], the lowest logit that is kept
    above, tied = logits > last, logits == last
    # By id, as many of the equal ones as the higher ones leave room for.
    room = stated - above.sum(-1, keepdim=True)  # [row, 1]
    if bool((tied.sum(-1, keepdim=True) > room).any()):
        tied &= tied.cumsum(-1) <= room
    kept = above | tied
    # For sure: above the first that the fewest would cut; perhaps: near the last of the most.
    sure = kept & (logits >= falling.gather(1, least) + near)
    maybe = kept | (logits > falling.gather(1, most - 1) - near)
    return Cut(kept, sure, maybe)


def _falling(logits: Float[Tensor, "row d_vocab"], k: int) -> Float[Tensor, "row rank"]:
    """The k + 1 highest logits, highest first; -inf stands for what the vocabulary lacks."""
    if k < logits.shape[1]:
        return logits.topk(k + 1, dim=-1).values
    rising = np.sort(logits.cpu().numpy(), axis=-1)  # on a CPU four times faster than torch's
    falling = torch.from_numpy(rising).to(logits.device).flip(-1)  # [row, d_vocab]
    return pad(falling, (0, 1), value=-torch.inf)


def _counts(
    falling: Float[Tensor, "row rank"], decoding: Decoding, near: Float[Tensor, "row one"]
) -> _Counts:
    """How many of the k highest logits top_p keeps; all of them if there is no top_p."""
    k, top_p = falling.shape[1], decoding.top_p
    if top_p is None or top_p >= 1:
        every = torch.full_like(near, k, dtype=torch.long)
        return _Counts(every, every, every)
    # The odds of a sum change by exp(near / temperature) at most, it by a quarter of the exponent.
    error = near.double() / decoding.temperature / 4  # [row, 1]
    odds = ((falling - falling[:, :1]) / decoding.temperature).exp()  # [row, k]
    total = odds.sum(-1, keepdim=True, dtype=torch.float64)
    cumulative = odds[:, :_FIRST].cumsum(-1, dtype=torch.float64) / total
    if k > _FIRST and bool((cumulative[:, -1:] < top_p + error).any()):
        cumulative = odds.cumsum(-1, dtype=torch.float64) / total

    def count(bound: Float64[Tensor, "row one"]) -> Int[Tensor, "row one"]:
        return (cumulative < bound).sum(-1, keepdim=True).clamp(max=k - 1) + 1

    stated = count(torch.full_like(error, top_p))
    return _Counts(count(top_p - error), stated, count(top_p + error))
