"""Targets beside their controls: counts, sizes and ranks."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from sweep_tables import beside_controls, clamped, compared, judged, make, untouched


def test_controls_are_counted_each_by_itself():
    found = compared().among_controls.counts.set_index("target")
    assert found["net"].to_dict() == {"L1N7": 2, "L1N2R0": 1, "L1N8": 0}
    assert found["kind"].to_dict() == {"L1N7": "neuron", "L1N2R0": "direction", "L1N8": "neuron"}
    assert set(found["of"]) == {"L1N2"}
    assert set(found["position"]) == {1}


def test_a_target_is_compared_on_the_prompts_and_clamps_of_its_controls():
    # On a and b, +9 rescues a; that it harms c is on a prompt that no control ran on.
    (row,) = compared().among_controls.own_counts.to_dict("records")
    assert (row["target"], row["position"], row["n"], row["net"]) == ("L1N2", 1, 2, 1)


def test_sizes_of_controls_say_on_how_much_they_ran():
    assert compared().among_controls.sizes == (
        "2 control neurons and 1 random direction, on 2 of the 4 prompts and 1 of the 2 clamps"
    )
    own = make(untouched("BF") + clamped("L1N2", {9.0: "FB"}))
    every = beside_controls(own, clamped("L1N7", {9.0: "FF"}), {"L1N7": ("L1N2", "neuron")})
    assert every.among_controls.sizes == "1 control neuron, on all prompts and all clamps"


def test_ranks_are_of_one_target_neurons_before_directions():
    found = compared().among_controls.ranks_of("surface", "L1N2")
    assert found["kind"].tolist() == ["neuron"] * 2 + ["direction"] * 2
    assert found["statistic"].tolist() == ["best_net", "worst_net"] * 2
    one = compared().among_controls.ranks_of("surface", "L1N2", "worst_net")
    assert one["kind"].tolist() == ["neuron", "direction"]
    assert compared().among_controls.ranks_of("surface", "L1N9").empty


def test_without_controls_there_is_nothing_to_compare():
    own = make(untouched("BF") + clamped("L1N2", {9.0: "FB"}))
    assert own.among_controls is None


def two_targets():
    """L1N2 and L1N3 at three clamps, on a to d; controls on a and b.

    L1N7 is a control of L1N2, L1N8 of L1N3, L1N9 of both; all ran at +1, and each of them at its
    own target's best clamp on c and d: +2 of L1N2, +3 of L1N3.
    """
    rows = untouched("BBBB")
    rows += clamped("L1N2", {1.0: "BBBB", 2.0: "BBFF", 3.0: "BBBB"})
    rows += clamped("L1N3", {1.0: "BBBB", 2.0: "BBBB", 3.0: "BBFF"})
    of = {"L1N7": ("L1N2", "neuron"), "L1N8": ("L1N3", "neuron"), "L1N9": ("L1N2", "neuron")}
    ran = {"L1N7": (1.0, 2.0), "L1N8": (1.0, 3.0), "L1N9": (1.0, 2.0, 3.0)}
    texts = [
        row for name, values in ran.items() for row in clamped(name, dict.fromkeys(values, "FF"))
    ]
    own = beside_controls(make(rows), texts, of)
    shared = own.controls[own.controls["control"] == "L1N9"].assign(target="L1N3")
    return judged(replace(own, controls=pd.concat([own.controls, shared])))


def test_a_target_is_compared_at_the_clamps_that_all_its_own_controls_ran_at():
    beside = two_targets().among_controls
    assert [beside.positions_of(target) for target in ("L1N2", "L1N3")] == [[0, 1], [0, 2]]
    both = beside.counts[beside.counts["target"] == "L1N9"]
    assert sorted(zip(both["of"], both["position"], strict=True)) == [
        ("L1N2", 0), ("L1N2", 1), ("L1N3", 0), ("L1N3", 2),
    ]  # fmt: skip
    own = beside.own_counts
    assert sorted(zip(own["target"], own["value"], strict=True)) == [
        ("L1N2", 1.0), ("L1N2", 2.0), ("L1N3", 1.0), ("L1N3", 3.0),
    ]  # fmt: skip
    assert beside.sizes == (
        "2 control neurons of each target, on 2 of the 4 prompts and 2 of the 3 clamps"
    )


def test_the_best_clamp_of_a_target_is_known_with_its_place_and_what_it_favours():
    beside = two_targets().among_controls
    best = beside.best_of("surface", "L1N3")
    assert (best["value"], best["position"], best["net"], best["held_out"]) == (3.0, 2, 2, True)
    assert beside.left_out("surface", "L1N3") is None
    assert "chosen among 3 (on other prompts)" in beside.favour("L1N3")
    assert "leave out controls.values" in beside.favour("L1N3")


def test_a_best_clamp_that_the_controls_did_not_run_at_is_left_out_and_favours_nothing():
    own = make(untouched("BBBB") + clamped("L1N2", {1.0: "BBBB", 2.0: "BBFF"}))
    beside = beside_controls(own, clamped("L1N7", {1.0: "FF"}), {"L1N7": ("L1N2", "neuron")})
    assert beside.among_controls.left_out("surface", "L1N2")["value"] == 2.0
    assert beside.among_controls.favour("L1N2") == ""


def test_controls_at_all_clamps_favour_nothing():
    own = make(untouched("BBBB") + clamped("L1N2", {1.0: "BBBB", 2.0: "BBFF"}))
    texts = clamped("L1N7", {1.0: "FF", 2.0: "FF"})
    beside = beside_controls(own, texts, {"L1N7": ("L1N2", "neuron")})
    assert beside.among_controls.favour("L1N2") == ""
