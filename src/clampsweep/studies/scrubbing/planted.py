"""A model whose induction circuit is written by hand, so that the right answers are known.

Layer 0 has head 0.0, which writes the token before, and head 0.1, which writes the token itself
where nothing reads it. Head 1.0 looks for a key whose token before (from 0.0) is the query's token
(from the embedding), and writes that key's token (from the embedding) where the unembedding reads
it; where there is no such key it looks at BOS, whose value is 0. Head 1.1 does nothing. So the
circuit is: q from E, k from 0.0, v from E, and no other path matters.

A direction is a pair of coordinates, (+1, -1) / sqrt(2): a norm then takes away no part of it. All
that stands in the residual stream before layer 1 has the same length, so norms only scale.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from clampsweep.studies.scrubbing.weights import Layer, Norm, Shortformer, Weights

BOS = 0

CIRCUIT = {"q": ["E"], "k": ["0.0"], "v": ["E"]}
"""What each channel of head 1.0 needs."""

_SURE, _REST = 30.0, 15.0  # scores of a key that fits, and of BOS

_LOGIT = 8.0  # of the token that is copied; the others have 0

_EPS = 1e-12


class Planted(NamedTuple):
    """The model and what is known of it.

    Attributes:
        weights: Of the model.
        tokens: Examples: BOS, all tokens in some order, the same order again.
        hypotheses: For `hypotheses.parse`: the baseline; `circuit`, which keeps what the circuit
            needs and nothing else; `without-*`, which leave one needed cell out; `more-*`, which
            keep one more; and `idle`, which scrubs only cells that do not matter.
    """

    weights: Weights
    tokens: Int[np.ndarray, "example pos"]
    hypotheses: dict[str, Any]


def planted(n_tokens: int = 16, n_examples: int = 40, seed: int = 0) -> Planted:
    """The model, examples and hypotheses.

    Args:
        n_tokens: Number of tokens beside BOS.
        n_examples: Number of examples.
        seed: Of the orders.
    """
    rng = np.random.default_rng(seed)
    orders = np.array([1 + rng.permutation(n_tokens) for _ in range(n_examples)])
    tokens = np.concatenate([np.full((n_examples, 1), BOS), orders, orders], axis=1)
    return Planted(_weights(1 + n_tokens, tokens.shape[1]), tokens, _hypotheses())


def _hypotheses() -> dict[str, Any]:
    """Each as what it scrubs: all that it does not keep."""
    kept: dict[str, dict[str, list[str]]] = {
        "baseline": {"q": [], "k": [], "v": []},
        "circuit": CIRCUIT,
        **{f"without-{channel}": {**CIRCUIT, channel: []} for channel in CIRCUIT},
        "more-q": {**CIRCUIT, "q": ["E", "0.0"]},
        "more-k": {**CIRCUIT, "k": ["0.0", "0.1"]},
        "more-v": {**CIRCUIT, "v": ["E", "0.1"]},
    }
    listed: list[dict[str, Any]] = [
        {
            "name": name,
            "heads": ["1.0"],
            "groups": [{channel: "-".join(["all", *less]) for channel, less in keeps.items()}],
        }
        for name, keeps in kept.items()
    ]
    idle = {"q": "0.1", "k": ["E", "0.1"], "v": "0.1"}
    return {"hypotheses": [*listed, {"name": "idle", "heads": ["1.0"], "groups": [idle]}]}


def _weights(d_vocab: int, n_pos: int) -> Weights:
    """Weights by hand; a head's dimensions are slots, one for each token or position."""
    sizes = [d_vocab] * 4 + [n_pos]
    pair = torch.tensor([1.0, -1.0]) / 2**0.5
    directions = torch.eye(sum(sizes)).repeat_interleave(2, 1) * pair.repeat(sum(sizes))
    token, before, unread, copied, place = torch.split(directions, sizes)  # each [one, d_model]
    d_model, d_head = directions.shape[1], n_pos + 1
    slots = torch.eye(max(d_vocab, n_pos), d_head)
    by_token, by_place = slots[:d_vocab], slots[:n_pos]
    # What a norm makes of a direction: one stands before layer 0, three before layer 1.
    scale_0, scale_1 = d_model**0.5, (d_model / 3) ** 0.5
    sure = (_SURE * d_head**0.5) ** 0.5  # in the query as in the key
    empty = torch.zeros(d_model, d_head)

    at, after = sure * place.T @ by_place, sure * place.T @ by_place.roll(1, dims=1)
    own = token.T @ by_token / scale_0
    layer_0 = _layer(
        W_Q=[at, at],
        W_K=[after, at],
        W_V=[own, own],
        W_O=[by_token.T @ before, by_token.T @ unread],
    )

    rest = slots.new_zeros(d_head)
    rest[-1] = sure  # a slot that each query has, and the key of BOS
    wanted, offered = (sure * some.T @ by_token / scale_1 for some in (token, before))
    offered = offered + torch.outer(token[BOS], rest) * (_REST / _SURE) / scale_1
    no_bos = torch.ones(d_vocab, 1).index_fill(0, torch.tensor(BOS), 0)
    value = token.T @ (by_token * no_bos) / scale_1
    layer_1 = _layer(
        W_Q=[wanted, empty], W_K=[offered, empty], W_V=[value, empty],
        W_O=[by_token.T @ copied, empty.T], b_Q=[rest, 0 * rest],
    )  # fmt: skip
    return Weights(
        W_E=token,
        layers=(layer_0, layer_1),
        norm=_norm(d_model),
        W_U=_LOGIT * copied.T / (d_model / 4) ** 0.5,  # four directions where a token is copied
        b_U=torch.zeros(d_vocab),
        positions=Shortformer(place),
        n_ctx=n_pos,
    )


def _layer(**parts: list[Tensor]) -> Layer:
    """A layer of two heads; biases that are not given are 0."""
    stacked = {name: torch.stack(heads) for name, heads in parts.items()}
    d_model, d_head = stacked["W_Q"].shape[1:]
    biases = {name: torch.zeros(2, d_head) for name in ("b_Q", "b_K", "b_V")}
    return Layer(norm=_norm(d_model), b_O=torch.zeros(d_model), **(biases | stacked))


def _norm(d_model: int) -> Norm:
    return Norm(torch.ones(d_model), torch.zeros(d_model), _EPS)
