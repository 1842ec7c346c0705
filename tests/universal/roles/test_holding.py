"""Neurons held by the fast path, against Hugging Face's own model with a plain forward hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.studies.universal.roles import holding
from clampsweep.studies.universal.roles.holding import Held

IDS = np.random.default_rng(0).integers(2, 200, (3, 14)).tolist()
KEEP = [2, 7, 12]


def parts(plain: Any) -> tuple[list[Any], Any]:
    """Output projections and the final norm, by Hugging Face's own names."""
    if hasattr(plain, "transformer"):
        return [block.mlp.c_proj for block in plain.transformer.h], plain.transformer.ln_f
    if hasattr(plain, "gpt_neox"):
        outs = [layer.mlp.dense_4h_to_h for layer in plain.gpt_neox.layers]
        return outs, plain.gpt_neox.final_layer_norm
    return [layer.mlp.down_proj for layer in plain.model.layers], plain.model.norm


def by_hand(
    plain: Any, neuron: Neuron, rows: list[int], values: Tensor, keep: list[int]
) -> tuple[Tensor, Tensor]:
    """Logits, and log of the root mean square of what the final norm divides."""
    outs, norm = parts(plain)
    seen = []

    def hold(module: Any, args: tuple[Tensor]) -> tuple[Tensor]:
        changed = args[0].clone().reshape(len(rows), -1, args[0].shape[-1])
        own = changed[..., neuron.index]
        changed[..., neuron.index] = torch.where(values.isnan(), own, values)
        return (changed.reshape(args[0].shape),)

    handles = [
        outs[neuron.layer].register_forward_pre_hook(hold),
        norm.register_forward_pre_hook(lambda module, args: seen.append(args[0])),
    ]
    with torch.no_grad():
        logits = plain(input_ids=torch.tensor(IDS)[rows]).logits[:, keep]
    for handle in handles:
        handle.remove()
    final = seen[0][:, keep]
    if isinstance(norm, torch.nn.LayerNorm):
        return logits, final.var(-1, unbiased=False).log() / 2
    return logits, final.pow(2).mean(-1).sqrt().log()


@pytest.mark.parametrize("adds", [True, False])
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_held_neuron_is_what_a_hook_makes_of_it(
    model: Model,
    hugging_face: Callable[[Model], Any],
    layer: int,
    adds: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    if not adds:  # as in a model with a norm after its MLPs
        monkeypatch.setattr(holding, "_adds", lambda *args: False)
    neuron, rows = Neuron(layer, 5), [0, 2]
    held = Held(model, IDS, [neuron, Neuron(layer, 9)])
    values = torch.full((2, 14), torch.nan, dtype=torch.float64)
    values[0], values[1, 3] = 4.0, -3.0
    seen = held.run(neuron, rows, values, KEEP)
    logits, scale = by_hand(hugging_face(model), neuron, rows, values, KEEP)
    torch.testing.assert_close(seen.logits, logits, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(seen.log_scale, scale, rtol=1e-8, atol=1e-8)


def test_nothing_held_is_the_model_itself(model: Model, hugging_face: Callable[[Model], Any]):
    neuron = Neuron(1, 3)
    held = Held(model, IDS, [neuron])
    with torch.no_grad():
        wanted = hugging_face(model)(input_ids=torch.tensor(IDS)).logits[:, KEEP]
    same = held.run(neuron, range(3), held.post(neuron), KEEP)
    for seen in (held.natural(1, range(3), KEEP), same):
        torch.testing.assert_close(seen.logits, wanted, rtol=1e-9, atol=1e-9)


def test_natural_activations_are_the_projections_inputs(
    llama: Model, hugging_face: Callable[[Model], Any]
):
    plain, seen = hugging_face(llama), []
    outs, _ = parts(plain)
    handle = outs[2].register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad():
        plain(input_ids=torch.tensor(IDS))
    handle.remove()
    held = Held(llama, IDS, [Neuron(2, 7), Neuron(0, 1)])
    torch.testing.assert_close(held.post(Neuron(2, 7)), seen[0][..., 7])


def test_a_layer_whose_output_is_normed_again_is_found_out(llama: Model):
    ids = torch.tensor(IDS[:1])
    assert holding._adds(llama, ids, 1)
    handle = llama.part("blocks.1").mlp.register_forward_hook(
        lambda module, args, output: output / output.norm(dim=-1, keepdim=True)
    )
    try:
        assert not holding._adds(llama, ids, 1)
    finally:
        handle.remove()
