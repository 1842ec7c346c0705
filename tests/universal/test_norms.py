"""What a norm does, read off it: held against the norm itself, in several families."""

from __future__ import annotations

import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.universal.norms import normed, read_norm


@pytest.mark.parametrize("name", ["gpt2", "llama", "neox"])
def test_what_is_read_does_what_the_norm_does(load_tiny, name):
    model = load_tiny(name)
    norm = model.part("blocks.1.ln2")
    found = read_norm(norm, model.d_model, "model: ln2")
    x = 10 * torch.randn(4, model.d_model, dtype=torch.float64)
    with torch.inference_mode():
        wanted = norm(x.to(model.dtype)).double()
    assert torch.allclose(normed(found, x), wanted, rtol=1e-4, atol=1e-4)
    assert found.centred == (name != "llama")


def test_gemmas_gain_is_one_more_than_its_weight():
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm

    norm = Gemma3RMSNorm(6)
    with torch.no_grad():
        norm.weight.copy_(torch.arange(6.0))
    found = read_norm(norm, 6, "model: ln2")
    assert found.gain.tolist() == pytest.approx([1, 2, 3, 4, 5, 6], rel=1e-4)
    assert not found.centred


def test_what_is_no_norm_is_refused():
    with pytest.raises(UserError, match="model: ln2: cannot be folded: Linear is neither"):
        read_norm(torch.nn.Linear(6, 6), 6, "model: ln2")
