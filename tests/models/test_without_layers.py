"""A twin whose lower layers do nothing, against the whole model."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.models.without_layers import can_be_left_out, without_layers
from reference import block

IDS = torch.arange(2, 9)[None]


@pytest.mark.parametrize("last", [-1, 0, 2])
def test_with_what_the_last_of_them_gave_it_says_what_the_model_says(model: Model, last: int):
    seen: list[torch.Tensor] = []
    ran: list[int] = []
    with torch.no_grad():
        with hooked(
            model.plain, model.outs, {}, residual={block(model.plain, max(last, 0)): seen.append}
        ):
            wanted = model.plain(input_ids=IDS).logits
        plain = without_layers(model, last)
        given = {block(plain, last): lambda found: seen[0]} if last >= 0 else {}
        looks = {layer: lambda post, layer=layer: ran.append(layer) for layer in range(last + 1, 3)}
        with hooked(plain, model.outs_of(plain), looks, residual=given):
            torch.testing.assert_close(plain(input_ids=IDS).logits, wanted)
    assert ran == list(range(last + 1, 3))


def test_layers_that_hand_on_more_than_a_tensor_cannot_be_left_out(llama: Model):
    """A hook makes it so, and one in front of the next layer makes it good."""

    def several(module, args, output):
        return output, None

    def first(module, args, kwargs):
        return (args[0][0], *args[1:]), kwargs

    assert can_be_left_out(llama)
    after = block(llama.plain, 1).register_forward_pre_hook(first, with_kwargs=True)
    with block(llama.plain, 0).register_forward_hook(several), after:
        assert not can_be_left_out(llama)
    assert can_be_left_out(llama)
