"""Streamed activations against hooks on Hugging Face's model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.activations import stream, traces
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, HookPoint, Neuron, hook_points
from reference import post_activations
from shapes import unchecked
from standing import n_hooks
from tiny import D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS

POST = [HookPoint(0, MLP_POST)]


def _sequences(model: Model) -> list[list[int]]:
    texts = (PROMPTS[0], *RAGGED_PROMPTS, *PROMPTS[1:4])
    return [model.encode(text) for text in texts]


@pytest.mark.parametrize("rows", [1, 2, 32])
def test_a_stream_hands_over_each_layers_input_of_the_output_projection(
    model: Model, hugging_face: Callable[[Model], Any], rows: int
) -> None:
    sequences = _sequences(model)
    seen: dict[tuple[int, int], torch.Tensor] = {}

    def receive(numbers: list[int], point: HookPoint, activation: torch.Tensor) -> None:
        assert len(numbers) <= rows
        for number, one in zip(numbers, activation, strict=True):
            assert (point.layer, number) not in seen, "each once"
            seen[point.layer, number] = one.clone()

    points = hook_points(MLP_POST, range(N_LAYERS))
    done = list(stream(model, sequences, points, receive, rows))
    assert sum(done) == len(sequences)
    assert len(seen) == N_LAYERS * len(sequences)
    for number, sequence in enumerate(sequences):
        wanted = post_activations(hugging_face(model), sequence)
        for layer in range(N_LAYERS):
            torch.testing.assert_close(seen[layer, number], wanted[layer], rtol=1e-4, atol=1e-5)


def test_a_stream_hands_over_only_the_layers_asked_for(gpt2: Model) -> None:
    got: set[HookPoint] = set()
    for _ in stream(gpt2, _sequences(gpt2), POST, lambda _, point, value: got.add(point)):
        pass
    assert got == set(POST)


def test_nothing_to_stream_is_no_pass(gpt2: Model) -> None:
    assert list(stream(gpt2, [], POST, lambda *all_: None)) == []


def test_no_hook_remains_after_a_stream_however_it_ends(gpt2: Model) -> None:
    def fail(*all_: object) -> None:
        raise KeyboardInterrupt

    half = stream(gpt2, _sequences(gpt2), POST, lambda *all_: None)
    next(half)
    assert n_hooks(gpt2.plain) == 0, "also while it waits"
    half.close()
    with pytest.raises(KeyboardInterrupt):
        next(stream(gpt2, _sequences(gpt2), POST, fail))
    assert n_hooks(gpt2.plain) == 0
    assert torch.is_grad_enabled()


def test_traces_are_the_natural_values_at_every_position(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    sequences = _sequences(model)
    neurons = [Neuron(0, 3), Neuron(2, 0), Neuron(2, D_MLP - 1)]
    found = traces(model, sequences, neurons)
    assert len(found) == len(sequences)
    for sequence, one in zip(sequences, found, strict=True):
        assert set(one) == set(neurons)
        wanted = post_activations(hugging_face(model), sequence)
        for neuron in neurons:
            np.testing.assert_allclose(
                one[neuron], wanted[neuron.layer][:, neuron.index], rtol=1e-4, atol=1e-5
            )


def test_the_models_folder_is_only_read(tiny_folder: Callable[..., Any], gpt2: Model) -> None:
    folder: Path = tiny_folder("gpt2")[0]
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    traces(gpt2, _sequences(gpt2), [Neuron(0, 0)])
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("sequences", "neurons", "kind", "said"),
    [
        ("the cat", [Neuron(1, 2)], TypeError, "sequences: got 'the cat'; write lists of token"),
        (["the cat"], [Neuron(1, 2)], TypeError, "sequences[0]: got 'the cat'; write lists"),
        ([[5, 6], []], [Neuron(1, 2)], ValueError, "sequences[1]: got no tokens"),
        ([[272]], [Neuron(1, 2)], ValueError, "sequences[0]: got token 272; the model's are 0 to"),
        ([[5] * 65], [Neuron(1, 2)], ValueError, "sequences[0]: got 65 tokens; the model reads 64"),
        ([[5]], ["L1N2"], TypeError, "neuron: got 'L1N2'; write Neuron(11, 373)"),
        ([[5]], [Neuron(1, -1)], ValueError, "L1N-1: neuron: got -1; allowed: 0 to 39"),
        ([[5]], [Neuron(3, 1)], ValueError, "L3N1: layer: got 3; allowed: 0 to 2"),
    ],
)
def test_what_is_not_of_the_model_is_refused_in_one_line(
    load_tiny: Any, sequences: Any, neurons: Any, kind: type[Exception], said: str
) -> None:
    with unchecked(), pytest.raises(kind) as caught:
        traces(load_tiny("llama"), sequences, neurons)
    assert type(caught.value) is kind and str(caught.value).startswith(said)


def test_a_neuron_of_a_model_without_neurons_is_refused() -> None:
    with pytest.raises(ValueError, match="the model has no MLP, and no neurons"):
        Model.check_neuron(SimpleNamespace(d_mlp=0), Neuron(1, 2))  # type: ignore[arg-type]
