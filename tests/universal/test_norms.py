"""What a norm multiplies and adds: held against the norm itself."""

from __future__ import annotations

import pytest
import torch

from clampsweep.studies.universal.norms import read_norm


def norm_of(model, layer=0):
    return model.part(f"blocks.{layer}.ln2")


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_the_norm_is_what_its_parts_say(load_tiny, name):
    model = load_tiny(name)
    norm = norm_of(model)
    with torch.no_grad():
        for weight in norm.parameters():
            kept = weight.clone()
            found = read_norm(norm, model.d_model)
            x = torch.randn(4, model.d_model, dtype=torch.float64)
            about = x - x.mean(1, keepdim=True) if found.centres else x
            size = about.pow(2).mean(1, keepdim=True).add(1e-6).sqrt()
            made = about / size * found.gain + found.bias
            assert torch.allclose(made, norm(x.to(weight.dtype)).double(), rtol=1e-4, atol=1e-5)
            weight.copy_(kept)
    assert found.centres == (name != "llama")


def test_gemmas_gain_is_one_more_than_its_weight():
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm

    norm = Gemma3RMSNorm(6)
    with torch.no_grad():
        norm.weight.copy_(torch.arange(6.0))
    assert read_norm(norm, 6).gain.tolist() == pytest.approx([1, 2, 3, 4, 5, 6], rel=1e-4)
