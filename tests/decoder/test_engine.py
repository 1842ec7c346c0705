"""The engine's model of its own, and where the rows of a call part."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine, Split
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.layer_edits import by_layer
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from decoder_calls import GREEDY, engine_of, every_value
from reference import Clamp, covers, decode_alone, other_weights, w_out
from tiny import ARCHITECTURES, D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_directions_are_the_columns_of_w_out(
    load_tiny: Callable[..., Model], architecture: str, dtype: str
) -> None:
    model = load_tiny(architecture, dtype=dtype)
    neurons = torch.tensor([0, 7, D_MLP - 1, 7])
    for layer in range(N_LAYERS):
        got = model.output_directions(layer, neurons)
        w_out = model.bridge.blocks[layer].mlp.W_out
        assert w_out.shape[0] == D_MLP
        torch.testing.assert_close(got, w_out[neurons].detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_plain_model_still_computes_what_it_did(
    load_tiny: Callable[..., Model], dtype: str
) -> None:
    """The engine packs and hooks modules of its own."""
    model = load_tiny("gpt2", seed=5, dtype=dtype)
    tokens = torch.tensor([model.encode(PROMPTS[0])])
    with torch.inference_mode():
        before = model.plain(tokens).logits
        prompts, edits = every_value(model, 0)
        decode(model, prompts, edits, Scope("all"), GREEDY)
        assert isinstance(fast_path(model, edits, Scope("all")), Engine)
        assert torch.equal(model.plain(tokens).logits, before)


def test_a_model_whose_attention_cannot_be_exchanged_takes_the_general_path(
    load_tiny: Callable[..., Model],
) -> None:
    """BLOOM's: its biases fall with distance, and it computes them itself."""
    weights, fields = other_weights("bloom")
    model = load_tiny("llama", model=weights, **fields)
    assert "its attention cannot be exchanged" in str(fast_path(model, [[]], Scope("all")))
    clamp = Clamp(Neuron(1, 5), "set", 20.0)
    prompts = [model.encode(text) for text in (PROMPTS[0], RAGGED_PROMPTS[0])]
    change = [edit(clamp.neuron, "set", 20.0)]
    got = decode(model, prompts, [change, change], Scope("all"), Decoding("greedy", 5))
    wanted = [decode_alone(model, prompt, [clamp], "all", 5) for prompt in prompts]
    assert [one.token_ids for one in got] == [one.token_ids for one in wanted]


def test_the_engine_finds_every_layer_and_projection_of_its_own_model(model: Model) -> None:
    engine = engine_of(model)
    assert len(engine.blocks) == len(engine.outs) == N_LAYERS
    inside = list(engine.plain.modules())
    parts = [engine.body, engine.norm, *engine.blocks, *engine.outs]
    assert all(any(part is module for module in inside) for part in parts)
    assert all(
        any(out is module for module in block.modules())
        for out, block in zip(engine.outs, engine.blocks, strict=True)
    )
    assert not {id(module) for module in inside} & {id(module) for module in model.plain.modules()}


# Where rows part


def _split(model: Model, rows: list[list[Edit]], scope: str, lengths: tuple[int, ...]) -> Split:
    edits = by_layer(rows, model.device, model.dtype)
    return Split(engine_of(model), edits, {}, Scope.parse(scope), torch.tensor(lengths))


@pytest.mark.parametrize("layer", range(N_LAYERS))
@pytest.mark.parametrize("scope", ["all", "prompt", "generated", "last", "last_cached", "5", "1,9"])
@pytest.mark.parametrize("lengths", [(3, 3), (3, 6)])
def test_rows_part_at_the_lowest_edit_and_prompts_where_the_scope_reaches_them(
    gpt2: Model, layer: int, scope: str, lengths: tuple[int, ...]
) -> None:
    rows = [[edit(Neuron(N_LAYERS - 1, 2), "zero")], [], [edit(Neuron(layer, 2), "zero")]]
    split = _split(gpt2, rows, scope, lengths)
    assert split.layer == layer
    assert split.apart == (layer < N_LAYERS - 1)
    reached = any(covers(scope, at, n, n) for n in lengths for at in range(n))
    assert split.prompts_apart == (split.apart and reached)


def test_without_an_edit_rows_never_part(gpt2: Model) -> None:
    split = _split(gpt2, [[], []], "all", (4,))
    assert (split.layer, split.apart, split.prompts_apart) == (N_LAYERS - 1, False, False)
    assert (split.directions, split.random) == (None, {})


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_equal_directions_of_the_split_layer_are_held_once(model: Model, layer: int) -> None:
    neurons = [7, 3, 7, 39, 3, 7]
    rows = [[edit(Neuron(layer, neuron), "set", 1.0 * at)] for at, neuron in enumerate(neurons)]
    split = _split(model, rows, "all", (4,))
    directions = split.directions
    assert directions is not None
    assert len(directions.vectors) == 3
    for at, neuron in enumerate(neurons):
        got = directions.vectors[directions.of_edit[at]]
        wanted = w_out(model, Neuron(layer, neuron)).to(got)
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)
    assert (split.head_directions is None) == (layer < N_LAYERS - 1)


def test_random_directions_are_kept_apart_from_the_neurons_own(gpt2: Model) -> None:
    sent = Neuron(1, 7, direction=4)
    rows = [[edit(Neuron(0, 7), "set", 2.0), edit(sent, "set", 2.0)], [edit(Neuron(2, 1), "zero")]]
    split = _split(gpt2, rows, "all", (4,))
    assert set(split.random) == {1}
    length = w_out(gpt2, Neuron(1, 7)).norm()
    torch.testing.assert_close(split.random[1].norm(), length, rtol=1e-5, atol=1e-6)
