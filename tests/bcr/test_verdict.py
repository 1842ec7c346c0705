"""Verdicts of small sweeps whose effects are plain to see, as tables with their controls."""

from __future__ import annotations

import pytest

from clampsweep.ledger import read, write
from clampsweep.studies.bcr.verdict import judge
from clampsweep.verdicts import VERDICTS
from factories import prompt
from sweep_tables import (
    EFFECTS,
    clamped,
    compared_with,
    make,
    sweep,
    untouched,
)


def rows_of(own, claim, by="surface"):
    frame = judge(own).verdicts
    chosen = frame[(frame["claim"] == claim) & (frame["by"] == by)]
    return chosen.drop(columns=["study", "by"]).to_dict("records")


def test_recovery_rests_on_the_held_out_net_with_its_interval_and_the_tests_that_decide():
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    (row,) = rows_of(own, "recovery")
    # Eight of eight rescued, none of four harmed; each prompt stands for itself.
    assert (row["estimate"], row["null"], row["n"], row["words"]) == (8, 0, 12, "recovery")
    assert (row["side"], row["verdict"], row["reason"]) == ("greater", "supported", "")
    assert 0 < row["low"] < 8 < row["high"] <= 12
    assert row["p"] == pytest.approx(2 / 2**8)
    assert row["q"] == pytest.approx(2 * 2 / 2**8)  # two clamps were tried
    assert "rescued 8 of 8" in row["why"] and "harmed 0 of 4" in row["why"]


def test_harm_is_of_the_worst_clamp():
    before = "BBBBBBBBFFFFFFFF"
    letters = {9.0: "F" * 16, 90.0: "B" * 16, -90.0: "B" * 15 + "F"}
    own = make(untouched(before) + clamped("L1N2", letters))
    (row,) = rows_of(own, "harm")
    assert (row["estimate"], row["n"], row["words"]) == (-8, 16, "harm")
    assert (row["side"], row["verdict"]) == ("less", "supported")
    assert row["low"] < -8 < row["high"]
    assert row["why"].startswith("2 of 3 clamps")


@pytest.mark.parametrize("letters", [{}, {9.0: "FF"}, {9.0: "FF", 1.0: "BB"}], ids=str)
def test_verdicts_of_any_sweep_can_be_written_and_read_back(letters, tmp_path):
    own = make(untouched("BF") + clamped("L1N2", letters), ("surface", "entropy"))
    found, files = judge(own), (tmp_path / "verdicts.parquet", tmp_path / "ledger.parquet")
    write(found, *files, {})
    assert all(kept.equals(one) for kept, one in zip(read(*files), found, strict=True))


# ---- which of the five words


@pytest.mark.parametrize(
    ("before", "after", "word", "reason"),
    [
        ("B" * 8 + "F" * 4, "F" * 12, "supported", ""),
        ("B" * 8 + "F" * 4, "F" * 4 + "B" * 4 + "F" * 4, "inconclusive", ""),
        ("B" * 8 + "F" * 12, "B" * 20, "contradicted", ""),
        ("B" * 5 + "F" * 7, "F" * 12, "untestable", "no q below 0.062"),  # 2 / 2^5
        ("F" * 12, "B" * 12, "vacuous", "no baseline is collapsed"),
    ],
)
def test_recovery_is_told_by_the_net_the_tests_and_what_could_be_recovered(
    before, after, word, reason
):
    (row,) = rows_of(sweep(before, after), "recovery")
    assert row["verdict"] == word
    assert reason in row["reason"] and bool(reason) == bool(row["reason"])


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ("F" * 12, "B" * 8 + "F" * 4, "supported"),
        ("F" * 12, "B" * 4 + "F" * 8, "inconclusive"),
        ("B" * 8 + "F" * 8, "F" * 16, "contradicted"),
        ("F" * 5 + "B" * 7, "B" * 12, "untestable"),
        ("B" * 12, "F" * 12, "vacuous"),
    ],
)
def test_harm_is_told_by_the_worst_net_the_tests_and_what_could_be_harmed(before, after, word):
    (row,) = rows_of(sweep(before, after), "harm")
    assert row["verdict"] == word


