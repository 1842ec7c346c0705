"""Effects: of a few rows by hand, and of a model in which it is known what a neuron does."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from backtracking import planted
from backtracking.made import exits
from backtracking.matched import by_pairs
from clampsweep.studies.backtracking.claims import judge
from clampsweep.studies.backtracking.contrast import contrast_of
from clampsweep.studies.backtracking.effects import EFFECTS, effects, onset_logit
from clampsweep.studies.backtracking.held_areas import HELDOUT
from clampsweep.studies.backtracking.logit_bias import biased
from clampsweep.studies.backtracking.tables import (
    INTERVENTIONS,
    NONE,
    OUTPUT,
    PRED_POS,
    RAISE,
    TRIALS,
    ZERO,
)

N, DRAWS = 8, 25


def _trial(match, y, lp, intervention=NONE, kind=NONE, k=0, draw=0, **more):
    return {
        "sample_id": f"{match}:{y}", "match_id": f"m{match}", "problem_id": f"p{match // 2}",
        "y": y, "intervention": intervention, "scope": PRED_POS, "set_kind": kind, "k": k,
        "draw": draw, "lp_onset": lp, "lp_actual": -1.0, "kl_next": 0.0, "kl_rest": 0.0,
        "lp_direct": math.nan, "nll_rest": math.nan, **more,
    }  # fmt: skip


@pytest.fixture(scope="module")
def by_hand():
    """Trials of eight events of four problems, and the numbers that they are made of."""
    rng = np.random.default_rng(0)
    lp = rng.normal(-4, 1, (N, 2))  # of match and class
    moved = {(name, "top", 0): rng.normal(-0.5, 0.2, (N, 2)) for name in (ZERO, RAISE)}
    moved |= {
        (name, "random", draw): rng.normal(0, 0.1, (N, 2))
        for name in (ZERO, RAISE)
        for draw in range(DRAWS)
    }
    kl = {key: rng.exponential(0.1, (N, 2)) for key in moved}
    rows = [_trial(match, y, lp[match, y]) for match in range(N) for y in (1, 0)]
    for (name, kind, draw), change in moved.items():
        rows += [
            _trial(
                match, y, lp[match, y] + change[match, y], name, kind, 3, draw,
                kl_next=kl[name, kind, draw][match, y], kl_rest=0.01 * match,
                lp_direct=lp[match, y] + 0.9 * change[match, y] if kind == "top" else math.nan,
            )
            for match in range(N) for y in (1, 0)
        ]  # fmt: skip
    table = pd.DataFrame(rows, columns=list(TRIALS.columns))
    return effects(table.sample(frac=1, random_state=1)), lp, moved, kl


def _row(table, intervention, scope=PRED_POS, kind="top", k=3):
    same = (table["intervention"] == intervention) & (table["scope"] == scope)
    return table[same & (table["set_kind"] == kind) & (table["k"] == k)].iloc[0]


def _bootstrapped(values):
    """Every mean of as many problems as there are, drawn from four of two events each."""
    means = values.reshape(4, 2).mean(1)
    draws = np.stack(np.meshgrid(*[means] * 4)).reshape(4, -1).mean(0)
    return np.percentile(draws, [2.5, 97.5])


@pytest.mark.parametrize("intervention", [ZERO, RAISE])
def test_an_effect_is_the_change_at_events_less_that_at_controls(by_hand, intervention):
    table, _, moved, kl = by_hand
    row, change = _row(table, intervention), moved[intervention, "top", 0]

    def estimate(own):
        return own[:, 0] if intervention == RAISE else own[:, 1] - own[:, 0]

    assert (row["n"], row["n_problems"]) == (N, 4)
    assert row["delta_event"] == pytest.approx(change[:, 1].mean())
    assert row["delta_control"] == pytest.approx(change[:, 0].mean())
    assert row["estimate"] == pytest.approx(estimate(change).mean())
    low, high = _bootstrapped(estimate(change))
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.02)
    others = [estimate(moved[intervention, "random", draw]).mean() for draw in range(DRAWS)]
    assert row["n_random"] == DRAWS and row["random_mean"] == pytest.approx(np.mean(others))
    ends = np.percentile(others, [2.5, 97.5])
    assert (row["random_low"], row["random_high"]) == pytest.approx(tuple(ends))
    farther = sum(abs(one) >= abs(row["estimate"]) for one in others)
    assert row["p"] == pytest.approx((1 + farther) / (1 + DRAWS))
    assert row["kl_control"] == pytest.approx(kl[intervention, "top", 0][:, 0].mean())
    chance = [kl[intervention, "random", draw][:, 0].mean() for draw in range(DRAWS)]
    assert row["kl_random"] == pytest.approx(np.mean(chance))
    assert row["kl_rest"] == pytest.approx(0.01 * np.mean(range(N)))
    assert row["direct_event"] == pytest.approx(0.9 * change[:, 1].mean())


def test_the_equal_bias_changes_events_as_much(by_hand):
    table, lp, moved, _ = by_hand
    row, change = _row(table, ZERO), moved[ZERO, "top", 0]
    assert biased(lp[:, 1], row["bias"]).mean() == pytest.approx(change[:, 1].mean())
    at_controls = biased(lp[:, 0], row["bias"])
    assert row["bias_control"] == pytest.approx(at_controls.mean())
    gap = change[:, 1] - change[:, 0] - (biased(lp[:, 1], row["bias"]) - at_controls)
    assert row["bias_gap"] == pytest.approx(gap.mean())


def test_a_size_without_random_sets_has_no_p():
    rows = [_trial(match, y, -4.0) for match in range(N) for y in (1, 0)]
    rows += [_trial(m, y, -4.5, ZERO, "bottom", 3) for m in range(N) for y in (1, 0)]
    row = effects(pd.DataFrame(rows)).iloc[0]
    assert row["n_random"] == 0 and row[["p", "random_mean", "direct_event"]].isna().all()


def test_no_trials_have_no_effects_and_no_onset():
    none = pd.DataFrame(columns=list(TRIALS.columns))
    assert effects(none).empty and list(effects(none).columns) == list(EFFECTS.columns)
    assert onset_logit(none, 0).empty
    assert list(onset_logit(none, 0).columns) == list(HELDOUT.columns)


# ---- a planted neuron


@pytest.fixture(scope="module")
def seen():
    return planted.found()


@pytest.fixture(scope="module")
def unseen():
    return planted.found(planted.UNSEEN)


def _first(found, kind):
    neurons = found.ranked.neurons
    return neurons[neurons["position_kind"] == kind].sort_values("rank").iloc[0]


def _judged(found):
    """Verdicts by claim and what it is judged by."""
    areas = pd.concat([found.ranked.heldout, onset_logit(found.trials, 0)], ignore_index=True)
    one = contrast_of(
        found.samples, found.ranked.neurons, areas, found.effects, (14, 14), planted.TOP
    )
    rows = judge({planted.GRADE: one}, None, exits()).verdicts
    return rows.set_index(["claim", "by"])["verdict"]


@pytest.mark.parametrize("kind", ["pre", "pred"])
def test_the_planted_neuron_ranks_first_and_is_confirmed_at_both_main_positions(seen, kind):
    first = _first(seen, kind)
    assert (first["layer"], first["neuron"]) == (planted.NEURON.layer, planted.NEURON.index)
    assert first["sign"] == 1 and first["auc"] == first["auc_select"] == first["auc_test"] == 1
    assert first["q"] < 0.001 and first["p_max"] == 1 / (1 + planted.PERMUTATIONS)
    second = seen.ranked.neurons[seen.ranked.neurons["position_kind"] == kind]
    assert (second.sort_values("rank")["p_max"].iloc[1:4] > 0.05).all()


def test_it_foretells_the_error_and_not_the_marker(seen):
    own = seen.ranked.heldout[seen.ranked.heldout["position_kind"] == "pred"]
    areas = own.set_index(["method", "k"])["estimate"]
    assert areas["top neurons against hard_spurious", 1] == 1
    assert areas["top neurons against hard_unmarked", 1] == 0.5  # the same text up to there


def test_held_at_zero_it_lowers_the_onset_at_events_and_not_at_controls(seen):
    row = _row(seen.effects, ZERO, k=1)
    assert row["delta_event"] < -10 and abs(row["delta_control"]) < 0.5
    assert row["high"] < row["random_low"] and row["p"] == 1 / (1 + planted.RANDOM_SETS)
    assert row["kl_control"] < 0.01  # no harm


def test_raised_at_controls_it_brings_the_onset(seen):
    row = _row(seen.effects, RAISE, k=1)
    assert row["estimate"] == row["delta_control"] > 10
    assert row["low"] > row["random_high"] and row["p"] == 1 / (1 + planted.RANDOM_SETS)


@pytest.mark.parametrize("intervention", INTERVENTIONS)
def test_its_direct_effect_is_about_the_total_one(seen, intervention):
    row = _row(seen.effects, intervention, k=1)
    assert row["direct_event"] == pytest.approx(row["delta_event"], rel=0.1)


def test_it_does_more_than_an_equal_logit_bias(seen):
    row = _row(seen.effects, ZERO, k=1)
    assert row["bias"] < -10 and row["bias_control"] < -10  # the bias knows no errors
    assert row["bias_high"] < 0 and row["bias_p"] < 0.01


def test_over_the_whole_output_it_is_the_same_at_events(seen):
    row = _row(seen.effects, ZERO, OUTPUT, k=1)
    assert row["estimate"] == row["delta_event"] < -10 and row["high"] < 0
    assert row["n_random"] == 3 and row[["delta_control", "bias"]].isna().all()


def test_the_last_neurons_do_nothing_to_the_onset(seen):
    for intervention in INTERVENTIONS:
        row = _row(seen.effects, intervention, kind="bottom", k=1)
        assert abs(row["estimate"]) < 0.1


def test_the_onsets_log_probability_tells_events_where_the_neuron_makes_it(seen, unseen):
    (row,) = onset_logit(seen.trials, 0).to_dict("records")
    bare = seen.trials[(seen.trials["intervention"] == NONE) & (seen.trials["scope"] == PRED_POS)]
    assert row["estimate"] == pytest.approx(by_pairs(bare["lp_onset"], bare["y"] == 1)) == 1
    assert (row["n1"], row["n0"], row["position_kind"]) == (8, 8, "pred")
    (row,) = onset_logit(unseen.trials, 0).to_dict("records")
    assert row["estimate"] == 0.5  # an event and its own right step are one text to the model


SHOWN = [
    ("neurons tell events from controls", "pre"),
    ("neurons tell events from controls", "pred"),
    ("neurons tell more than the token before", "pred"),
    ("neurons tell more than the position", "pred"),
    ("neurons answer to the error", "pred"),
    ("holding neurons lowers the onset", "zero"),
    ("holding neurons lowers the onset", "mean"),
    ("holding neurons lowers the onset", "resample"),
    ("raising neurons brings the onset", "raise"),
    ("neurons do more than an equal logit bias", "zero"),
    ("neurons do more than an equal logit bias", "mean"),
]


@pytest.mark.parametrize("claim", SHOWN)
def test_what_is_true_of_the_planted_neuron_is_supported(seen, claim):
    assert _judged(seen)[claim] == "supported"


def test_of_an_error_that_the_model_cannot_see_nothing_is_confirmed_or_supported(unseen):
    found = _judged(unseen)
    assert not {"supported"} & set(found[SHOWN])
    for kind in ("pre", "pred"):
        own = unseen.ranked.neurons[unseen.ranked.neurons["position_kind"] == kind]
        assert (own["p_max"] > 0.05).all() and (own["q"] > 0.05).all()


def test_where_the_marker_stands_a_neuron_is_confirmed_though_nothing_is_known(unseen):
    """The trap: at the onset neurons measure which word it is."""
    assert _first(unseen, "onset")["p_max"] < 0.05
    own = unseen.ranked.heldout.set_index(["position_kind", "method"])["estimate"]
    assert own["onset", "next token"] == 1
