"""One forward pass: its residual streams, what it notes, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from clampsweep.decoder.attention import Layout
from clampsweep.decoder.cells import Cells, EditedCells
from clampsweep.decoder.decode import decode
from clampsweep.decoder.engine import Split
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.key_values import KeyValues, PromptTokens
from clampsweep.decoder.layer_edits import by_layer
from clampsweep.decoder.pass_hooks import ForwardPass
from clampsweep.decoder.rows import Decoded, Means
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from decoder_calls import GREEDY, engine_of, every_value
from reference import Clamp, logits_alone, post_activations
from standing import n_hooks
from tiny import N_LAYERS


def _texts(found: list[Decoded]) -> list[list[int]]:
    return [one.token_ids for one in found]


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_no_hook_remains_after_decode_or_an_exception_midway(model: Model, layer: int) -> None:
    engine = engine_of(model)
    prompts, edits = every_value(model, layer)
    wanted = decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    assert (n_hooks(model.plain), n_hooks(engine.plain)) == (0, 0)
    told: list[int] = []

    def stop(n: int) -> None:
        told.append(n)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1], on_tokens=stop)
    assert len(told) == 3
    assert (n_hooks(model.plain), n_hooks(engine.plain)) == (0, 0)
    assert torch.is_grad_enabled()
    again = decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    assert _texts(again) == _texts(wanted)


TOKENS = [40, 41, 42, 97, 50]


def _pass(
    model: Model, edits: list[list[Edit]], stop_at: int | None = None
) -> tuple[ForwardPass, Split, Means, torch.Tensor]:
    """A pass over one prompt that all rows share, each position a cell if they run apart."""
    n, n_rows = len(TOKENS), len(edits)
    layer_edits = by_layer(edits, model.device, model.dtype)
    split = Split(engine_of(model), layer_edits, {}, Scope("all"), torch.tensor([n]))
    if split.apart:
        token, row = torch.arange(n).repeat(n_rows), torch.arange(n_rows).repeat_interleave(n)
    else:
        token, row = torch.full((n_rows,), n - 1), torch.arange(n_rows)
    cells = Cells(token, row, token, expand=split.apart, generated=True)
    n_prompt = torch.full((n_rows,), n)
    edited = {
        layer: EditedCells.of(each, cells, Scope("all"), n_prompt)
        for layer, each in layer_edits.items()
    }
    means = Means(model, range(N_LAYERS), layer_edits, n_rows)
    forward = ForwardPass(engine_of(model), split, means, cells, edited, {}, stop_at)
    position = torch.arange(n)
    below = KeyValues(range(split.layer + 1), [n], torch.tensor([0]), n_rows, 4, model.dtype)
    above_layers = range(split.layer + 1, N_LAYERS)
    above = KeyValues(above_layers, [n] * n_rows, torch.arange(n_rows), n_rows, 4, model.dtype)
    with torch.inference_mode():
        residual = forward.run(
            torch.tensor(TOKENS),
            position,
            Layout(below, PromptTokens(torch.zeros(n, dtype=torch.long), position)),
            Layout(above, PromptTokens(row, token)),
        )
    return forward, split, means, residual


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_the_residual_stream_and_the_shifts_give_the_clamped_logits(
    model: Model, hugging_face: Callable[[Model], Any], layer: int
) -> None:
    clamps = [Clamp(Neuron(layer, 3 + at), "set", 12.0 - 9 * at) for at in range(3)]
    edits = [[edit(clamp.neuron, "set", clamp.value)] for clamp in clamps]
    forward, split, _, residual = _pass(model, edits)
    engine = engine_of(model)
    if split.apart:  # each row has five cells
        heads = forward.parting.heads(residual.view(3, len(TOKENS), -1)[:, -1], None)
        assert heads.shifts is None
    else:
        heads = forward.parting.heads(residual[-1:], torch.zeros(3, dtype=torch.long))
        assert heads.shifts is not None
    newest = heads.rows()  # [row, d_model]
    unembed = model.part("unembed", engine.plain)
    with torch.inference_mode():
        got = unembed(engine.norm(newest))
    for row, clamp in enumerate(clamps):
        wanted = logits_alone(hugging_face(model), TOKENS, len(TOKENS), [clamp], "all")
        torch.testing.assert_close(got[row], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_a_pass_stops_at_the_layer_wanted_after_its_means_are_noted(
    model: Model, hugging_face: Callable[[Model], Any], layer: int
) -> None:
    """Without an edit: the last position's activations, up to that layer and no further."""
    _, split, means, residual = _pass(model, [[]], stop_at=layer)
    assert not split.apart
    natural = post_activations(hugging_face(model), TOKENS)
    torch.testing.assert_close(residual, natural[layer], rtol=1e-5, atol=1e-5)
    vectors = means.of(0, 1).vectors
    for at in range(N_LAYERS):
        wanted = natural[at][-1].float() if at <= layer else torch.zeros(natural[at].shape[1])
        torch.testing.assert_close(torch.from_numpy(vectors[at]), wanted, rtol=1e-5, atol=1e-5)
