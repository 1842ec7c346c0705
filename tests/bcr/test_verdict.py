"""Verdicts of small sweeps whose effects are plain to see."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clampsweep import tables
from clampsweep.studies.bcr import verdict
from clampsweep.studies.bcr.verdict import effect, significant, special_targets, verdicts
from clampsweep.verdicts import VERDICTS
from factories import prompt
from sweep_tables import beside_controls, clamped, judged, make, untouched

# Twelve prompts, a clamp each. McNemar's p and that over the prompts agree: 2 / 2^8 = 0.008 for
# eight that change alike, 2 / 2^4 = 0.13 for four.
EFFECTS = {
    "recovery": ("BBBBBBBBFFFF", "FFFFFFFFFFFF"),
    "no recovery, only harm": ("BFFFFFFFFFFF", "BBBBBBBBBFFF"),
    "no significant effect": ("BBBBBBBBFFFF", "FFFFBBBBFFFF"),
    "nothing to recover, harm": ("FFFFFFFFFFFF", "BBBBBBBBFFFF"),
    "nothing to recover, no significant harm": ("FFFFFFFFFFFF", "BBBBFFFFFFFF"),
}
NOT_COMPARED = "not compared with controls"


def sweep(before, after):
    return make(untouched(before) + clamped("L1N2", {9.0: after}))


def compared(own, letters, n, targets=("L1N2",)):
    """The sweep with n controls of each kind and target, whose texts are all the same."""
    kinds = {
        name: (target, kind)
        for place, target in enumerate(targets)
        for i in range(n)
        for name, kind in (
            (f"L1N{100 * (place + 1) + i}", "neuron"),
            (f"{target}R{i}", "direction"),
        )
    }
    rows = [row for name in kinds for row in clamped(name, {9.0: letters})]
    return beside_controls(own, rows, kinds)


def headline(own, detector="surface"):
    return verdict.headline(judged(own), detector)


@pytest.mark.parametrize("words", EFFECTS)
def test_without_controls_the_verdict_is_of_the_effect_alone(words):
    assert headline(sweep(*EFFECTS[words])) == f"{words}; {NOT_COMPARED}"


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_more_than_all_of_20_controls_is_special(words):
    before, after = EFFECTS[words]
    own = compared(sweep(before, after), before, 20)
    assert headline(own) == f"{words}; special: more than its controls"
    assert special_targets(own, "surface") == ("L1N2",)


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_what_its_controls_do_is_not_special(words):
    before, after = EFFECTS[words]
    own = compared(sweep(before, after), after, 20)
    assert headline(own) == f"{words}; not special among its controls"


@pytest.mark.parametrize("words", EFFECTS)
def test_19_controls_are_too_few_to_tell(words):
    before, after = EFFECTS[words]
    own = compared(sweep(before, after), before, 19)
    assert headline(own) == f"{words}; too few controls to tell"
    assert special_targets(own, "surface") == ()


def test_a_target_that_stands_out_from_one_kind_of_controls_only_is_not_special():
    before, after = EFFECTS["recovery"]
    own = compared(sweep(before, after), before, 20)
    own.special.loc[own.special["kind"] == "direction", "q"] = 0.06
    assert headline(own) == "recovery; not special among its controls"


def test_of_several_targets_the_verdict_says_how_many_are_special():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: before})
    targets = ("L1N2", "L1N3")
    assert headline(compared(make(rows), before, 40, targets)).endswith("; 1 of 2 targets special")
    assert headline(compared(make(rows), before, 20, targets)).endswith(
        "; too few controls to tell"
    )
    none = compared(make(rows), after, 40, targets)
    assert headline(none).endswith("; no target special among its controls")


def test_too_few_controls_of_one_target_are_too_few_for_the_verdict():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: after})
    own = compared(make(rows), after, 40, ("L1N2", "L1N3"))
    own.special.loc[own.special["target"] == "L1N3", "n_controls"] = 39
    assert headline(own) == "recovery; too few controls to tell"


# ---- several clamps: what was not chosen on the same prompts


def test_recovery_is_judged_on_prompts_that_did_not_choose_the_clamp():
    before, after = EFFECTS["recovery"]
    found = effect(make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before})), "surface")
    assert found.recovers
    counts = ["n", "n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net"]
    assert [found.held_out[name] for name in counts] == [12, 8, 8, 4, 0, 8]
    assert all(isinstance(found.held_out[name], int) for name in counts)


def test_a_gain_that_does_not_hold_on_other_prompts_is_not_confirmed():
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    own = replace(own, split_half=own.split_half.assign(cluster_p=0.3))
    assert headline(own) == f"recovery not confirmed on held-out prompts; {NOT_COMPARED}"


def test_a_held_out_gain_must_be_significant_by_both_tests():
    own = make(untouched("BBBB") + clamped("L1N2", {9.0: "FFFF", 1.0: "BBBB"}))
    own = replace(own, split_half=own.split_half.assign(cluster_p=0.01))
    # McNemar's p of four rescues is 0.125.
    assert not effect(own, "surface").recovers
    assert headline(own) == f"no significant effect; {NOT_COMPARED}"


def test_clamps_that_cannot_be_compared_on_halves_confirm_nothing():
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    own = replace(own, split_half=own.split_half.iloc[:0])
    assert effect(own, "surface").held_out is None
    assert headline(own) == f"recovery not confirmed on held-out prompts; {NOT_COMPARED}"


# ---- significance


@pytest.mark.parametrize("test", ["mcnemar_q", "cluster_q"])
def test_a_net_effect_is_significant_by_both_tests_or_not_at_all(test):
    own = sweep(*EFFECTS["nothing to recover, harm"])
    assert significant(own.rates).tolist() == [True]
    own = replace(own, rates=own.rates.assign(**{test: 0.05}))
    assert significant(own.rates).tolist() == [False]
    assert headline(own) == f"nothing to recover, no significant harm; {NOT_COMPARED}"


@pytest.mark.parametrize("test", ["mcnemar_p", "cluster_p"])
def test_the_only_clamp_recovers_by_both_tests_or_not_at_all(test):
    own = sweep(*EFFECTS["recovery"])
    own = replace(own, rates=own.rates.assign(**{test: 0.05}))
    assert not effect(own, "surface").recovers


def test_prompts_of_few_cores_do_not_make_harm_significant():
    before, after = EFFECTS["nothing to recover, harm"]
    rows = untouched(before) + clamped("L1N2", {9.0: after})
    prompts = [prompt(p, p, core="ab"[p > "d"]) for p in "abcdefghijkl"]
    own = make(rows, prompts=prompts)
    assert own.rates["mcnemar_q"][0] < 0.01
    assert headline(own) == f"nothing to recover, no significant harm; {NOT_COMPARED}"


def test_gains_and_losses_are_counted_apart():
    before = "BBBBBBBBFFFFFFFF"
    letters = {9.0: "F" * 16, 90.0: "B" * 16, -90.0: "B" * 16, 0.0: before}
    own = make(untouched(before) + clamped("L1N2", letters))
    found = effect(own, "surface")
    assert (found.gains, found.harms, found.n_collapsed) == (1, 2, 8)
    assert headline(own) == f"recovery; {NOT_COMPARED}"


def test_each_detector_has_its_own_verdict():
    before, after = EFFECTS["recovery"]
    rows = untouched(before, tokens=range(9)) + clamped("L1N2", {9.0: after}, tokens=range(9))
    own = make(rows, ("surface", "loop"))
    assert headline(own) == f"recovery; {NOT_COMPARED}"
    quiet = f"nothing to recover, no significant harm; {NOT_COMPARED}"
    assert headline(own, "loop") == quiet


def test_a_sweep_without_a_clamp_shows_nothing():
    found = effect(make(untouched("BF")), "surface")
    assert (found.held_out, found.recovers) == (None, False)


# ---- as a table


def rows_of(own, claim, by="surface"):
    frame = verdicts(own)
    chosen = frame[(frame["claim"] == claim) & (frame["by"] == by)]
    return chosen.drop(columns=["study", "by"]).to_dict("records")


def test_recovery_rests_on_the_held_out_net_with_its_interval_and_the_tests_that_decide():
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    (row,) = rows_of(own, "recovery")
    # Eight of eight rescued, none of four harmed; each prompt stands for itself.
    assert (row["estimate"], row["null"], row["n"], row["verdict"]) == (8, 0, 12, "recovery")
    assert 0 < row["low"] < 8 < row["high"] <= 12
    assert row["p"] == pytest.approx(2 / 2**8)
    assert row["q"] == pytest.approx(2 * 2 / 2**8)  # two clamps were tried
    assert "rescued 8 of 8" in row["why"] and "harmed 0 of 4" in row["why"]


def test_harm_is_of_the_worst_clamp():
    before = "BBBBBBBBFFFFFFFF"
    letters = {9.0: "F" * 16, 90.0: "B" * 16, -90.0: "B" * 15 + "F"}
    own = make(untouched(before) + clamped("L1N2", letters))
    (row,) = rows_of(own, "harm")
    assert (row["estimate"], row["n"], row["verdict"]) == (-8, 16, "harm")
    assert row["low"] < -8 < row["high"]
    assert row["why"].startswith("2 of 3 clamps")


def test_a_target_is_told_by_the_kind_of_controls_that_it_stands_out_from_least():
    before, after = EFFECTS["recovery"]
    own = compared(sweep(before, after), before, 20)
    own.special.loc[own.special["kind"] == "direction", ["p", "q"]] = 0.06
    (row,) = rows_of(own, "special")
    assert (row["subject"], row["estimate"], row["null"], row["n"]) == ("L1N2", 8, 0, 20)
    assert (row["p"], row["q"], row["verdict"]) == (0.06, 0.06, "not special among its controls")


def test_without_controls_a_target_has_a_row_that_says_so():
    (row,) = rows_of(sweep(*EFFECTS["recovery"]), "special")
    assert row["verdict"] == NOT_COMPARED and "controls" in row["why"]
    assert all(row[name] != row[name] for name in ("estimate", "low", "high", "p", "q"))


@pytest.mark.parametrize("letters", [{}, {9.0: "FF"}, {9.0: "FF", 1.0: "BB"}], ids=str)
def test_verdicts_of_any_sweep_can_be_written_and_read_back(letters, tmp_path):
    own = make(untouched("BF") + clamped("L1N2", letters), ("surface", "entropy"))
    frame = verdicts(own)
    tables.write(frame, tmp_path / "verdicts.parquet", VERDICTS, {})
    assert tables.read(tmp_path / "verdicts.parquet", VERDICTS).equals(frame)
