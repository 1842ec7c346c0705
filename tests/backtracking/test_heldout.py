"""Selection where there is something to find, and how often it finds something where there is not.

The simulations say their rates: `pytest tests/backtracking/test_heldout.py -s`.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from backtracking.matched import Dealt, by_pairs, matched, noise, shuffled
from clampsweep.studies.backtracking import held_areas, heldout, probes, ranking
from clampsweep.studies.backtracking.auc import weights
from clampsweep.studies.backtracking.held_areas import HELDOUT, Held
from clampsweep.studies.backtracking.heldout import (
    CONFIRMED,
    DIRECTION,
    DIRECTIONS,
    PERMUTED,
    PROBE,
    SIZES,
    SPARSE,
    TOP,
    confirmed,
    rank_contrast,
    rank_kind,
)
from clampsweep.studies.backtracking.pools import SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.sampling import main
from clampsweep.verdicts import SUPPORTED, Claim, Result, conclude
from shapes import unchecked

TOP_N, PERMUTATIONS = 5, 199


class _NoProbe:
    """Stands for a logistic regression, which takes most of the time and is not asked here."""

    def __init__(self, **options):
        pass

    def fit(self, values, y):
        self.coef_ = np.zeros((1, values.shape[1]))

    def decision_function(self, values):
        return values[:, 0]


def _ranked(samples, posts, seed=0, residuals=None, permutations=PERMUTATIONS):
    dealt = Dealt(samples, posts, residuals)
    return rank_kind(dealt, len(posts), "pred", samples, permutations, TOP_N, seed)


def _row(found, method, k=None):
    rows = [r for r in found.heldout if r["method"] == method and k in (None, r["k"])]
    return rows[0] if rows else None


def _supported(row):
    """Whether the verdict on a row is that events are higher, q being p."""
    claim = Claim("backtracking", "tell", "c", "greater", "area")
    result = Result(*(row[n] for n in ("estimate", "low", "high", "null", "n1", "p", "p")))
    return conclude(claim, result, "-", "-")["verdict"] == SUPPORTED


@pytest.fixture(scope="module")
def planted():
    """A contrast in which L1N7 is lower at events of every split."""
    samples, rng = matched(14), np.random.default_rng(0)
    posts = noise(samples, rng)
    posts[1][:, 7] -= 2.5 * (samples["y"] == 1)
    return samples, posts, _ranked(samples, posts)


# ---- nothing to find


DESIGNS = {
    # Labels shuffled within matches, each event of a problem of its own.
    "shuffled": (200, matched(10)),
    # Several events of each trace, which differ from one another and in nothing else.
    "clustered": (60, matched(5, per_problem=4)),
}


@pytest.fixture(scope="module", params=DESIGNS)
def by_chance(request):
    """What the selection finds in contrasts where there is nothing to find: rates, and of how many.

    Probes and comparisons take most of the time, and are not asked here.
    """
    runs, samples = DESIGNS[request.param]
    rng, rows = np.random.default_rng(0), []
    with pytest.MonkeyPatch.context() as patch, unchecked():
        patch.setattr(probes, "LogisticRegression", _NoProbe)
        patch.setattr(ranking, "KEPT", 3)
        patch.setattr(heldout, "SIZES", ())
        patch.setattr(held_areas, "PERMUTATIONS", 199)
        patch.setattr(held_areas, "weights", partial(weights, draws=400))
        patch.setattr(Held, "difference", lambda *_: {"method": "", "k": 0})
        for run in range(runs):
            own = shuffled(samples, rng) if request.param == "shuffled" else samples
            found = _ranked(own, noise(own, rng, 2, 15), run, permutations=99)
            neurons, top = found.neurons, _row(found, TOP, TOP_N)
            rows.append(
                {
                    "a neuron with p_max < 0.05": (neurons["p_max"] < 0.05).any(),
                    "a neuron with q < 0.05 and p_max < 0.05": (
                        (neurons["q"] < 0.05) & (neurons["p_max"] < 0.05)
                    ).any(),
                    "a confirmed neuron": len(confirmed(neurons)) > 0,
                    "top neurons: p < 0.05": top["p"] < 0.05,
                    "top neurons: verdict supported": _supported(top),
                    "area of top neurons": top["estimate"],
                    "area by permuted labels": _row(found, PERMUTED)["estimate"],
                }
            )
    rates = pd.DataFrame(rows).astype(float).mean()
    print(f"\n{request.param}, {runs} runs\n{rates.to_string()}")
    return rates, runs


@pytest.mark.parametrize(
    "claim",
    [
        "a neuron with p_max < 0.05",
        "a neuron with q < 0.05 and p_max < 0.05",
        "a confirmed neuron",
        "top neurons: p < 0.05",
        "top neurons: verdict supported",
    ],
)
def test_where_there_is_nothing_a_claim_passes_no_more_often_than_stated(by_chance, claim):
    rates, runs = by_chance
    most = binom.ppf(0.999, runs, 0.05)  # so many false alarms chance allows at that rate
    assert rates[claim] * runs <= most, f"{claim}: {rates[claim]:.3f} of {runs} runs"


@pytest.mark.parametrize("score", ["area of top neurons", "area by permuted labels"])
def test_what_is_selected_by_chance_tells_nothing_on_held_out_events(by_chance, score):
    assert by_chance[0][score] == pytest.approx(0.5, abs=0.025)


# ---- something to find


def test_a_planted_neuron_ranks_first_and_is_confirmed(planted):
    neurons = planted[2].neurons.sort_values("rank")
    first = neurons.iloc[0]
    assert (first["layer"], first["neuron"], first["sign"]) == (1, 7, -1)
    assert first["q"] < 0.01 and first["p_max"] == 1 / (1 + PERMUTATIONS)
    assert first["auc_select"] > 0.8 and first["auc_test"] > 0.8
    assert confirmed(neurons).iloc[0]["neuron"] == 7


def test_its_score_tells_held_out_events_and_rankings_on_permuted_labels_do_not(planted):
    alone, chance = _row(planted[2], TOP, 1), _row(planted[2], PERMUTED)
    assert alone["estimate"] > 0.8 and alone["low"] > 0.5 and alone["p"] < 0.01
    assert _supported(alone)
    assert chance["low"] < 0.5 < chance["high"] and chance["k"] == TOP_N
    assert alone["estimate"] > chance["high"]


def test_the_score_of_one_neuron_is_its_area_on_the_split_test(planted):
    samples, posts, found = planted
    part = (samples["split"] == "test").to_numpy()
    area = by_pairs(-posts[1][part, 7], samples["y"].to_numpy()[part] == 1)
    assert _row(found, TOP, 1)["estimate"] == pytest.approx(area)


def test_a_neuron_that_points_the_other_way_on_the_split_select_is_not_confirmed():
    samples, rng = matched(14), np.random.default_rng(1)
    posts = noise(samples, rng)
    events, select = samples["y"] == 1, samples["split"] == "select"
    posts[0][:, 3] += 4.0 * events * np.where(select, -1, 1)
    neurons = _ranked(samples, posts).neurons
    first = neurons.sort_values("rank").iloc[0]
    assert (first["layer"], first["neuron"]) == (0, 3) and first["p_max"] < 0.05
    assert confirmed(neurons).empty


def test_the_split_test_decides_nothing():
    """Neither ranks, nor signs, nor layers, nor what is confirmed change with it."""
    samples, rng = matched(12), np.random.default_rng(2)
    posts = noise(samples, rng)
    posts[1][:, 7] += 2.0 * (samples["y"] == 1)
    others = [one.copy() for one in posts]
    test = (samples["split"] == "test").to_numpy()
    for one in others:
        one[test] = rng.normal(size=one[test].shape)
    first, second = (_ranked(samples, one) for one in (posts, others))
    same = [name for name in NEURONS.columns if name != "auc_test"]
    pd.testing.assert_frame_equal(first.neurons[same], second.neurons[same])
    assert first.direction["layer"] == second.direction["layer"]
    np.testing.assert_array_equal(first.direction["vector"], second.direction["vector"])
    assert _row(first, TOP, 5)["estimate"] != _row(second, TOP, 5)["estimate"]


def test_a_direction_of_the_residual_stream_that_beats_the_neurons_is_said_to():
    samples, rng = matched(14), np.random.default_rng(3)
    posts = noise(samples, rng)
    residuals = [rng.normal(size=(len(samples), 5)).astype(np.float32) for _ in posts]
    residuals[2][:, 1] += 6.0 * (samples["y"] == 1)
    found = _ranked(samples, posts, residuals=residuals)
    assert found.direction["layer"] == 2 and np.argmax(np.abs(found.direction["vector"])) == 1
    direction = _row(found, DIRECTION)
    assert direction["layer"] == 2 and direction["estimate"] > 0.95
    assert _row(found, PROBE)["layer"] == 2 and _row(found, PROBE)["estimate"] > 0.95
    gap = _row(found, f"{TOP} less {DIRECTION}")
    assert gap["high"] < 0
    assert gap["estimate"] == pytest.approx(
        _row(found, TOP, TOP_N)["estimate"] - direction["estimate"]
    )


def test_the_next_token_alone_tells_all_where_it_is_the_marker(planted):
    row = _row(planted[2], "next token")  # 9 at events, 5 at controls
    assert (row["estimate"], row["p"]) == (1, 0.001)


@pytest.mark.parametrize("score", ["token before", "position"])
def test_what_is_the_same_at_events_and_controls_tells_nothing_less_than_neurons(planted, score):
    assert _row(planted[2], score)["estimate"] == 0.5
    gap, top = _row(planted[2], f"{TOP} less {score}"), _row(planted[2], TOP, TOP_N)
    for name in ("estimate", "low", "high"):
        assert gap[name] == pytest.approx(top[name] - 0.5)


# ---- the tables


def test_a_sparse_probe_and_a_score_stand_for_each_size(planted):
    kept = {(row["method"], row["k"]) for row in planted[2].heldout}
    assert {(name, k) for name in (TOP, SPARSE) for k in {*SIZES, TOP_N}} <= kept
    assert len(kept) == len(planted[2].heldout)
    sure = len(confirmed(planted[2].neurons))
    assert (CONFIRMED, sure) in kept and sure >= 1


def test_hard_controls_are_left_out_of_the_ranking_and_held_against_events_by_themselves(planted):
    samples, posts, found = planted
    hard = samples[samples["y"] == 1].assign(y=0, control_kind=SPURIOUS)
    hard["sample_id"] += "hard"
    both = pd.concat([samples, hard], ignore_index=True)
    rng = np.random.default_rng(4)
    dealt = [np.concatenate([one, rng.normal(size=(len(hard), 20))]).astype("f4") for one in posts]
    dealt[1][len(samples) :, 7] -= 2.5  # the neuron answers to the marker, not to the error
    other = _ranked(both, dealt)
    pd.testing.assert_frame_equal(other.neurons, found.neurons)
    assert {len(main(both)), len(main(samples))} == {len(samples)}
    row = _row(other, f"{TOP} against {SPURIOUS}")
    assert (row["n1"], row["n0"], row["k"]) == (14, 14, TOP_N)
    # By hand: the composite of the five, of events and of markers behind right steps.
    part = (both["split"] == "test") & both["control_kind"].isin(["event", SPURIOUS])
    top = other.neurons.sort_values("rank")[:TOP_N]
    known = ((both["split"] == "discover") & (both["control_kind"] != SPURIOUS)).to_numpy()
    score = np.zeros(len(both))
    for one in top.to_dict("records"):
        own = dealt[one["layer"]][:, one["neuron"]].astype(float)
        score += one["sign"] * (own - own[known].mean()) / own[known].std()
    area = by_pairs(score[part], both["y"][part] == 1)
    assert row["estimate"] == pytest.approx(area)
    assert _row(other, f"{TOP} against {UNMARKED}") is None


def test_a_contrast_has_every_position_kind_and_all_columns():
    samples = matched(6)
    posts = noise(samples, np.random.default_rng(5), 2, 8)
    found = rank_contrast(Dealt(samples, posts), 2, samples, (6, 6), 39, 3, 0)
    for table, schema in zip(found, (NEURONS, HELDOUT, DIRECTIONS), strict=True):
        assert list(table.columns) == list(schema.columns)
        assert set(table["position_kind"]) == set(KINDS)
        assert not table.duplicated(list(schema.key)).any()
        for name, column in schema.columns.items():
            assert column.null or not table[name].isna().any(), name


def test_too_few_events_are_no_ranking_and_no_model_is_asked():
    samples = matched({"discover": 6, "select": 5, "test": 6})
    found = rank_contrast(None, 2, samples, (6, 6), 39, 3, 0)  # type: ignore[arg-type]
    for table, schema in zip(found, (NEURONS, HELDOUT, DIRECTIONS), strict=True):
        assert table.empty and list(table.columns) == list(schema.columns)


def test_hard_controls_make_no_event_more():
    samples = matched(6)
    hard = samples[samples["y"] == 1].assign(control_kind=SPURIOUS)  # wrongly called events
    both = pd.concat([samples, hard], ignore_index=True)
    held = Held("pred", main(both), 0)
    assert int(held.y.sum()) == 18
