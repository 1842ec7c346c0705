"""Ablation of sets of neurons, against weights that are changed by hand."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from clampsweep.models.model import Model
from clampsweep.studies.universal.ablation import (
    ablations,
    changes,
    logits,
    sets_of,
)
from clampsweep.studies.universal.agreed_tables import ABLATION, SETS
from clampsweep.studies.universal.contrasts import Population
from tiny import D_MLP, N_LAYERS

N = D_MLP * N_LAYERS
PLACE = {
    "layer": np.repeat(np.arange(N_LAYERS), D_MLP),
    "neuron": np.tile(np.arange(D_MLP), N_LAYERS),
}


def tokens() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    ids = [[int(one) for one in rng.integers(2, 270, 20)] for _ in range(5)]
    return pd.DataFrame({"domain": "prose", "seq_id": range(5), "tokens": ids})


def neurons(universal: np.ndarray) -> pd.DataFrame:
    norm = np.random.default_rng(1).random(N)
    return pd.DataFrame({**PLACE, "universal": universal, "w_out_norm": norm})


def post(value: float) -> pd.DataFrame:
    return pd.DataFrame({**PLACE, "mean": value})


@pytest.fixture(scope="module")
def model(load_tiny: Callable[..., Model]) -> Model:
    return load_tiny("gpt2")


def test_holding_at_zero_is_taking_the_neurons_weights_away(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    plain = copy.deepcopy(hugging_face(model))
    ids = torch.tensor([tokens()["tokens"][0]])
    with torch.inference_mode():
        plain.transformer.h[1].mlp.c_proj.weight[[3, 8]] = 0
        wanted = plain(input_ids=ids).logits[0]
    found = logits(model, ids, {1: (torch.tensor([3, 8]), torch.zeros(2, dtype=model.dtype))})
    torch.testing.assert_close(found, wanted)
    natural = logits(model, ids, {})
    assert (found - natural).abs().max() > 0.01


def test_loss_and_divergence_by_hand() -> None:
    natural = torch.tensor([[0.0, 0.0], [1.0, 0.0], [9.0, 9.0]])
    without = torch.tensor([[0.0, np.log(3.0)], [1.0, 0.0], [0.0, 0.0]])
    found = changes(natural, without, torch.tensor([0, 1, 0]))
    # Of the first position: loss -log(3/4) for log(1/2); KL 1/2 log(2/3) + 1/2 log 2.
    assert found.loss == pytest.approx((-np.log(3 / 4) + np.log(1 / 2)) / 2)
    assert found.kl == pytest.approx((np.log(2) / 2 + np.log(2 / 3) / 2) / 2)


def test_sets_are_as_large_and_of_the_same_layers() -> None:
    rng = np.random.default_rng(0)
    one = Population(PLACE["layer"], rng.random(N), np.arange(N) % 6 == 0)
    found = sets_of(one, 0)
    assert len(found) == SETS
    for own in found:
        assert len(set(own.tolist())) == one.chosen.sum()
        assert not one.chosen[own].any()
        counts = np.bincount(one.layer[own])
        assert counts.tolist() == np.bincount(one.layer[one.chosen]).tolist()
    assert len({tuple(own.tolist()) for own in found}) > SETS / 2


def test_the_table_of_a_model(model: Model) -> None:
    universal = np.arange(N) % 10 == 0
    found = ablations(model, tokens(), 4, neurons(universal), post(0.0), 3, 0)
    assert list(found) == list(ABLATION.columns)
    assert len(found) == 3 * 2 * (1 + SETS)
    assert set(found["n_neurons"]) == {universal.sum()}
    assert (found["kl"] > 0).all()
    both = found.pivot(index=["set", "seq_id"], columns="held", values="kl")
    np.testing.assert_allclose(both["mean"], both["zero"])  # the mean is 0 here
    other = ablations(model, tokens(), 4, neurons(universal), post(3.0), 3, 0)
    assert not np.allclose(other["kl"], found["kl"])


def test_neurons_that_are_held_where_they_are_change_nothing(model: Model) -> None:
    ids = torch.tensor([tokens()["tokens"][0][:1]])
    seen: list[torch.Tensor] = []
    hook = model.outs[0].register_forward_pre_hook(lambda _, given: seen.append(given[0].clone()))
    natural = logits(model, ids, {})
    hook.remove()
    held = seen[0].reshape(-1)[:5]
    found = logits(model, ids, {0: (torch.arange(5), held)})
    torch.testing.assert_close(found, natural)


def test_no_universal_neurons(model: Model) -> None:
    found = ablations(model, tokens(), 4, neurons(np.zeros(N, dtype=bool)), post(0.0), 3, 0)
    assert found.empty
    assert list(found) == list(ABLATION.columns)
