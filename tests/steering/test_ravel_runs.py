"""Prompts that are held at a layer: a swap against a hook in the whole model, and its gradient."""

from __future__ import annotations

import pytest
import torch

from clampsweep.names import MLP_POST, RESID_POST
from clampsweep.studies.steering.ravel_data import Item, Template
from clampsweep.studies.steering.ravel_prompts import Weights, asked
from clampsweep.studies.steering.ravel_runs import Held

TEXTS = ("%s is in", "the end of %s (", "so %s, a")
NAMES = ("the cat", "glass", "a bird", "rain", "x")


def _prompts(model):
    pairs = [(text, name) for text in TEXTS for name in NAMES]
    return asked(model, [Item(b, "train", Template(a, "", "train"), ()) for a, b in pairs])


def _hooked(model, layer, one, vector):
    """Logits of the whole model where a vector is put in by a hook, and the layer's own vectors."""
    seen = {}

    def change(module, args, output):
        hidden = (output if isinstance(output, torch.Tensor) else output[0]).clone()
        flat = hidden.view(-1, hidden.shape[-1])
        seen[RESID_POST] = flat[one.at].clone()
        if vector is not None:
            flat[one.at] = vector
        return hidden if isinstance(output, torch.Tensor) else (hidden, *output[1:])

    def look(module, args):
        seen[MLP_POST] = args[0].reshape(-1, args[0].shape[-1])[one.at].clone()

    block, out = model.part(f"blocks.{layer}"), model.outs[layer]
    with torch.no_grad(), block.register_forward_hook(change), out.register_forward_pre_hook(look):
        logits = model.plain(torch.tensor([one.ids]), use_cache=False).logits[0, -1]
    return logits, seen


@pytest.mark.parametrize("layer", [0, 2])
def test_a_swap_is_what_a_hook_in_the_whole_model_gives(model, layer):
    prompts = _prompts(model)
    held = Held(model, layer, prompts)
    vectors = torch.randn(len(prompts), model.d_model, generator=torch.manual_seed(0)).double()
    shapes = {}
    for number in range(len(prompts)):
        shapes.setdefault(held.shape(number), []).append(number)
    assert max(map(len, shapes.values())) > 1 < len(shapes)
    for numbers in shapes.values():
        with torch.no_grad():
            got = held.swapped(numbers, vectors[numbers])
        for number, logits in zip(numbers, got, strict=True):
            natural, seen = _hooked(model, layer, prompts[number], None)
            wanted, _ = _hooked(model, layer, prompts[number], vectors[number])
            assert torch.allclose(logits, wanted, atol=1e-9)
            assert held.said[number] == natural.argmax()
            for name in (RESID_POST, MLP_POST):
                assert torch.allclose(held.vectors[name][number], seen[name], atol=1e-12)


def test_a_model_with_a_window_is_held_whole(load_tiny):
    model = load_tiny("mistral")
    prompts = _prompts(model)
    held = Held(model, 0, prompts)
    vector = torch.ones(model.d_model).double()
    with torch.no_grad():
        got = held.swapped([1], vector[None])[0]
    assert torch.allclose(got, _hooked(model, 0, prompts[1], vector)[0], atol=1e-9)


def test_gradients_are_those_of_finite_differences(gpt2):
    held = Held(gpt2, 0, _prompts(gpt2))
    vector = held.vectors[RESID_POST][0].clone().requires_grad_()
    (got,) = torch.autograd.grad(held.swapped([0], vector[None])[0, 7], vector)
    step = torch.zeros_like(vector)
    for at in (0, 5, 11):
        step.zero_()[at] = 1e-5
        with torch.no_grad():
            ends = held.swapped([0, 0], torch.stack([vector + step, vector - step]))[:, 7]
        assert float(got[at]) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-7)
    assert all(one.grad is None for one in gpt2.plain.parameters())


def test_prompts_of_several_shapes_do_not_go_together_and_the_cost_is_counted(llama):
    prompts = _prompts(llama)
    held = Held(llama, 1, prompts)
    other = next(n for n in range(len(prompts)) if held.shape(n) != held.shape(0))
    vectors = held.vectors[RESID_POST]
    with pytest.raises(ValueError, match="several shapes"):
        held.swapped([0, other], vectors[[0, other]])
    before, weights = held.flops, Weights.of(llama)
    held.swapped([0, 0], vectors[[0, 0]])
    tokens = 2 * (len(prompts[0].ids) - prompts[0].at)
    assert held.flops - before == weights.flops(tokens, 1, 2)
    assert before > weights.flops(sum(len(one.ids) for one in prompts), 3, len(prompts))
