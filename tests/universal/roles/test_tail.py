"""Layers that are left out."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.studies.universal.roles.tail import EMBEDDING, Tails

IDS = torch.arange(2, 14)[None]


def test_layers_before_are_not_run(llama: Model):
    tails = Tails(llama)
    residual = torch.zeros(1, 12, llama.d_model, dtype=torch.float64) + 0.5
    ran: list[int] = []
    tails.run(IDS, 1, residual, torch.tensor([3]))
    handles = [
        llama.part(f"blocks.{layer}", tails._twins[1]).register_forward_hook(
            lambda module, args, output: ran.append(type(module).__name__)
        )
        for layer in range(3)
    ]
    tails.run(IDS, 1, residual, torch.tensor([3]))
    assert ran == ["_Passed", "_Passed", "LlamaDecoderLayer"]
    assert len(handles) == 3


def test_the_models_own_layers_stay(llama: Model):
    names = [type(llama.part(f"blocks.{layer}")).__name__ for layer in range(3)]
    before = llama.plain(input_ids=IDS).logits
    Tails(llama).run(IDS, 2, torch.ones(1, 12, llama.d_model).double(), torch.tensor([0]))
    assert names == ["LlamaDecoderLayer"] * 3
    torch.testing.assert_close(llama.plain(input_ids=IDS).logits, before)


def test_all_layers_are_run_from_the_embedding_on(gpt2: Model):
    seen = Tails(gpt2).run(IDS, EMBEDDING, None, torch.tensor([1, 5]))
    with torch.no_grad():
        torch.testing.assert_close(seen.logits, gpt2.plain(input_ids=IDS).logits[:, [1, 5]])


def test_what_a_model_asks_of_a_layer_is_answered_by_it(llama: Model):
    tails = Tails(llama)
    tails.run(IDS, 0, torch.ones(1, 12, llama.d_model).double(), torch.tensor([0]))
    passed = llama.part("blocks.0", tails._twins[0])
    assert passed.hidden_size == llama.d_model
    with pytest.raises(AttributeError):
        passed.no_such_thing  # noqa: B018
