"""The verdicts on a target among its controls, of sweeps whose effects are plain to see."""

from __future__ import annotations

import pytest

from clampsweep.studies.bcr.special_verdict import among_controls
from sweep_tables import (
    EFFECTS,
    NOT_COMPARED,
    beside_controls,
    clamped,
    compared_with,
    make,
    sweep,
    untouched,
)


def rows_of(own, claim):
    """Rows of a claim by `surface`, a row per target."""
    judged = [row for row, _ in among_controls(own, "surface")]
    return [row for row in judged if row["claim"] == claim]


def test_a_target_is_told_by_the_kind_of_controls_that_it_stands_out_from_least():
    before, after = EFFECTS["recovery"]
    own = compared_with(sweep(before, after), before, 20)
    own.special.loc[own.special["kind"] == "direction", ["p", "q"]] = 0.06
    (row,) = rows_of(own, "special")
    assert (row["subject"], row["estimate"], row["null"], row["n"]) == ("L1N2", 8, 0, 20)
    assert (row["p"], row["q"], row["words"]) == (0.06, 0.06, "no more than its controls")
    assert row["verdict"] == "inconclusive"


def test_without_controls_a_target_has_a_row_that_says_so():
    (row,) = rows_of(sweep(*EFFECTS["recovery"]), "special")
    assert row["words"] == NOT_COMPARED and "controls" in row["why"]
    assert row["verdict"] == "untestable" and "controls" in row["reason"]
    assert all(row[name] is None for name in ("estimate", "low", "high", "p", "q"))


@pytest.mark.parametrize(
    ("letters", "n", "word"),
    [
        ("before", 20, "supported"),
        ("BBBBFFFFFFFF", 20, "supported"),
        ("after", 20, "untestable"),  # they rescue all there is
        ("before", 19, "untestable"),
    ],
)
def test_a_target_is_told_by_its_rank_among_controls(letters, n, word):
    before, after = EFFECTS["recovery"]
    own = compared_with(
        sweep(before, after), {"before": before, "after": after}.get(letters, letters), n
    )
    (row,) = rows_of(own, "special")
    assert row["verdict"] == word
    assert bool(row["reason"]) == (word == "untestable")
    if word == "supported":
        theirs = row["null"]  # the same of all 20
        assert (row["low"], theirs) == (8, 0 if letters == "before" else 4)


def test_a_target_that_does_less_than_all_its_controls_is_contradicted():
    before, some = EFFECTS["recovery"][0], "FFFFFFBBFFFF"
    (row,) = rows_of(compared_with(sweep(before, before), some, 20), "special")
    assert (row["estimate"], row["null"], row["high"], row["verdict"]) == (0, 6, 0, "contradicted")


def test_rescue_and_harm_are_told_apart():
    # The target rescues all and harms none; its controls rescue four and harm all four.
    before, after = EFFECTS["recovery"]
    own = compared_with(sweep(before, after), "FFFFBBBBBBBB", 20)
    (rescue,), (harm,) = rows_of(own, "special"), rows_of(own, "special_harm")
    assert (rescue["estimate"], rescue["null"], rescue["verdict"]) == (8, 0, "supported")
    assert (harm["estimate"], harm["null"], harm["verdict"]) == (-8, 0, "contradicted")
    assert "at most 8 more rescued than harmed, of 8 collapsed texts" in rescue["why"]
    assert "at most -8 more harmed than rescued, of 4 fine texts" in harm["why"]


@pytest.mark.parametrize(
    ("before", "after", "theirs", "claim", "verdict", "words", "reason"),
    [
        ("B" * 8 + "F" * 4, "F" * 12, "F" * 12, "special", "untestable",
         "its controls rescue nearly all there is: the test cannot answer",
         "20 of 20 control neurons and 20 of 20 random directions rescue, net, all of the 8 "
         "collapsed texts compared or all but one"),
        ("B" * 8 + "F" * 4, "F" * 12, "F" * 12, "special_harm", "untestable",
         "neither it nor its controls harm a text: the test cannot answer",
         "none of the 4 fine texts compared was harmed, by the target or by a control"),
        ("F" * 12, "B" * 12, "B" * 11 + "F", "special_harm", "untestable",
         "its controls harm nearly all there is: the test cannot answer",
         "20 of 20 control neurons and 20 of 20 random directions harm, net, all of the 12 fine "
         "texts compared or all but one"),
        ("F" * 12, "B" * 12, "F" * 12, "special", "vacuous",
         "no collapsed text among those compared with its controls",
         "no baseline compared is collapsed"),
        ("B" * 12, "F" * 12, "B" * 12, "special_harm", "vacuous",
         "no fine text among those compared with its controls",
         "no baseline compared is fine"),
    ],
)  # fmt: skip
def test_a_test_that_cannot_answer_says_why_with_the_numbers(
    before, after, theirs, claim, verdict, words, reason
):
    (row,) = rows_of(compared_with(sweep(before, after), theirs, 20), claim)
    assert (row["verdict"], row["words"], row["reason"]) == (verdict, words, reason)


def test_a_control_that_does_all_there_is_leaves_a_target_no_room():
    before, after = EFFECTS["recovery"]
    own = compared_with(sweep(before, after), before, 20)
    texts = clamped("L1N100", {9.0: after})  # one of the 20 neurons rescues all
    kinds = {r.control: (r.target, r.kind) for r in own.controls.itertuples()}
    rows = [r for name in kinds for r in clamped(name, {9.0: before}) if name != "L1N100"]
    (row,) = rows_of(beside_controls(own, rows + texts, kinds), "special")
    assert row["words"] == "some of its controls rescue all there is: the test cannot answer"
    assert row["reason"] == (
        "1 of 20 control neurons rescue, net, all of the 8 collapsed texts compared: doing so has "
        "q = 0.095"
    )


def test_a_target_whose_best_clamp_was_not_compared_is_not_called_plain():
    # +9 rescues all; at +1, where the controls ran, neither it nor they do a thing.
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    own = compared_with(own, {1.0: before}, 20)
    (row,) = rows_of(own, "special")
    assert (row["verdict"], row["words"]) == ("untestable", "not tested at its best clamp")
    assert "L1N2 set +9" in row["reason"] and "controls.best_clamp" in row["reason"]
    # What stands out where it was compared is special all the same.
    better = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: "FFFFFBBBFFFF"}))
    (row,) = rows_of(compared_with(better, {1.0: before}, 20), "special")
    assert row["verdict"] == "supported"
