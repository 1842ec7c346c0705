"""Discovery on a tiny model, against Hugging Face's own activations and the paper's formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.studies.universal.features.labels import Feature, Labels
from clampsweep.studies.universal.features.scan import PLACES, RANKS, Half, Scanned, scan

N, LENGTH, SKIP = 40, 26, 2


def half_of(model: Model, seed: int = 0) -> Half:
    """Random tokens with a feature of tokens, one of chance, and one of whole sequences."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(2, 250, (N, LENGTH))
    tokens[rng.random((N, LENGTH)) < 0.15] = 40
    of_token = tokens[:, SKIP:] == 40
    blocks = np.repeat(np.arange(10), N // 10)
    values = np.stack(
        [
            of_token,
            rng.random(of_token.shape) < 0.2,
            np.tile((blocks < 5)[:, None], (1, LENGTH - SKIP)),
        ],
        axis=-1,
    )
    features = [Feature("token", "unigram", ""), Feature("chance", "form", "")]
    found = Labels([*features, Feature("text", "topic", "", whole=True)], values)
    return Half(tokens.tolist(), SKIP, found, blocks)


@pytest.fixture(scope="module")
def scanned(llama: Model) -> Scanned:
    """What discovery finds in the tiny Llama."""
    return scan(llama, half_of(llama), shifts=4, planted=12, seed=0)


@pytest.fixture(scope="module")
def activations(llama: Model, hugging_face: Callable[[Model], Any]) -> np.ndarray:
    """Post-activations of all neurons, [layer, sequence, pos, neuron], by Hugging Face's class."""
    plain, seen = hugging_face(llama), []
    hooks = [
        layer.mlp.down_proj.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        for layer in plain.model.layers
    ]
    with torch.inference_mode():
        plain(input_ids=torch.tensor(half_of(llama).sequences))
    for hook in hooks:
        hook.remove()
    return torch.stack(seen)[:, :, SKIP:].double().numpy()


def test_the_neurons_of_a_feature_are_those_that_it_explains_most(
    llama: Model, scanned: Scanned, activations: np.ndarray
) -> None:
    labels = half_of(llama).found.values
    for at, name in enumerate(("token", "chance", "text")):
        y = labels[:, :, at].ravel()
        wanted = {}
        for layer, values in enumerate(activations):
            for neuron, v in enumerate(values.reshape(len(y), -1).T):
                within = (1 - y.mean()) * v[~y].var() + y.mean() * v[y].var()
                wanted[layer, neuron] = 1 - within / v.var()
        best = sorted(wanted, key=lambda one: -wanted[one])[:RANKS]
        own = scanned.candidates.query(f"kind == 'feature' and feature == '{name}'")
        assert list(zip(own["layer"], own["neuron"], strict=True)) == best
        np.testing.assert_allclose(own["value"], [wanted[one] for one in best], rtol=1e-4)


def test_a_feature_of_tokens_is_far_above_moved_labels_and_chance_is_not(scanned: Scanned) -> None:
    own = scanned.candidates.query("kind == 'feature' and rank == 1").set_index("feature")
    assert own["value"]["token"] > 3 * own["null_max"]["token"]
    assert own["value"]["chance"] < 2 * own["null_max"]["chance"]


def test_planted_features_are_found_by_the_neuron_they_are_made_of_and_copies_are_not(
    scanned: Scanned,
) -> None:
    best = scanned.candidates.query("rank == 1").set_index(["kind", "feature"])
    truths = scanned.truths.set_index("feature")
    for name in truths.index:
        found, copy = best.loc["planted", name], best.loc["shifted", name]
        assert found[["layer", "neuron"]].tolist() == truths.loc[name, ["layer", "neuron"]].tolist()
        assert found["value"] > found["null_max"] >= copy["value"]


def test_firing_is_counted_where_the_gate_is_above_0(
    llama: Model, scanned: Scanned, hugging_face: Callable[[Model], Any]
) -> None:
    plain, gates = hugging_face(llama), []
    hooks = [
        layer.mlp.gate_proj.register_forward_hook(lambda _, args, out: gates.append(out))
        for layer in plain.model.layers
    ]
    with torch.inference_mode():
        plain(input_ids=torch.tensor(half_of(llama).sequences))
    for hook in hooks:
        hook.remove()
    fires = torch.stack(gates)[:, :, SKIP:].numpy() > 0
    joint = fires.transpose(1, 2, 0, 3).reshape(N, LENGTH - SKIP, -1)
    joint = joint.reshape(N, 12, -1, joint.shape[2]).sum((0, 2)) / (N * (LENGTH - SKIP))
    rest = 1 / 12 - joint
    wanted = sum(
        np.where(p > 0, p * np.log2(np.where(p > 0, p, 1) / (p.sum(0) / 12 + (p <= 0))), 0).sum(0)
        for p in (joint, rest)
    )
    own = scanned.candidates.query("kind == 'position'")
    assert len(own) == PLACES
    np.testing.assert_allclose(own["value"], np.sort(wanted)[::-1][:PLACES], atol=1e-9)


def test_each_neuron_stands_once_in_the_histogram(llama: Model, scanned: Scanned) -> None:
    found = scanned.histogram
    assert found["neurons"].sum() == llama.n_layers * llama.d_mlp
    assert found["null_neurons"].sum() == llama.n_layers * llama.d_mlp
    most = scanned.candidates.query("kind == 'feature' and feature != 'text'")["value"].max()
    assert found.loc[found["neurons"] > 0, "high"].max() >= most


def test_without_a_feature_that_can_be_tested_only_planted_ones_are_looked_for(gpt2: Model) -> None:
    half = half_of(gpt2)
    found = scan(gpt2, half._replace(found=half.found.only([])), 2, 3, 0)
    assert set(found.candidates["kind"]) == {"planted", "shifted", "position"}
