"""Scores of heads: where they look in random sequences that are repeated once."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clampsweep.studies.scrubbing.forward import Forward
from clampsweep.studies.scrubbing.roles import SCORES
from clampsweep.studies.scrubbing.weights import Weights


def head_scores(
    weights: Weights, bos: int, period: int = 149, n_sequences: int = 16, seed: int = 0
) -> Float64[np.ndarray, "layer head score"]:
    """Mean attention of each head to five places, in the order of `roles.SCORES`, 0..1.

    A sequence is BOS, `period` random tokens, and these again. The token before, the token itself
    and the first token are looked for from all places but the first; the token after an earlier
    occurrence (induction) and that occurrence (duplicate) from the places of the second copy.

    Args:
        weights: Of the model.
        bos: Token at the beginning; it is not among the random ones.
        period: Length of a copy, tokens; shortened to what the context holds.
        n_sequences: Number of sequences.
        seed: Of the random tokens.
    """
    period = min(period, (weights.n_ctx - 1) // 2)
    ids = torch.from_numpy(repeated(weights.d_vocab, bos, period, n_sequences, seed))
    forward = Forward(weights, ids.shape[1])
    total = np.zeros((len(weights.layers), weights.n_heads, len(SCORES)))
    with torch.inference_mode():
        for one in ids:
            total += np.stack([_of(pattern, period) for pattern in patterns(forward, one)])
    return total / n_sequences


def repeated(
    d_vocab: int, bos: int, period: int, n_sequences: int, seed: int
) -> Int[np.ndarray, "sequence pos"]:
    """Token ids: BOS, then random tokens twice.

    Args:
        d_vocab: Number of tokens.
        bos: Token at the beginning; it is not among the random ones.
        period: Length of a copy, tokens.
        n_sequences: Number of sequences.
        seed: Of the random tokens.
    """
    drawn = np.random.default_rng(seed).integers(0, d_vocab - 1, (n_sequences, period))
    drawn += drawn >= bos
    return np.concatenate([np.full((n_sequences, 1), bos), drawn, drawn], axis=1)


def patterns(forward: Forward, ids: Int[Tensor, " pos"]) -> list[Float[Tensor, "head query key"]]:
    """Attention patterns of each layer of the model as it is.

    Args:
        forward: For sequences of this length.
        ids: Token ids.
    """
    residual, heads, found = forward.embed(ids), range(forward.weights.n_heads), []
    for layer, own in enumerate(forward.weights.layers):
        normed = forward.normed(own.norm, residual)
        q, k, v = (forward.project(layer, channel, normed, heads) for channel in "qkv")
        found.append(forward.scores(q, k).softmax(-1))
        residual = residual + forward.wrote(layer, found[-1] @ v)
    return found


def _of(pattern: Float[Tensor, "head query key"], period: int) -> Float64[np.ndarray, "head score"]:
    """Scores of a layer's heads in one sequence."""
    second = torch.arange(1 + period, 1 + 2 * period)  # places of the second copy
    all_but_first = torch.arange(1, 1 + 2 * period)
    looks = {
        "previous": pattern[:, all_but_first, all_but_first - 1],
        "induction": pattern[:, second, second - period + 1],
        "duplicate": pattern[:, second, second - period],
        "self": pattern[:, all_but_first, all_but_first],
        "first": pattern[:, all_but_first, 0],
    }
    return torch.stack([looks[name].double().mean(-1) for name in SCORES], -1).numpy()
