"""Streamed activations against hooks on Hugging Face's model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.activations import stream, traces
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, HookPoint, Neuron, hook_points
from reference import post_activations
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
