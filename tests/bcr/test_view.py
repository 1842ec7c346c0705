"""The shared view of a sweep: its clamps and targets in order, their labels."""

from __future__ import annotations

from dataclasses import fields

from clampsweep import tables
from clampsweep.operations import Clamp
from clampsweep.studies.bcr.files import TABLES
from clampsweep.studies.bcr.view import SCHEMAS, Tables, read
from factories import baseline, generation
from sweep_tables import FINE, compared, make


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
    own = {field.name for field in fields(Tables)} - {"detectors", "title", "made", "unlike"}
    assert set(SCHEMAS) == set(TABLES) == own
