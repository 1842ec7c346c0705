"""Weights by head, against Hugging Face's own forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import attention_only
from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.weights import from_model

IDS = [3, 1, 4, 1, 5, 9, 2, 6]
ROPE = {"rope_type": "default", "rope_theta": 1000.0}


def neox(**changes: Any) -> Any:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    config = GPTNeoXConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=1,
        max_position_embeddings=32,
        bos_token_id=0,
        eos_token_id=0,
        **{"rope_parameters": ROPE, **changes},
    )
    return filled(GPTNeoXForCausalLM(config))


def gpt2(**changes: Any) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=20,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_inner=1,
        n_positions=32,
        bos_token_id=0,
        eos_token_id=0,
        **changes,
    )
    return filled(GPT2LMHeadModel(config))


def filled(model: Any) -> Any:
    """With random weights and biases in float64, but for the MLPs, which write nothing."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        for name, weight in model.named_parameters():
            weight.normal_(1.0 if "norm.w" in name or "ln" in name else 0.0, 0.5)
            if ".mlp." in name:
                weight.zero_()
    return model.double().eval()


@pytest.mark.parametrize(
    "make",
    [
        lambda: neox(),
        lambda: neox(use_parallel_residual=False),
        lambda: neox(rope_parameters={**ROPE, "partial_rotary_factor": 0.5}),
        lambda: neox(attention_bias=False),
        lambda: gpt2(),
        lambda: gpt2(tie_word_embeddings=False),
    ],
    ids=["neox", "neox in series", "neox, half turned", "neox, no biases", "gpt2", "gpt2 untied"],
)
def test_weights_by_head_make_the_logits_of_hugging_faces_model(make):
    model = make()
    with torch.inference_mode():
        wanted = model(input_ids=torch.tensor([IDS])).logits[0].numpy()
    found = attention_only.logits(from_model(model), IDS)
    # Hugging Face's rotations are in float32 whatever the model's dtype.
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_weights_are_converted_as_a_whole_and_leave_the_model_as_it_is():
    model = neox()
    single = from_model(model).to(torch.float32)
    assert {single.W_E.dtype, single.norm.w.dtype, single.layers[1].b_O.dtype} == {torch.float32}
    assert (single.n_heads, single.d_head, single.d_model, single.d_vocab) == (2, 8, 16, 20)
    assert model.dtype == torch.float64
    assert not from_model(model).W_U.requires_grad


def test_models_that_would_be_read_wrongly_are_refused():
    from transformers import LlamaConfig, LlamaForCausalLM

    llama = LlamaForCausalLM(
        LlamaConfig(vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                    num_attention_heads=2))  # fmt: skip
    with pytest.raises(UserError, match="m: got a model of type llama, and scrubbing reads"):
        from_model(llama, "m")
    with pytest.raises(UserError, match="divided by the square root"):
        from_model(gpt2(scale_attn_weights=False), "m")
    with pytest.raises(UserError, match="divided by the square root"):
        from_model(gpt2(scale_attn_by_inverse_layer_idx=True), "m")
    scaled = neox(rope_parameters={**ROPE, "rope_type": "linear", "factor": 2.0})
    with pytest.raises(UserError, match="rotations of type linear"):
        from_model(scaled, "m")
