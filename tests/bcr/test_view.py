"""The shared view of a sweep: its clamps and targets in order, their labels."""

from __future__ import annotations

from dataclasses import fields

import pytest

from clampsweep import tables
from clampsweep.operations import Clamp, clamp, describe
from clampsweep.studies.bcr.files import TABLES
from clampsweep.studies.bcr.view import SCHEMAS, Tables, read
from clampsweep.words import listed, signed
from factories import baseline, generation
from sweep_tables import FINE, beside_controls, clamped, make, untouched


def sweep(*rows):
    return make([baseline("a", FINE), *(generation("a", FINE, **row) for row in rows)])


def values(*numbers, **more):
    return [{"value": float(number), **more} for number in numbers]


def test_clamps_ascend_by_value_not_by_spelling():
    assert sweep(*values(100, -5, 0, -100, 25)).labels == ("-100", "-5", "0", "+25", "+100")


def test_operations_without_a_value_come_last_under_their_name():
    found = sweep({"operation": "zero"}, *values(5), {"operation": "mean", "value": 3.7})
    assert found.labels == ("+5", "mean", "zero")
    assert found.axis_title.endswith("(activation units), or operation")


def test_a_mean_of_its_own_per_neuron_is_one_clamp():
    rows = [{"operation": "mean", "value": v, "target": t} for v, t in ((1, "L0N1"), (2, "L0N2"))]
    assert sweep(*rows).clamps == (Clamp("mean", None, "all"),)


def test_labels_name_operation_and_scope_only_where_these_differ():
    two = sweep(*values(5), *values(5, operation="add"))
    assert two.labels == ("set +5", "add +5")
    assert two.axis_title == "operation and its value"
    scopes = sweep(*values(5, scope="last"), *values(5, scope="all"))
    assert scopes.labels == ("+5", "+5 (last)")
    assert sweep(*values(5, scope="last")).labels == ("+5",)


def test_targets_stand_by_layer_and_neuron_joint_ones_last():
    names = ["L10N2", "L2N10", "L2N9+L3N1", "L2N9"]
    assert sweep(*({"value": 1.0, "target": name} for name in names)).targets == (
        "L2N9",
        "L2N10",
        "L10N2",
        "L2N9+L3N1",
    )


def test_positions_follow_the_order_of_the_clamps():
    found = sweep(*values(3, -3, 0))
    rows = found.generations[found.generations["operation"] == "set"]
    assert found.positions(rows) == [2, 0, 1]


def test_sizes_tell_where_clamps_differ_in_their_number_of_texts():
    assert sweep(*values(1, 2)).sizes == "1 text per clamp"
    rows = [baseline(p, FINE) for p in "ab"]
    rows += [generation("a", FINE, 1.0), generation("b", FINE, 1.0), generation("a", FINE, 2.0)]
    assert make(rows).sizes == "1 to 2 texts per clamp"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (clamp("set", 25.0, "all"), "set +25"),
        (clamp("set", -0.5, "last"), "set -0.5 (last)"),
        (clamp("scale", 0.5, "all"), "scale x0.5"),
        (clamp("zero", float("nan"), "all"), "zero"),
        (clamp("mean", 3.5, "all"), "mean"),
    ],
)
def test_a_clamp_is_described_in_full(change, words):
    assert describe(change) == words


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (-0.0, "0"), (3.0, "+3"), (-1e-7, "-1e-07")]
)
def test_numbers_carry_their_sign(value, text):
    assert signed(value) == text


def test_words_are_listed_as_a_phrase():
    assert [listed(words) for words in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b and c"]


# ---- controls


def compared():
    """L1N2 at two clamps on a to d; two control neurons and a direction on a and b, at +9 alone."""
    own = make(untouched("BBFF") + clamped("L1N2", {9.0: "FBBF", 1.0: "BBFF"}))
    kinds = {"L1N7": "neuron", "L1N2R0": "direction", "L1N8": "neuron"}
    texts = {"L1N7": "FF", "L1N2R0": "FB", "L1N8": "BB"}
    rows = [row for name in kinds for row in clamped(name, {9.0: texts[name]})]
    return beside_controls(own, rows, {name: ("L1N2", kind) for name, kind in kinds.items()})


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


# ---- reading


def test_tables_are_read_as_they_were_written_and_absent_ones_are_none(tmp_path):
    own = compared()
    paths = {}
    for name, schema in SCHEMAS.items():
        if (frame := getattr(own, name)) is not None:
            paths[name] = tmp_path / f"{name}.parquet"
            tables.write(frame, paths[name], schema, {})
    found = read(paths, ("surface",), "a sweep")
    assert found.among_controls.sizes == own.among_controls.sizes
    assert found.special["p"].tolist() == own.special["p"].tolist()
    assert found.control_metrics["key"].tolist() == own.control_metrics["key"].tolist()
    assert found.verdicts["verdict"].tolist() == own.verdicts["verdict"].tolist()
    absent = ("neuron_stats", "variability", "verification", "detector_quality")
    assert [getattr(found, name) for name in absent] == [None] * 4


def test_every_table_has_a_place_a_schema_and_a_field():
    own = {field.name for field in fields(Tables)} - {"detectors", "title"}
    assert set(SCHEMAS) == set(TABLES) == own
