"""What clamps do by a detector: on prompts that did not choose them, and significantly so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clampsweep.studies.bcr.effect import effect, significant
from factories import prompt
from sweep_tables import EFFECTS, NOT_COMPARED, clamped, headline, make, sweep, untouched

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
