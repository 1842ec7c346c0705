from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.forward import Forward
from clampsweep.studies.scrubbing.weights import Rotary, Shortformer, Weights, from_model
from scrubbing.models import D_VOCAB, N_CTX, N_HEADS, examples, neox, weights

IDS = torch.tensor(examples(1, 16)[0])


def logits(weights: Weights, ids: torch.Tensor) -> torch.Tensor:
    """Of the whole model, its parts in their order."""
    forward, heads = Forward(weights, len(ids)), range(weights.n_heads)
    residual = forward.embed(ids)
    for layer, own in enumerate(weights.layers):
        normed = forward.normed(own.norm, residual)
        q, k, v = (forward.project(layer, channel, normed, heads) for channel in "qkv")
        z = forward.mixed(q, k, v)
        assert torch.allclose(forward.scores(q, k).softmax(-1) @ v, z, atol=1e-12)
        one_by_one = forward.written(layer, z, heads).sum(0) + own.b_O
        assert torch.allclose(forward.wrote(layer, z), one_by_one, atol=1e-12)
        residual = residual + one_by_one
    return forward.logits(residual)


def gpt2() -> Any:
    """Hugging Face's GPT-2 with MLPs that write nothing: learned positions."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {"n_embd": 32, "n_inner": 1, "n_layer": 2, "n_head": 4, "n_positions": N_CTX}
    config = GPT2Config(vocab_size=D_VOCAB, **sizes)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(config).eval().double()
        for name, weight in model.named_parameters():
            weight.normal_(float("ln" in name and "weight" in name), 0.4)
            weight.mul_(0 if ".mlp." in name else 1)
    return model


@pytest.mark.parametrize("make", [neox, gpt2])
def test_the_parts_together_are_hugging_faces_model(make):
    model = make()
    with torch.inference_mode():
        expected = model(IDS[None]).logits[0]
        found = logits(from_model(model), IDS)
    assert expected.std() > 0.5
    assert (found - expected).abs().max() < 1e-10


def plain_shortformer(weights: Weights, ids: torch.Tensor) -> torch.Tensor:
    """Loops over layers, heads, queries and keys; positions are added to queries and keys only."""
    residual = [weights.W_E[i] for i in ids.tolist()]

    def norm(x: torch.Tensor, part: Any) -> torch.Tensor:
        centred = x - x.mean()
        return centred / torch.sqrt((centred**2).mean() + part.eps) * part.w + part.b

    for layer in weights.layers:
        normed = [norm(x, layer.norm) for x in residual]
        placed = [x + p for x, p in zip(normed, weights.positions.table, strict=False)]
        for t in range(len(ids)):
            residual[t] = residual[t] + layer.b_O
        for h in range(weights.n_heads):
            for t in range(len(ids)):
                q = placed[t] @ layer.W_Q[h] + layer.b_Q[h]
                keys = [placed[s] @ layer.W_K[h] + layer.b_K[h] for s in range(t + 1)]
                e = [math.exp(float(q @ k) / math.sqrt(len(q))) for k in keys]
                values = [normed[s] @ layer.W_V[h] + layer.b_V[h] for s in range(t + 1)]
                z = sum(a / sum(e) * v for a, v in zip(e, values, strict=True))
                residual[t] = residual[t] + z @ layer.W_O[h]
    return torch.stack([norm(x, weights.norm) @ weights.W_U + weights.b_U for x in residual])


def test_shortformer_positions_go_into_queries_and_keys_alone():
    table = torch.randn(N_CTX, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    short = replace(weights(), positions=Shortformer(table))
    found = logits(short, IDS[:6])
    assert (found - plain_shortformer(short, IDS[:6])).abs().max() < 1e-10
    assert (found - logits(weights(), IDS[:6])).abs().max() > 0.1


def test_adjacent_pairs_are_split_halves_in_another_order():
    split = weights()
    n_rotated = split.positions.n_rotated
    # Dimension of the split form that each dimension of the adjacent form is.
    order = torch.arange(n_rotated).view(2, -1).T.flatten()
    names = ("W_Q", "W_K", "b_Q", "b_K")
    layers = tuple(
        replace(one, **{name: getattr(one, name)[..., order] for name in names})
        for one in split.layers
    )
    adjacent = replace(split, layers=layers, positions=Rotary(1000.0, n_rotated, adjacent=True))
    assert (logits(split, IDS) - logits(adjacent, IDS)).abs().max() < 1e-12


def test_dimensions_that_are_not_rotated_stay():
    part = replace(weights(), positions=Rotary(1000.0, 4))
    forward = Forward(part, len(IDS))
    normed = forward.normed(part.layers[0].norm, forward.embed(IDS))
    found = forward.project(0, "q", normed, [1])[0]
    plain = normed @ part.layers[0].W_Q[1] + part.layers[0].b_Q[1]
    assert torch.allclose(found[:, 4:], plain[:, 4:], atol=1e-12)
    assert (found[1:, :4] - plain[1:, :4]).abs().max() > 0.1


def test_losses_are_those_of_all_logits_at_once_in_however_many_parts(monkeypatch):
    forward = Forward(weights(), len(IDS))
    residual = torch.randn(16, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = -forward.logits(residual).log_softmax(-1)[torch.arange(16), IDS]
    assert torch.allclose(forward.nll(residual, IDS), expected, atol=1e-12)
    monkeypatch.setattr("clampsweep.studies.scrubbing.forward._LOGITS", 5 * D_VOCAB)
    assert torch.allclose(forward.nll(residual, IDS), expected, atol=1e-12)


def test_examples_longer_than_the_context_are_one_line():
    with pytest.raises(UserError, match="examples of 33 tokens are longer than the model"):
        Forward(weights(), N_CTX + 1)


def test_some_heads_are_those_of_all():
    forward = Forward(weights(), len(IDS))
    normed = forward.embed(IDS)
    every = forward.project(1, "k", normed, range(N_HEADS))
    assert torch.allclose(forward.project(1, "k", normed, [2, 0]), every[[2, 0]], atol=1e-12)
