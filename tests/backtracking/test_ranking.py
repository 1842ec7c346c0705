"""Ranking against scipy, numbers by hand, and permutations that are enumerated one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from backtracking.matched import matched, noise
from clampsweep.studies.backtracking.ranking import KEPT, NEURONS, Labels, hedges, rank, score
from clampsweep.studies.backtracking.sampling import enough


def _labels(samples, draws=50, seed=0):
    return Labels.of(samples, draws, seed)


def _mann_whitney(values, y):
    """By scipy, in double precision; tie-corrected, as it always is."""
    exact = values.astype(float)
    return stats.mannwhitneyu(
        exact[y], exact[~y], axis=0, method="asymptotic", use_continuity=False
    )


def _discover(per_split=8, **options):
    return matched({"discover": per_split}, **options)


@pytest.mark.parametrize("ties", [False, True])
def test_z_and_p_are_those_of_mann_whitney_corrected_for_ties_and_not_for_continuity(ties):
    samples, rng = _discover(), np.random.default_rng(0)
    values = rng.normal(size=(len(samples), 6)).astype(np.float32)
    values = np.round(values) if ties else values
    labels = _labels(samples)
    found = rank([values], labels, 3).neurons
    y = labels.y
    other = _mann_whitney(values, y)
    np.testing.assert_allclose(found["p"], other.pvalue, rtol=1e-9)
    np.testing.assert_allclose(found["auc"], other.statistic / (y.sum() * (~y).sum()))
    np.testing.assert_array_equal(np.sign(found["z"]), np.sign(found["auc"] - 0.5))
    np.testing.assert_allclose(np.abs(found["z"]), stats.norm.isf(other.pvalue / 2), rtol=1e-9)
    np.testing.assert_allclose(found["q"], stats.false_discovery_control(other.pvalue))


@pytest.mark.parametrize("ties", [False, True])
def test_permuted_z_are_those_of_the_permuted_labels_one_by_one(ties):
    samples, rng = _discover(), np.random.default_rng(1)
    values = rng.normal(size=(len(samples), 5)).astype(np.float32) * 2
    values = np.round(values) if ties else values
    labels = _labels(samples, 20)
    found = score(values, labels)
    assert found.permuted.shape == (20, 5)
    for y, z in zip(labels.permuted, found.permuted, strict=True):
        alone = score(values, labels._replace(y=y))
        np.testing.assert_allclose(z, alone.z, rtol=1e-6, atol=1e-7)


def test_labels_are_exchanged_with_controls_of_the_events_own_trace_alone_all_as_likely():
    samples = _discover(6)
    labels = _labels(samples, 4000)
    own = samples["control_kind"].isin(["event", "same_trace"]).to_numpy()
    for _, match in samples.groupby("match_id"):
        dealt = labels.permuted[:, match.index]
        assert (dealt.sum(1) == 1).all()  # one event each
        np.testing.assert_allclose(dealt.mean(0), np.where(own[match.index], 1 / 3, 0), atol=0.035)
    np.testing.assert_allclose(labels.expected, np.where(own, 1 / 3, 0))


def test_where_there_are_none_of_its_own_trace_labels_are_exchanged_with_all_of_the_match():
    samples = _discover(6)
    samples = samples[samples["control_kind"] != "same_trace"].reset_index(drop=True)
    labels = _labels(samples, 4000)
    for _, match in samples.groupby("match_id"):
        dealt = labels.permuted[:, match.index]
        assert (dealt.sum(1) == 1).all()
        np.testing.assert_allclose(dealt.mean(0), 1 / 3, atol=0.035)


def _all_labels(samples):
    """Every way to choose the event of each match among the places of its own trace."""
    groups = [
        own.index[own["control_kind"] != "other_trace"].tolist()
        for _, own in samples.groupby("match_id", sort=False)
    ]
    for chosen in itertools.product(*groups):
        yield np.isin(np.arange(len(samples)), chosen)


def test_p_of_the_largest_is_the_share_of_permutations_with_a_neuron_as_far_by_brute_force():
    samples = matched({"discover": 4})
    layers = noise(samples, np.random.default_rng(5), n_layers=2, n_neurons=4)
    labels = _labels(samples, 400)
    found = rank(layers, labels, 3)
    # Signed z of each neuron, by scipy, of every labelling that there is.
    values = np.concatenate(layers, 1)
    every = {}
    for y in _all_labels(samples):
        own = _mann_whitney(values, y)
        side = np.sign(own.statistic - y.sum() * (~y).sum() / 2)
        every[tuple(y)] = side * stats.norm.isf(own.pvalue / 2)
    assert len(every) == 3**4
    mean = np.mean(list(every.values()), axis=0)
    far = {y: np.abs(z - mean).max() for y, z in every.items()}
    largest = np.array([far[tuple(y)] for y in labels.permuted])
    np.testing.assert_allclose(found.largest, largest, rtol=1e-5)
    for z, p in zip(np.abs(found.neurons["z"] - mean), found.neurons["p_max"], strict=True):
        assert p == pytest.approx((1 + (largest >= z - 1e-6).sum()) / 401)
        share = np.mean([one >= z - 1e-6 for one in far.values()])
        assert p == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 400) + 1 / 401)


def test_corrected_p_values_grow_down_the_ranks():
    samples = _discover()
    samples["control_kind"] = np.where(samples["y"] == 1, "event", "other_trace")
    found = rank(noise(samples, np.random.default_rng(2)), _labels(samples, 200), 5).neurons
    ordered = found.sort_values("rank")
    assert ordered["rank"].tolist() == list(range(1, 61))
    assert (ordered["z"].abs().diff().dropna() <= 0).all()
    assert (ordered["p_max"].diff().dropna() >= 0).all()
    assert (ordered["q"].diff().dropna() >= -1e-12).all()
    assert (found["p_max"] >= 1 / 201).all()


def test_hedges_g_of_four_numbers_is_that_by_hand():
    events, controls = np.array([[2.0], [4.0]]), np.array([[1.0], [1.0], [4.0]])
    # Means 3 and 2, variances 2 and 3, pooled (1 * 2 + 2 * 3) / 3; J = 1 - 3 / 11.
    g = (3 - 2) / np.sqrt(8 / 3) * 8 / 11
    half = 1.96 * np.sqrt(5 / 6 + g**2 / 10)
    found = hedges(events, controls)
    assert found[0].tolist() == pytest.approx([g]) and found[1].tolist() == pytest.approx([half])


def test_hedges_g_is_nearly_unbiased():
    rng = np.random.default_rng(0)
    events, controls = rng.normal(0.8, 1, (6, 4000)), rng.normal(0, 1, (10, 4000))
    g, half = hedges(events, controls)
    assert g.mean() == pytest.approx(0.8, abs=0.03)  # d itself is 0.846 here
    covered = np.abs(g - 0.8) <= half
    assert covered.mean() == pytest.approx(0.95, abs=0.02)


def test_a_neuron_that_says_the_same_everywhere_is_no_ones_sign():
    samples = _discover()
    values = np.full((len(samples), 2), 0.25, np.float32)
    found = rank([values], _labels(samples), 2)
    row = found.neurons.iloc[0]
    assert (row["z"], row["auc"], row["p"], row["g"]) == (0, 0.5, 1, 0)
    assert row["q"] == row["p_max"] == 1
    assert not found.neurons.isna().any().any()


def test_columns_of_a_neuron_are_its_means_and_deviations():
    samples = _discover()
    layers = noise(samples, np.random.default_rng(3))
    labels = _labels(samples)
    found = rank(layers, labels, 2).neurons.set_index(["layer", "neuron"])
    own, y = layers[1][:, 7].astype(float), labels.y
    row = found.loc[1, 7]
    assert row[["n1", "n0"]].tolist() == [8, 32]
    for name, wanted in {
        "mean1": own[y].mean(),
        "mean0": own[~y].mean(),
        "sd1": np.std(own[y], ddof=1),
        "sd0": np.std(own[~y], ddof=1),
        "size0": np.abs(own[~y]).mean(),
    }.items():
        assert row[name] == pytest.approx(wanted)
    assert {"position_kind", "auc_select", "auc_test"} == set(NEURONS.columns) - {
        *found.columns,
        "layer",
        "neuron",
    }


def test_of_permutations_the_top_neurons_are_kept_as_they_would_be_of_true_labels():
    samples = _discover()
    layers = noise(samples, np.random.default_rng(4))
    labels = _labels(samples, KEPT + 5)
    found = rank(layers, labels, 7)
    assert found.permuted.shape == found.signs.shape == (KEPT, 7)
    for draw in range(0, KEPT, 5):
        y, places, signs = labels.permuted[draw], found.permuted[draw], found.signs[draw]
        alone = rank(layers, labels._replace(y=y), 7).neurons
        top = alone.sort_values("rank")[:7]
        np.testing.assert_allclose(
            alone.iloc[places]["z"].abs(), top["z"].abs(), rtol=1e-6
        )  # the same ones, but for ties
        assert signs.tolist() == alone.iloc[places]["sign"].tolist()


def test_a_planted_neuron_ranks_first_and_survives_both_corrections():
    samples = _discover(20)
    layers = noise(samples, np.random.default_rng(6))
    labels = _labels(samples, 200)
    layers[2][labels.y, 11] -= 3.0  # lower at events
    row = rank(layers, labels, 5).neurons.set_index("rank").loc[1]
    assert (row["layer"], row["neuron"], row["sign"]) == (2, 11, -1)
    assert row["q"] < 0.001 and row["p_max"] == 1 / 201


def test_a_ranking_is_the_same_however_large_activations_are():
    samples = _discover()
    layers = noise(samples, np.random.default_rng(7))
    one = rank(layers, _labels(samples), 5).neurons
    other = rank([1000 * values for values in layers], _labels(samples), 5).neurons
    assert one["rank"].tolist() == other["rank"].tolist()
    np.testing.assert_allclose(one["g"], other["g"], rtol=1e-4)


@pytest.mark.parametrize(
    ("per_split", "per_problem", "said"),
    [
        (12, 1, ""),
        ({"discover": 12, "select": 11, "test": 12}, 1, "11 from 11 problems in the split select"),
        (11, 2, "22 from 11 problems in the split discover"),
        ({"discover": 12, "select": 12}, 1, "0 from 0 problems in the split test"),
    ],
)
def test_too_few_events_or_problems_in_any_split_are_said(per_split, per_problem, said):
    samples = matched(per_split, per_problem)
    found = enough(samples, ("discover", "select", "test"), 12, 12)
    assert found == (f"insufficient events: {said}, 12 from 12 are needed" if said else "")