def test_collapsed_prompts_of_few_cores_cannot_show_recovery_however_many_they_are():
    prompts = [prompt(p, p, core="ab"[p > "d"] if p < "i" else p) for p in "abcdefghijkl"]
    before, after = EFFECTS["recovery"]
    rows = untouched(before) + clamped("L1N2", {9.0: after})
    (row,) = rows_of(make(rows, prompts=prompts), "recovery")
    assert row["p"] == 0.5  # two cores of collapsed prompts: 2 / 2^2
    assert (row["verdict"], row["words"]) == (
        "untestable", "8 of 8 collapsed texts rescued; too few cores to be significant",
    )  # fmt: skip


def test_the_clamp_that_tells_of_harm_is_a_significant_one_if_there_is_any():
    # At 90 five cores of three prompts collapse, at -90 eight prompts that are cores of their own.
    names = [chr(ord("a") + at) for at in range(23)]
    prompts = [prompt(p, p, core=p if p > "o" else "abcde"[ord(p) % 5]) for p in names]
    own = make(
        untouched("F" * 23)
        + clamped("L1N2", {90.0: "B" * 15 + "F" * 8, -90.0: "F" * 15 + "B" * 8}),
        prompts=prompts,
    )  # fmt: skip
    (row,) = rows_of(own, "harm")
    assert (row["estimate"], row["verdict"], row["words"]) == (-8, "supported", "harm")


def test_without_a_clamp_nothing_is_testable():
    found = judge(make(untouched("BF"))).verdicts
    assert dict(zip(found["claim"], found["verdict"], strict=True)) == {
        "recovery": "untestable",
        "harm": "untestable",
    }


# ---- the controls


def controls_of(own, claim):
    """Number and remark of each control of a claim; no number where it was skipped."""
    rows = judge(own).ledger
    rows = rows[rows["claim"] == claim].to_dict("records")
    return {row["control"]: (row["n"] if row["ran"] else None, row["why"]) for row in rows}


def test_the_ledger_says_that_nothing_was_compared_and_why():
    own = sweep(*EFFECTS["recovery"])
    why = "no controls were run (config key controls)"
    assert controls_of(own, "special") == {
        "matched neurons": (None, why),
        "random directions": (None, why),
    }
    assert controls_of(own, "recovery") == {
        "held-out prompts": (None, "a single clamp leaves nothing to choose"),
        "sampled baselines": (None, "not asked for (config key variability)"),
        "baselines in the chat format": (None, "not asked for (config key chat_baselines)"),
    }


def test_the_ledger_says_how_many_controls_ran_and_on_what():
    before, after = EFFECTS["recovery"]
    own = make(untouched(before) + clamped("L1N2", {9.0: after, 1.0: before}))
    own = compared_with(own, before, 20)
    assert controls_of(own, "recovery")["held-out prompts"][0] == 12
    assert controls_of(own, "harm")["held-out prompts"][0] is None
    expected = (
        20,
        "on all prompts and 1 of the 2 clamps; the best clamp of the target was chosen among 2 "
        "(on these same prompts), that of its controls among these 1, which favours the target "
        "(leave out controls.values to remove that)",
    )
    for claim in ("special", "special_harm"):
        assert set(controls_of(own, claim).values()) == {expected}


def test_each_claim_by_each_detector_has_its_controls():
    own = make(untouched("BF") + clamped("L1N2", {9.0: "FF"}), ("surface", "entropy"))
    found, key = judge(own), list(VERDICTS.key)
    assert set(found.ledger[key].itertuples(index=False)) == set(
        found.verdicts[key].itertuples(index=False)
    )
    assert len(found.ledger) == 2 * (3 + 2 + 2 + 2)
