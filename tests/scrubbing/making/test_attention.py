"""The model that is trained, against a plain forward pass of its exported weights."""

from __future__ import annotations

import numpy as np
import torch

import attention_only
from clampsweep.studies.scrubbing.making.attention import AttentionOnly
from clampsweep.studies.scrubbing.making.export import as_neox
from clampsweep.studies.scrubbing.weights import from_model

SHAPE = {"d_model": 16, "n_heads": 2, "n_ctx": 40, "rotary_base": 1000, "bias_scale": 1.0}
IDS = torch.tensor([[0, 3, 1, 4, 1, 5, 9, 2, 6, 5], [0, 2, 7, 1, 8, 2, 8, 1, 8, 2]])


def model(seed: int = 0) -> AttentionOnly:
    """With weights that are not small, so that a fault shows."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = AttentionOnly(11, SHAPE)
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.5)
    return made


def test_its_logits_are_those_of_a_plain_forward_pass():
    made = model()
    with torch.inference_mode():
        found = made(IDS).numpy()
    weights = from_model(as_neox(made, torch.float32))
    for row, ids in zip(found, IDS.tolist(), strict=True):
        right = attention_only.logits(weights, ids)
        assert np.abs(row - right).max() < 1e-5 * np.abs(right).max()


def test_its_patterns_are_those_of_hugging_faces_class():
    made = model()
    plain = as_neox(made, torch.float32)
    plain.set_attn_implementation("eager")
    with torch.inference_mode():
        right = torch.stack(plain(input_ids=IDS, output_attentions=True).attentions)
    torch.testing.assert_close(made.patterns(IDS), right)


def test_biases_of_queries_and_keys_begin_at_their_scale_and_the_others_at_zero():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = AttentionOnly(11, {**SHAPE, "d_model": 512, "bias_scale": 2.0}).layers[0]
    assert 1.8 < float(layer.q.bias.detach().std()) < 2.2
    assert 1.8 < float(layer.k.bias.detach().std()) < 2.2
    assert not layer.v.bias.any()
    assert not layer.o.bias.any()
