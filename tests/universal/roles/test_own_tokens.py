"""Own tokens, by Hugging Face's own weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.roles.own_tokens import OwnTokens


def moved(rows: torch.Tensor, gain: torch.Tensor, written: torch.Tensor) -> np.ndarray:
    effect = (rows * gain) @ written
    return (effect - effect.mean()).detach().numpy()


def test_logits_of_an_rms_norm_by_hand(llama: Model, hugging_face: Callable[[Model], Any]):
    plain = hugging_face(llama)
    written = plain.model.layers[1].mlp.down_proj.weight[:, 6]
    wanted = moved(plain.lm_head.weight, plain.model.norm.weight, written)
    own = OwnTokens(llama)
    np.testing.assert_allclose(own.logits(Neuron(1, 6)), wanted, atol=1e-5)
    order = np.argsort(wanted)
    assert own.most(Neuron(1, 6), 1, 5).tolist() == order[::-1][:5].tolist()
    assert own.most(Neuron(1, 6), -1, 5).tolist() == order[:5].tolist()


def test_logits_of_a_layer_norm_by_hand(gpt2: Model, hugging_face: Callable[[Model], Any]):
    plain = hugging_face(gpt2)
    written = plain.transformer.h[2].mlp.c_proj.weight[3]
    final = plain.transformer.ln_f.weight
    wanted = moved(plain.lm_head.weight, final, written - written.mean())
    np.testing.assert_allclose(OwnTokens(gpt2).logits(Neuron(2, 3)), wanted, atol=1e-5)


def test_there_are_no_more_tokens_than_the_vocabulary_has(gpt2: Model):
    found = OwnTokens(gpt2).most(Neuron(0, 0), 1, 10_000)
    assert sorted(found.tolist()) == list(range(272))
