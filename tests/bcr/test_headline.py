"""The verdicts in a line: of the effect, and of the target among its controls."""

from __future__ import annotations

import pytest

from clampsweep.studies.bcr.headline import decisive_claim, verdicts_of
from sweep_tables import (
    EFFECTS,
    NOT_COMPARED,
    clamped,
    compared_with,
    headline,
    judged,
    make,
    sweep,
    untouched,
)

HARM = {name for name in EFFECTS if "harm" in name}


@pytest.mark.parametrize("words", EFFECTS)
def test_without_controls_the_verdict_is_of_the_effect_alone(words):
    assert headline(sweep(*EFFECTS[words])) == f"{words}; {NOT_COMPARED}"


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_more_than_all_of_20_controls_is_special(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), before, 20)
    assert headline(own) == f"{words}; special: more than its controls"


@pytest.mark.parametrize("words", EFFECTS)
def test_a_target_that_does_what_its_controls_do_is_not_special(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), after, 20)
    ceiling = "its controls rescue nearly all there is: the test cannot answer"
    expected = ceiling if words == "recovery" else "no more than its controls"
    assert headline(own) == f"{words}; {expected}"


@pytest.mark.parametrize("words", EFFECTS)
def test_19_controls_are_too_few_to_tell(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), before, 19)
    assert headline(own) == f"{words}; too few controls to tell"


@pytest.mark.parametrize("words", EFFECTS)
def test_the_line_asks_of_rescues_unless_there_is_only_harm(words):
    before, after = EFFECTS[words]
    own = compared_with(sweep(before, after), before, 20)
    assert decisive_claim(own, "surface") == ("special_harm" if words in HARM else "special")


def test_the_verdict_on_a_recovery_does_not_rest_on_harm():
    # At 50 every control harms all four fine texts and the target none: it is the fine one that
    # the target is judged by. The other way round it harms at 50, and they do not.
    before, after = EFFECTS["recovery"]
    for at_50, theirs in (("BBBBBBBBFFFF", "BBBBBBBBBBBB"), ("BBBBBBBBBBBB", "BBBBBBBBFFFF")):
        own = make(untouched(before) + clamped("L1N2", {9.0: after, 50.0: at_50}))
        own = compared_with(own, {9.0: before, 50.0: theirs}, 20)
        assert headline(own) == "recovery; special: more than its controls"
        harm = verdicts_of(own, "special_harm", "surface")["words"].tolist()
        assert harm != ["special: more than its controls"] or at_50.endswith("BBBB")
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 50.0: "BBBBBBBBBBBB"}))
    some = {9.0: "FFFBBBBBFFFF", 50.0: before}
    own = compared_with(own, some, 20)
    assert headline(own) == "recovery; special: more than its controls"
    lower = compared_with(own, {9.0: "FFFFFFBBFFFF", 50.0: before}, 20)
    lower.special.loc[lower.special["statistic"] == "best_net", "q"] = 0.3
    assert headline(lower) == "recovery; no more than its controls"  # though it alone harms
    assert verdicts_of(judged(lower), "special_harm", "surface")["words"].tolist() == [
        "special: more than its controls"
    ]


def test_a_target_that_stands_out_from_one_kind_of_controls_only_is_not_special():
    before, after = EFFECTS["recovery"]
    own = compared_with(sweep(before, after), before, 20)
    own.special.loc[own.special["kind"] == "direction", "q"] = 0.06
    assert headline(own) == "recovery; no more than its controls"


def test_of_several_targets_the_verdict_says_how_many_are_special():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: before})

    def compared(letters, n):
        return headline(compared_with(make(rows), letters, n, ("L1N2", "L1N3")))

    assert compared(before, 40).endswith("; 1 of 2 targets special")
    some = "FFFFBBBBFFFF"
    equal = untouched(before) + clamped("L1N2", {9.0: some}) + clamped("L1N3", {9.0: some})
    found = headline(compared_with(make(equal), some, 40, ("L1N2", "L1N3")))
    assert found.endswith("; every target no more than its controls")
    assert compared(after, 40).endswith("; its controls rescue nearly all there is: "
                                        "the test cannot answer")  # fmt: skip


def test_targets_whose_tests_differ_are_counted_by_what_is_said():
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after}) + clamped("L1N3", {9.0: after})
    own = compared_with(make(rows), "FFFFBBBBFFFF", 40, ("L1N2", "L1N3"))
    own.special["q"] = 0.2
    own.special.loc[own.special["target"] == "L1N3", "least_q"] = 0.06
    assert headline(own) == (
        "recovery; 1 of 2 targets no more than its controls and "
        "1 of 2 targets too few controls to tell"
    )
