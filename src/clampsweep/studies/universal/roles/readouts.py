"""What is read where the logits are: entropy, rank and loss of the token that follows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

_AT_ONCE = 64  # positions: 12 MB of the logits of 49,152 tokens


class Readout(NamedTuple):
    """At each position.

    Attributes:
        entropy: Of the distribution of the next token, nats.
        reciprocal_rank: 1 / (1 + number of tokens with a larger logit than the one that follows).
        loss: Negative log-probability of the one that follows, nats.
    """

    entropy: Float[Tensor, " row"]
    reciprocal_rank: Float[Tensor, " row"]
    loss: Float[Tensor, " row"]


def readout(logits: Float[Tensor, "row d_vocab"], following: Int[Tensor, " row"]) -> Readout:
    """Entropy, reciprocal rank and loss at each position.

    Args:
        logits: Of the next token.
        following: The token that follows.
    """
    some = zip(torch.split(logits, _AT_ONCE), torch.split(following, _AT_ONCE), strict=True)
    parts = [_readout(one, ids) for one, ids in some]
    return Readout(*(torch.cat(part) for part in zip(*parts, strict=True)))


def _readout(logits: Float[Tensor, "row d_vocab"], following: Int[Tensor, " row"]) -> Readout:
    own = logits.gather(1, following[:, None])
    rank = 1 + (logits > own).sum(1)
    log_total = logits.logsumexp(1)
    shares = (logits - log_total[:, None]).exp_()
    # -sum p log p, with log p = logit - log_total
    entropy = log_total - shares.mul_(logits).sum(1)
    return Readout(entropy, 1 / rank.to(logits.dtype), log_total - own[:, 0])


def log_probability(
    logits: Float[Tensor, "row d_vocab"], tokens: Int[Tensor, " token"]
) -> Float[Tensor, " row"]:
    """Mean log-probability of some tokens at each position, nats.

    Args:
        logits: Of the next token.
        tokens: Which ones.
    """
    mean = logits[:, tokens].mean(1)
    return mean - logits.logsumexp(1)
