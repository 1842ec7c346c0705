"""Running moments against numpy, streamed activations against hooks on Hugging Face's model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.activations import stream, traces
from clampsweep.models.model import Model
from clampsweep.models.moments import Moments
from clampsweep.names import Neuron
from reference import post_activations
from standing import n_hooks
from tiny import D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS


def _moments(parts: list[np.ndarray]) -> Moments:
    moments = Moments(parts[0].shape[1])
    for part in parts:
        moments.add(part)
    return moments


@pytest.mark.parametrize("cuts", [[], [1], [3, 3, 40], list(range(1, 100)), [0, 100]])
def test_moments_of_parts_equal_numpy_on_the_whole(cuts: list[int]) -> None:
    values = np.random.default_rng(0).normal([0, 5, -200], [1, 0.1, 30], (100, 3))
    got = _moments(np.split(values, cuts))
    assert got.n == 100
    np.testing.assert_allclose(got.mean, values.mean(0), rtol=1e-12)
    np.testing.assert_allclose(got.sd, values.std(0, ddof=1), rtol=1e-12)
    np.testing.assert_array_equal(got.min, values.min(0))
    np.testing.assert_array_equal(got.max, values.max(0))
    np.testing.assert_allclose(got.share_positive, (values > 0).mean(0), rtol=1e-15)


def test_the_sd_survives_a_mean_that_is_far_larger() -> None:
    values = 1e7 + np.random.default_rng(0).normal(0, 1e-2, (1000, 1))
    got = _moments(np.split(values, 50))
    np.testing.assert_allclose(got.sd, values.std(0, ddof=1), rtol=1e-6)


def test_single_precision_parts_are_summed_in_double_precision() -> None:
    values = np.full((10, 1), 0.1, np.float32)
    got = _moments([values] * 1000)
    np.testing.assert_allclose(got.mean, float(np.float32(0.1)), rtol=1e-13)
    assert got.sd[0] < 1e-12


def test_the_sd_of_fewer_than_two_positions_is_nan() -> None:
    moments = Moments(2)
    assert (moments.n, np.isnan(moments.sd).all()) == (0, True)
    moments.add(np.empty((0, 2)))
    assert moments.n == 0
    moments.add(np.array([[1.0, -1.0]]))
    assert (moments.n, np.isnan(moments.sd).all()) == (1, True)
    assert (moments.mean.tolist(), moments.min.tolist()) == ([1, -1], [1, -1])


def test_zero_is_not_positive() -> None:
    assert _moments([np.array([[0.0], [-0.0], [1e-30], [-1.0]])]).share_positive.tolist() == [0.25]


def test_a_part_is_left_as_it_was() -> None:
    part = np.ones((4, 2))
    _moments([part, part])
    assert (part == 1).all()


# Streams


def _sequences(model: Model) -> list[list[int]]:
    texts = (PROMPTS[0], *RAGGED_PROMPTS, *PROMPTS[1:4])
    return [model.encode(text) for text in texts]


@pytest.mark.parametrize("rows", [1, 2, 32])
def test_a_stream_hands_over_each_layers_input_of_the_output_projection(
    model: Model, hugging_face: Callable[[Model], Any], rows: int
) -> None:
    sequences = _sequences(model)
    seen: dict[tuple[int, int], torch.Tensor] = {}

    def receive(layer: int, numbers: list[int], activation: torch.Tensor) -> None:
        assert len(numbers) <= rows
        for number, one in zip(numbers, activation, strict=True):
            assert (layer, number) not in seen, "each once"
            seen[layer, number] = one.clone()

    done = list(stream(model, sequences, range(N_LAYERS), receive, rows))
    assert sum(done) == len(sequences)
    assert len(seen) == N_LAYERS * len(sequences)
    for number, sequence in enumerate(sequences):
        wanted = post_activations(hugging_face(model), sequence)
        for layer in range(N_LAYERS):
            torch.testing.assert_close(seen[layer, number], wanted[layer], rtol=1e-4, atol=1e-5)


def test_a_stream_runs_only_the_layers_asked_for(gpt2: Model) -> None:
    layers: list[int] = []
    for _ in stream(gpt2, _sequences(gpt2), [1], lambda layer, *rest: layers.append(layer)):
        pass
    assert set(layers) == {1}


def test_nothing_to_stream_is_no_pass(gpt2: Model) -> None:
    assert list(stream(gpt2, [], [0], lambda *all_: None)) == []


def test_no_hook_remains_after_a_stream_however_it_ends(gpt2: Model) -> None:
    def fail(*all_: object) -> None:
        raise KeyboardInterrupt

    half = stream(gpt2, _sequences(gpt2), [0], lambda *all_: None)
    next(half)
    assert n_hooks(gpt2.plain) == 0, "also while it waits"
    half.close()
    with pytest.raises(KeyboardInterrupt):
        next(stream(gpt2, _sequences(gpt2), [0], fail))
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
