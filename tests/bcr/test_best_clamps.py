"""The clamp at which a target is compared with its controls: chosen on other prompts, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import recovery_tables
from clampsweep import tables
from clampsweep.studies.bcr.best_clamps import (
    BEST_CLAMPS,
    best_clamps,
    rescuing,
    values_beside,
)
from clampsweep.texts.control_table import CONTROLS
from factories import frame
from recovered import recover
from sweep_tables import clamped, untouched


def of(letters, target="L1N2", before="BBBBFFFF", **columns):
    """Recovery of the prompts a to h, four collapsed and four fine, at some clamps."""
    return recover(untouched(before) + clamped(target, letters, **columns))


def chosen(table, controls=""):
    """The best value by target, where the controls run on some of the prompts."""
    found = best_clamps(table, set(controls))
    return dict(zip(found["target"], found["value"], strict=True))


def test_the_best_clamp_is_chosen_on_the_prompts_that_controls_do_not_run_on():
    # +9 rescues a and b, on which the controls run; +5 rescues c.
    table = of({9.0: "FFBBFFFF", 5.0: "BBFBFFFF"})
    assert chosen(table) == {"L1N2": 9.0}
    assert chosen(table, "abe") == {"L1N2": 5.0}
    (row,) = best_clamps(table, set("abe")).to_dict("records")
    assert row["held_out"]
    counts = ("n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net")
    assert [row[name] for name in counts] == [2, 1, 3, 0, 1]
    assert (row["n_prompts"], row["n_choices"]) == (5, 2)


def test_where_controls_run_on_all_prompts_it_is_chosen_on_the_same_ones_and_says_so():
    (row,) = best_clamps(of({9.0: "FFBBFFFF", 5.0: "BBFBFFFF"}), set("abcdefgh")).to_dict("records")
    assert (row["value"], row["held_out"], row["n_prompts"]) == (9.0, False, 8)


@pytest.mark.parametrize(
    ("letters", "best"),
    [
        ({9.0: "FFFBBFFF", 5.0: "FFBBFFFF"}, 5.0),  # of equal nets fewer harmed
        ({9.0: "FFBBFFFF", -5.0: "BBFFFFFF"}, -5.0),  # then the smaller |value|
        ({5.0: "FFBBFFFF", -5.0: "BBFFFFFF"}, -5.0),  # then the lower value
        ({5.0: "FBBBFFFF", -50.0: "FFBBFFFF"}, -50.0),  # the net first of all
    ],
)
def test_ties_go_to_less_harm_then_the_smaller_value(letters, best):
    assert chosen(of(letters)) == {"L1N2": best}


def test_each_target_and_detector_chooses_for_itself():
    names = recovery_tables.prompt_names(6)
    before = np.ones((2, 6), bool)
    after = np.ones((2, 2, 2, 6), bool)  # detector, target, value, prompt
    after[0, 0, 1, :3] = after[0, 1, 0, :2] = after[1, 0, 0, :1] = False
    table = recovery_tables.build(before, after, names, ["L1N2", "L3N4"], [1.0, 2.0])
    found = best_clamps(table, set()).set_index(["detector", "target"])
    assert found["value"].to_dict() == {
        ("d0", "L1N2"): 2.0, ("d0", "L3N4"): 1.0, ("d1", "L1N2"): 1.0, ("d1", "L3N4"): 1.0,
    }  # fmt: skip
    assert found["net"].tolist() == [3, 2, 1, 0]
    assert len(rescuing(found)) == 3


def test_of_clamps_that_are_as_good_the_one_that_is_so_by_most_detectors_spares_texts():
    names = recovery_tables.prompt_names(4)
    before = np.ones((3, 4), bool)
    after = np.ones((3, 1, 3, 4), bool)  # detector, target, value, prompt
    after[0, 0, 2, :2] = False  # d0: 9 alone
    after[1, 0, :, :2] = False  # d1: 1, 5 and 9 alike
    after[2, 0, 1, :3] = after[2, 0, 2, :1] = False  # d2: 5, however many others choose 9
    table = recovery_tables.build(before, after, names, ["L1N2"], [1.0, 5.0, 9.0])
    assert best_clamps(table, set())["value"].tolist() == [9.0, 5.0, 5.0]
    two = table[table["detector"] != "d2"]
    assert best_clamps(two, set())["value"].tolist() == [9.0, 9.0]


def test_of_an_operation_without_values_there_is_one_clamp_and_nothing_to_add():
    table = of({np.nan: "FFFFFFFF"}, operation="zero")
    best = best_clamps(table, set())
    assert best["n_choices"].tolist() == [1]
    assert values_beside(best, controls_of(L1N7="L1N2"), (None,)) == {}


@pytest.mark.parametrize("operation", ["mean", "set"])
def test_values_that_neurons_have_of_their_own_are_not_added(operation):
    value = 3.5 if operation == "mean" else np.nan
    best = best_clamps(of({value: "FFFFFFFF"}, operation=operation), set())
    assert best["net"].tolist() == [4]
    assert values_beside(best, controls_of(L1N7="L1N2"), (None,)) == {}


def controls_of(**owners):
    """A controls table; of each control its targets, joined by a comma."""
    rows = [
        {"target": target, "control": control, "kind": "neuron"}
        for control, targets in owners.items()
        for target in targets.split(",")
    ]
    return frame(rows, CONTROLS)


def best_of(*rows):
    """Best clamps of (detector, target, value, net)."""
    facts = [dict(zip(("detector", "target", "value", "net"), row, strict=True)) for row in rows]
    return pd.DataFrame(facts).assign(operation="set")


def test_a_control_runs_at_its_own_targets_best_clamps_by_any_detector_and_a_shared_one_at_all():
    best = best_of(
        ("surface", "L1N2", -3.0, 5), ("loop", "L1N2", 9.0, 1), ("surface", "L3N4", 2.0, 4),
        ("loop", "L3N4", 50.0, 4),
    )  # fmt: skip
    controls = controls_of(L1N7="L1N2", L3N8="L3N4", L1N9="L1N2,L3N4")
    assert values_beside(best, controls, (50.0,)) == {
        "L1N7": (-3.0, 9.0), "L3N8": (2.0,), "L1N9": (-3.0, 2.0, 9.0),
    }  # fmt: skip


def test_a_clamp_that_rescues_no_more_than_it_harms_is_not_run():
    best = best_of(("surface", "L1N2", -3.0, 0), ("loop", "L1N2", 9.0, -2))
    assert values_beside(best, controls_of(L1N7="L1N2"), (50.0,)) == {}


def test_the_table_can_be_written_and_read_back(tmp_path):
    for table in (of({9.0: "FFFFFFFF"}), of({np.nan: "FFFFFFFF"}, operation="zero")):
        found = best_clamps(table, set("a"))
        tables.write(found, tmp_path / "t", BEST_CLAMPS, {})
        pd.testing.assert_frame_equal(tables.read(tmp_path / "t", BEST_CLAMPS), found)
