"""Shares of a residual direction that neurons write, against least squares and chance."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backtracking.loaded import loaded
from backtracking.spanned import a_direction, ranked_neurons
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.spans import spans
from reference import w_out
from tiny import D_MLP, random_model


@pytest.mark.parametrize("k", [1, 3, 6])
def test_a_share_is_the_squared_length_of_what_a_least_squares_fit_explains(model, k):
    rng = np.random.default_rng(k)
    ranked = [(int(a), int(b)) for a, b in zip(rng.integers(0, 2, k), range(k), strict=True)]
    columns = np.stack([w_out(model, Neuron(*one)).double().numpy() for one in ranked])
    inside = rng.normal(size=k) @ columns
    (row,) = spans(model, a_direction(1, inside), ranked_neurons(*ranked), k, 9, 0).to_dict(
        "records"
    )
    assert row["share"] == pytest.approx(1) and row["k"] == k
    outside = rng.normal(size=columns.shape[1])
    outside -= np.linalg.pinv(columns) @ (columns @ outside)
    both = inside / np.linalg.norm(inside) + 2 * outside / np.linalg.norm(outside)
    (row,) = spans(model, a_direction(1, both), ranked_neurons(*ranked), k, 9, 0).to_dict("records")
    assert row["share"] == pytest.approx(1 / 5)


def test_neurons_above_the_direction_write_nothing_of_it(llama):
    vector = w_out(llama, Neuron(2, 5)).double().numpy()
    ranked = ranked_neurons((2, 5), (0, 1))
    row = spans(llama, a_direction(1, vector), ranked, 2, 9, 0).iloc[0]
    assert row["k"] == 1 and row["share"] < 0.9
    row = spans(llama, a_direction(1, vector), ranked, 1, 9, 0).iloc[0]
    assert (row["k"], row["share"], row["random_mean"], row["p"]) == (0, 0, 0, 1)


def test_other_neurons_are_drawn_each_once_and_none_of_the_top_ones(tmp_path):
    """All columns but those of the top neurons are one and the same, which spans one dimension."""
    plain = random_model("llama")
    with torch.no_grad():
        weight = plain.model.layers[0].mlp.down_proj.weight
        weight[:] = weight[:, [0]]
        weight[:, :2] = torch.randn(weight.shape[0], 2, generator=torch.Generator().manual_seed(0))
    model = loaded(tmp_path, plain)
    same = w_out(model, Neuron(0, 5)).double().numpy()
    direction = np.random.default_rng(0).normal(size=len(same))
    row = spans(model, a_direction(0, direction), ranked_neurons((0, 0), (0, 1)), 2, 50, 0).iloc[0]
    alone = (direction @ same) ** 2 / (direction @ direction) / (same @ same)
    assert row[["random_mean", "random_high"]].tolist() == pytest.approx([alone, alone])


def test_random_directions_are_spanned_by_chance(llama):
    rng, p = np.random.default_rng(0), []
    for at in range(60):
        vector = rng.normal(size=llama.d_model)
        ranked = ranked_neurons(*((1, int(one)) for one in rng.permutation(D_MLP)[:4]))
        p.append(spans(llama, a_direction(1, vector), ranked, 4, 19, at).iloc[0]["p"])
    assert sum(one <= 0.05 for one in p) <= 10  # 3 asked for; above 10 with probability 0.0003
    assert np.mean(p) == pytest.approx(0.525, abs=0.13)
