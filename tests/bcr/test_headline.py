"""The verdicts in a line: of the effect, and of the target among its controls."""

from __future__ import annotations

import pytest

from clampsweep.studies.bcr.headline import special_targets
from sweep_tables import (
    EFFECTS,
    NOT_COMPARED,
    clamped,
    compared_with,
    headline,
    make,
    sweep,
    untouched,
)


@pytest.mark.parametrize("words", EFFECTS)
def test_without_controls_the_verdict_is_of_the_effect_alone(words):
    assert headline(sweep(*EFFECTS[words])) == f"{words}; {NOT_COMPARED}"


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_more_than_all_of_20_controls_is_special(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), before, 20)
    assert headline(own) == f"{words}; special: more than its controls"
    assert special_targets(own, "surface") == ("L1N2",)


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_what_its_controls_do_is_not_special(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), after, 20)
    assert headline(own) == f"{words}; not special among its controls"


@pytest.mark.parametrize("words", EFFECTS)
def test_19_controls_are_too_few_to_tell(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), before, 19)
    assert headline(own) == f"{words}; too few controls to tell"
    assert special_targets(own, "surface") == ()


def test_a_target_that_stands_out_from_one_kind_of_controls_only_is_not_special():
    before, after = EFFECTS["recovery"]
    own = compared_with(sweep(before, after), before, 20)
    own.special.loc[own.special["kind"] == "direction", "q"] = 0.06
    assert headline(own) == "recovery; not special among its controls"


def test_of_several_targets_the_verdict_says_how_many_are_special():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: before})

    def compared(letters, n):
        return headline(compared_with(make(rows), letters, n, ("L1N2", "L1N3")))

    assert compared(before, 40).endswith("; 1 of 2 targets special")
    assert compared(before, 20).endswith("; too few controls to tell")
    assert compared(after, 40).endswith("; no target special among its controls")


def test_too_few_controls_of_one_target_are_too_few_for_the_verdict():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: after})
    own = compared_with(make(rows), after, 40, ("L1N2", "L1N3"))
    own.special.loc[own.special["target"] == "L1N3", "n_controls"] = 39
    assert headline(own) == "recovery; too few controls to tell"
