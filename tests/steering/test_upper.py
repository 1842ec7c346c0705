"""Layers above one, run by themselves, against the whole model."""

from __future__ import annotations

import pytest
import torch

from clampsweep.studies.steering.upper import Upper


def _after(model, layer, ids):
    """The residual stream after a layer, and logits behind the last token."""
    seen = []

    def look(module, args, output):
        seen.append(output if isinstance(output, torch.Tensor) else output[0])

    with torch.no_grad(), model.part(f"blocks.{layer}").register_forward_hook(look):
        logits = model.plain(ids, use_cache=False).logits[:, -1]
    return seen[0].view(*ids.shape, -1), logits


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("start", [0, 3])
def test_what_a_layer_gives_is_gone_on_with_as_by_the_model_itself(model, layer, start):
    ids = torch.tensor([model.encode(text) for text in ("the cat ran", "glass is an")])
    given, wanted = _after(model, layer, ids)
    upper = Upper(model, layer)
    assert upper.keeps
    cache = upper.cache()
    with torch.no_grad():
        model.plain(ids, past_key_values=cache, use_cache=True)
        past = upper.past(cache, start)
        assert len(past) == model.n_layers - layer - 1
        got = upper.last_logits(given[:, start:], ids[:, start:], start, past)
    assert torch.allclose(got, wanted, atol=1e-9)


def test_the_model_itself_is_left_as_it_was(llama):
    ids = torch.tensor([llama.encode("the cat ran")])
    before = _after(llama, 1, ids)[1]
    Upper(llama, 1).last_logits(torch.ones(1, ids.shape[1], llama.d_model).double(), ids, 0, [])
    assert torch.equal(_after(llama, 1, ids)[1], before)


def test_a_model_that_looks_back_no_further_than_a_window_is_given_all_positions(load_tiny):
    assert not Upper(load_tiny("mistral"), 0).keeps
