"""Two tiny models on the same texts: against activations captured from Hugging Face's own model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.studies.universal import pairing
from clampsweep.studies.universal.correspondence import Aligned, Reading
from clampsweep.studies.universal.pairing import activations, correlate, refound
from tiny import D_MLP, N_LAYERS

EVERY = [np.arange(D_MLP)] * N_LAYERS
SOME = [np.array([3, 8, 30]), np.array([], dtype=int), np.array([0, 39])]


def texts(n: int = 12, length: int = 24) -> list[list[int]]:
    """Sequences of tokens, one of another length."""
    rng = np.random.default_rng(0)
    found = [[int(one) for one in rng.integers(2, 270, length)] for _ in range(n)]
    return [*found[:-1], found[-1][: length // 2]]


def aligned(skip: int = 4) -> Aligned:
    sequences = texts()
    reading = Reading(sequences, [list(range(skip, len(one))) for one in sequences])
    return Aligned("tokens", reading, reading, ["prose"] * 6 + ["code"] * 6)


def plain_activations(model: Model, plain: Any) -> np.ndarray:
    """Of every place that counts: what goes into each layer's output projection."""
    found: list[list[np.ndarray]] = []
    parts = [model.part(f"blocks.{layer}.mlp.out", plain) for layer in range(N_LAYERS)]
    for layer, part in enumerate(parts):
        found.append([])
        part.register_forward_pre_hook(
            lambda _, given, layer=layer: found[layer].append(given[0].reshape(-1, D_MLP).numpy())
        )
    with torch.inference_mode():
        for one in texts():
            plain(input_ids=torch.tensor([one]))
    layers = [np.concatenate([one[4:] for one in own]) for own in found]
    return np.concatenate(layers, axis=1)


@pytest.fixture(scope="module")
def pair(load_tiny: Callable[..., Model]) -> tuple[Model, Model]:
    return load_tiny("gpt2"), load_tiny("gpt2", seed=1)


@pytest.fixture(scope="module")
def values(
    pair: tuple[Model, Model], hugging_face: Callable[[Model], Any]
) -> tuple[np.ndarray, np.ndarray]:
    first, second = (plain_activations(one, hugging_face(one)) for one in pair)
    return first, second


def test_activations_are_those_of_the_models_own_class(
    pair: tuple[Model, Model], values: tuple[np.ndarray, np.ndarray]
) -> None:
    found = activations(pair[0], aligned().own, EVERY)
    np.testing.assert_allclose(found, values[0], atol=1e-4)
    columns = [3, 8, 30, 80, 119]
    np.testing.assert_array_equal(activations(pair[0], aligned().own, SOME), found[:, columns])


def test_sequences_without_a_place_give_none(pair: tuple[Model, Model]) -> None:
    sequences = texts()
    positions = [[], *([5, 7] for _ in sequences[1:])]
    found = activations(pair[0], Reading(sequences, positions), SOME)
    whole = activations(pair[0], Reading(sequences[1:], positions[1:]), SOME)
    np.testing.assert_array_equal(found, whole)


def test_correlations_are_numpys(
    pair: tuple[Model, Model], values: tuple[np.ndarray, np.ndarray], monkeypatch: Any
) -> None:
    monkeypatch.setattr(pairing, "_VALUES", 24 * 3 * 400)  # several batches
    found = correlate(*pair, aligned(), EVERY, 3, 0).pairs
    n = N_LAYERS * D_MLP
    full = np.corrcoef(values[0].T, values[1].T)[:n, n:]
    np.testing.assert_allclose(found["corr"], full.max(1), atol=1e-4)
    assert (found["other_layer"] * D_MLP + found["other_neuron"]).tolist() == full.argmax(
        1
    ).tolist()
    np.testing.assert_allclose(found["same"], full.diagonal(), atol=1e-4)
    assert set(found["n"]) == {len(values[0])}


def test_a_model_is_itself(pair: tuple[Model, Model]) -> None:
    found = correlate(pair[0], pair[0], aligned(), SOME, 24, 0)
    pairs = found.pairs
    np.testing.assert_allclose(pairs["corr"], 1, atol=1e-5)
    np.testing.assert_allclose(pairs["same"], 1, atol=1e-5)
    assert pairs["other_neuron"].tolist() == [3, 8, 30, 0, 39]
    assert pairs["p"].tolist() == [1 / 25] * 5
    assert (pairs["baseline"] < 0.97).all()
    assert (pairs["shifted"] < 0.9).all()
    nulls = found.nulls.set_index("kind")
    assert nulls.loc["permuted", ["mean", "n"]].tolist() == [1.0, 5]
    assert len(nulls.loc["shifted"]) == len(nulls.loc["orthogonal"]) == 24
    assert len(nulls.loc["swapped"]) == 24


def test_without_shifts_there_are_no_nulls(pair: tuple[Model, Model]) -> None:
    found = correlate(*pair, aligned(), SOME, 0, 0)
    assert found.pairs[["baseline", "shifted", "p"]].isna().all(axis=None)
    assert found.nulls["kind"].tolist() == ["permuted"]


def test_models_of_other_shapes_have_no_namesakes(load_tiny: Callable[..., Model]) -> None:
    from tiny import random_model

    small = load_tiny(
        "gpt2", model=random_model("gpt2", d_mlp=24, n_layers=2), n_layers=2, d_mlp=24
    )
    found = correlate(load_tiny("gpt2"), small, aligned(), SOME, 0, 0).pairs
    assert found["same"].isna().all()
    assert found["other_neuron"].max() < 24
    assert found["other_layer"].max() < 2


def test_noise_is_not_refound_in_a_copy_that_is_none() -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal((200, 30)).astype(np.float32)
    assert refound(one, rng) == (1.0, 30)
    one[:, 7] = 3.0
    assert refound(one, rng) == (1.0, 29)  # a constant neuron cannot be found
    twice = np.repeat(one[:, :1], 30, axis=1)
    assert refound(twice, rng)[0] < 0.2  # all alike: no permutation can be told
