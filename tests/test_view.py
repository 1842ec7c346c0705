"""The shared view of a sweep: its clamps and targets in order, their labels."""

from __future__ import annotations

import pytest

from clampsweep.view import Clamp, clamp, describe, listed, signed
from factories import baseline, generation
from sweep_tables import FINE, make


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
