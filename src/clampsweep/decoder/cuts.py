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


class Listed(NamedTuple):
    """Token ids of each row, rising; and which of them are meant, the others filling up."""

    ids: Int[Tensor, "row few"]
    there: Bool[Tensor, "row few"]


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
    falling, (least, stated, most) = _ranked(logits, decoding, near)  # [row, 1] each count
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


def listed(chosen: Bool[Tensor, "row d_vocab"]) -> Listed:
    """The tokens that are chosen in each row, at least one: the few of the vocabulary that matter.

    Args:
        chosen: Which they are.
    """
    row, token = chosen.nonzero(as_tuple=True)  # by row, then by token
    counts = torch.bincount(row, minlength=len(chosen))  # [row]
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    width = max(2, int(counts.max()))  # the best has a next best
    ids = torch.zeros(len(chosen), width, dtype=torch.long, device=row.device)
    ids[row, place] = token
    return Listed(ids, torch.arange(width, device=row.device) < counts[:, None])


def _ranked(
    logits: Float[Tensor, "row d_vocab"], decoding: Decoding, near: Float[Tensor, "row one"]
) -> tuple[Float[Tensor, "row rank"], _Counts]:
    """The highest logits, highest first, one more than are kept at most; and how many are kept."""
    k, top_p = min(decoding.top_k or logits.shape[1], logits.shape[1]), decoding.top_p
    if top_p is None or top_p >= 1:
        every = torch.full_like(near, k, dtype=torch.long)
        return _falling(logits, k), _Counts(every, every, every)
    # The odds of a sum change by exp(near / temperature) at most, it by a quarter of the exponent.
    error = near.double() / decoding.temperature / 4  # [row, 1]
    top = logits.amax(-1, keepdim=True)  # [row, 1]
    ranks = min(k, _FIRST) if k == logits.shape[1] else k
    falling = _falling(logits, ranks)  # [row, ranks + 1]
    odds = _odds(falling[:, :ranks], top, decoding)
    within = _odds(logits, top, decoding) if k == logits.shape[1] else odds
    total = within.sum(-1, keepdim=True, dtype=torch.float64)
    cumulative = odds.cumsum(-1, dtype=torch.float64) / total  # [row, ranks]
    if ranks < k and bool((cumulative[:, -1:] < top_p + error).any()):
        falling = _falling(logits, k)
        odds = _odds(falling[:, :k], top, decoding)
        cumulative = odds.cumsum(-1, dtype=torch.float64) / total

    def count(bound: Float64[Tensor, "row one"]) -> Int[Tensor, "row one"]:
        return (cumulative < bound).sum(-1, keepdim=True).clamp(max=k - 1) + 1

    stated = count(torch.full_like(error, top_p))
    return falling, _Counts(count(top_p - error), stated, count(top_p + error))


def _odds(
    logits: Float[Tensor, "row rank"], top: Float[Tensor, "row one"], decoding: Decoding
) -> Float[Tensor, "row rank"]:
    return ((logits - top) / decoding.temperature).exp()


def _falling(logits: Float[Tensor, "row d_vocab"], ranks: int) -> Float[Tensor, "row rank"]:
    """The ranks + 1 highest logits, highest first; -inf stands for what the vocabulary lacks."""
    n_vocab = logits.shape[1]
    known = min(ranks + 1, n_vocab)
    if logits.device.type == "cpu":  # numpy is several times as fast as torch there
        values = logits.numpy()
        if known < n_vocab:
            values = np.partition(values, n_vocab - known, axis=-1)[:, n_vocab - known :]
        falling = torch.from_numpy(np.sort(values, axis=-1)).flip(-1)
    else:
        falling = logits.topk(known, dim=-1).values
    return pad(falling, (0, ranks + 1 - known), value=-torch.inf)
