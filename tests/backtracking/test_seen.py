"""What one pass over the layers keeps, against the values that were dealt."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backtracking.matched import Dealt, by_pairs, matched, noise
from clampsweep.studies.backtracking.held_areas import Held
from clampsweep.studies.backtracking.pools import SPURIOUS
from clampsweep.studies.backtracking.sampling import main
from clampsweep.studies.backtracking.seen import Seen

N_LAYERS = 3


@pytest.fixture(scope="module")
def samples():
    """Six problems a split; of each a hard control stands last among its match."""
    found = matched(6)
    hard = found[found["y"] == 1].assign(y=0, control_kind=SPURIOUS)
    hard["sample_id"] += "hard"
    both = pd.concat([found, hard]).sort_values("match_id", kind="stable")
    return both.reset_index(drop=True)


@pytest.fixture(scope="module")
def posts(samples):
    return noise(samples, np.random.default_rng(0), N_LAYERS, 6)


@pytest.fixture(scope="module")
def passed(samples, posts):
    """What a pass saw, and the layers that it gave."""
    seen = Seen(Held("pred", main(samples), 0), samples)
    return seen, list(seen.layers(Dealt(samples, posts), N_LAYERS))


def _of(samples, split):
    """Events and matched controls of a split."""
    return ((samples["split"] == split) & (samples["control_kind"] != SPURIOUS)).to_numpy()


def test_a_pass_gives_the_matched_samples_of_the_split_discover_layer_by_layer(
    samples, posts, passed
):
    for own, values in zip(posts, passed[1], strict=True):
        np.testing.assert_array_equal(values, own[_of(samples, "discover")])


@pytest.mark.parametrize("split", ["select", "test"])
def test_held_out_areas_are_of_each_neuron_turned_by_its_sign(samples, posts, passed, split):
    neurons = pd.DataFrame(
        [(layer, n, 1 if n % 2 else -1) for layer in range(N_LAYERS) for n in range(6)],
        columns=["layer", "neuron", "sign"],
    )
    found = passed[0].with_held_out(neurons)
    part = _of(samples, split)
    for row in found.to_dict("records"):
        own = posts[row["layer"]][part, row["neuron"]] * row["sign"]
        area = by_pairs(own, samples["y"].to_numpy()[part] == 1)
        assert row[f"auc_{split}"] == pytest.approx(area)


def test_columns_are_of_all_samples_hard_ones_too(samples, posts, passed):
    chosen = pd.DataFrame({"layer": [2, 0], "neuron": [1, 5]})
    found = passed[0].columns(chosen)
    np.testing.assert_array_equal(found, np.stack([posts[2][:, 1], posts[0][:, 5]], 1))
    assert len(found) == len(samples) == 18 * 6


def test_a_composite_is_the_mean_of_activations_standardised_by_the_split_discover(
    samples, posts, passed
):
    chosen = pd.DataFrame({"layer": [2, 0], "neuron": [1, 5], "sign": [1, -1]})
    known, wanted = _of(samples, "discover"), np.zeros(len(samples))
    for layer, neuron, sign in ((2, 1, 1), (0, 5, -1)):
        own = posts[layer][:, neuron].astype(float)
        wanted += sign * (own - own[known].mean()) / own[known].std() / 2
    np.testing.assert_allclose(passed[0].composite(chosen), wanted)


def test_a_neuron_that_never_varies_adds_nothing_to_a_composite(samples, posts):
    dealt = [one.copy() for one in posts]
    dealt[1][:, 3] = 0.5
    seen = Seen(Held("pred", main(samples), 0), samples)
    list(seen.layers(Dealt(samples, dealt), N_LAYERS))
    alone = pd.DataFrame({"layer": [2], "neuron": [1], "sign": [1]})
    both = pd.DataFrame({"layer": [2, 1], "neuron": [1, 3], "sign": [1, 1]})
    np.testing.assert_allclose(seen.composite(both), seen.composite(alone) / 2)


def test_a_direction_and_a_probe_are_made_of_each_layers_residual_stream(samples, passed):
    seen = passed[0]
    assert [one.layer for one in seen.directions] == [0, 1, 2]
    assert [one.layer for one in seen.probes] == [0, 1, 2]
    assert all(len(one.scores) == len(main(samples)) for one in seen.directions + seen.probes)
    best = max(one.chosen_by for one in seen.directions)
    assert seen.best(seen.directions).chosen_by == best
