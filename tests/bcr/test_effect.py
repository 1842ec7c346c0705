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
    words = "4 of 4 collapsed texts rescued; too few prompts to be significant"
    assert headline(own) == f"{words}; {NOT_COMPARED}"


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
    words = "nothing to recover, 8 of 12 fine texts harmed; too few cores to be significant"
    assert headline(own) == f"{words}; {NOT_COMPARED}"


# ---- too few prompts or cores


def cored(before, after, n_cores):
    """Clamps of L1N2 at 9, 10, ..., the prompts in so many cores."""
    names = [chr(ord("a") + at) for at in range(len(before))]
    prompts = [prompt(p, p, core=f"core {at % n_cores}") for at, p in enumerate(names)]
    rows = untouched(before) + clamped("L1N2", {9.0 + at: own for at, own in enumerate(after)})
    return make(rows, prompts=prompts)


@pytest.mark.parametrize(
    ("before", "after", "n_cores", "words"),
    [
        ("F" * 8, ["B" * 8], 2, "nothing to recover, 8 of 8 fine texts harmed; too few cores"),
        ("F" * 8, ["F" * 8], 2, "nothing to recover, none of 8 fine texts harmed; too few cores"),
        ("B" * 8, ["F" * 8], 2, "8 of 8 collapsed texts rescued; too few cores"),
        ("B" * 8, ["B" * 8], 2, "none of 8 collapsed texts rescued; too few cores"),
        # Six cores could tell one clamp alone (2 / 2^6), not one of two.
        ("F" * 12, ["B" * 12], 6, "nothing to recover, harm"),
        ("F" * 12, ["B" * 12, "F" * 12], 6, "nothing to recover, 12 of 12 fine texts harmed; too"),
        ("F" * 12, ["B" * 12, "B" * 12], 6, "nothing to recover, harm"),
        ("F" * 12, ["B" + "F" * 11], 6, "nothing to recover, no significant harm"),
        # Harm is plain; that two of two are rescued is not to be called nothing.
        ("BB" + "F" * 12, ["FF" + "F" * 12, "BB" + "B" * 12], 14, "harm; 2 of 2 collapsed texts"),
        ("BB" + "F" * 12, ["BB" + "F" * 12, "BB" + "B" * 12], 14, "no recovery, only harm"),
        # Recovery could have been told, and harm not.
        ("B" * 12 + "FF", ["B" * 12 + "BB"], 14, "no significant recovery; 2 of 2 fine texts"),
        ("B" * 12 + "FF", ["B" * 12 + "FF"], 14, "no significant recovery"),
    ],
)  # fmt: skip
def test_what_too_few_prompts_or_cores_cannot_show_is_not_called_no_effect(
    before, after, n_cores, words
):
    own = cored(before, after, n_cores)
    said = effect(own, "surface").words
    assert said.startswith(words)
    assert said == words or "too few cores to " in said


@pytest.mark.parametrize("n_cores", [2, 5, 6, 8, 14])
@pytest.mark.parametrize("others", [0, 1, 3])
def test_the_least_q_is_that_of_a_clamp_that_does_all_there_is_by_brute_force(n_cores, others):
    # Of 14 fine texts the worst clamp harms five, and the others one each.
    quiet = ["B" + "F" * 13] * others
    own = cored("F" * 14, ["BBBBB" + "F" * 9, *quiet], n_cores)
    best = cored("F" * 14, ["B" * 14, *quiet], n_cores)
    worst = best.rates.sort_values("net").iloc[0]
    found = effect(own, "surface").harm
    assert (found.done, found.of) == (5, 14)
    assert found.least_q == pytest.approx(max(worst["mcnemar_q"], worst["cluster_q"]))
    assert bool(found.words) == (found.least_q >= 0.05)


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
