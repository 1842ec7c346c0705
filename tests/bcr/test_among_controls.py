"""Targets beside their controls: counts, sizes and ranks."""

from __future__ import annotations

from sweep_tables import beside_controls, clamped, compared, make, untouched


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
    assert found["kind"].tolist() == ["neuron"] * 3 + ["direction"] * 3
    assert found["statistic"].tolist() == ["largest_net", "best_net", "most_harmed"] * 2
    assert compared().among_controls.ranks_of("surface", "L1N9").empty


def test_without_controls_there_is_nothing_to_compare():
    own = make(untouched("BF") + clamped("L1N2", {9.0: "FB"}))
    assert own.among_controls is None
