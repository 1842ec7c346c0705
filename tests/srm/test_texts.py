"""Which texts and coordinates spotlight resonance looks at, and the basis of its plane."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.srm.texts import orthonormal
from srm_tables import BASES, NEURONS, at, group, refused, same, scattered, see, text


def test_orthonormal_vectors_keep_the_first_direction_and_the_seconds_side():
    basis = np.array([[-3.0, 1.0], [0.0, -2.0], [4.0, 5.0]])
    found = orthonormal(basis)
    assert found.T @ found == pytest.approx(np.eye(2))
    assert found[:, 0] == pytest.approx([-0.6, 0, 0.8])
    assert found[:, 1] @ basis[:, 1] > 0
    assert np.linalg.matrix_rank(np.c_[found, basis]) == 2


def test_what_a_changed_neuron_does_has_no_influence():
    rows = scattered()
    wild = [{**row, "vector": row["vector"].copy()} for row in rows]
    for number, row in enumerate(wild):
        row["vector"][0] = (-1) ** number * 10.0 ** (number % 6)
    arguments = {"group_by": ("type", "level", "core", "clamp")}
    same(see(rows, **arguments), see(wild, **arguments))
    types = BASES["types"]
    same(see(rows, basis=types, **arguments), see(wild, basis=types, **arguments))


def test_every_neuron_of_the_layer_that_any_target_changes_is_left_out():
    rows = scattered()
    name = rows[0]["prompt_id"]
    rows += [text(name, rows[0]["vector"], 1.0, target="L1N4"),
             text(name, rows[0]["vector"], 1.0, target="L0N6+L1N5")]  # fmt: skip
    assert set(see(rows).groups["expected_power"]) == {2 / (7 - 3)}


def test_texts_without_a_vector_are_left_out_and_counted():
    rows = scattered()
    blank = {("a/declarative/1", None), ("b/declarative/2", None), ("a/declarative/1", 5.0)}
    rows = [{**r, "vector": None} if (r["prompt_id"], r["value"]) in blank else r for r in rows]
    found = see(rows, group_by=("type", "level", "clamp"))
    counts = found.groups.set_index(["factor", "group"])[["n", "n_left_out"]]
    assert counts.loc[("all", "baseline")].tolist() == [22, 2]
    assert counts.loc[("type", "declarative")].tolist() == [10, 2]
    assert counts.loc[("type", "rhetorical")].tolist() == [12, 0]
    assert counts.loc[("level", "1")].tolist() == [7, 1]
    assert counts.loc[("clamp", "L1N0 set 5")].tolist() == [23, 1]
    kept = [r for r in rows if r["vector"] is not None]
    pd.testing.assert_series_equal(see(kept).groups["r"], see(rows).groups["r"])


def test_a_vector_of_zeros_where_it_counts_has_no_direction_and_is_left_out():
    rows = [*scattered(), text("z/declarative/1", [3.0, 0, 0, 0, 0, 0, 0])]
    row = group(see(rows), "type", "declarative")
    assert (row["n"], row["n_left_out"]) == (12, 1)


def test_neurons_of_the_basis_say_which_layer_is_looked_at():
    rows = scattered()
    other = [text(r["prompt_id"], r["vector"] * 0 + 1, r["value"], target="L0N3", layer=0)
             for r in rows]  # fmt: skip
    for row in other:
        row["key"] += "0"
    arguments = {"group_by": ("type", "clamp"), "basis": NEURONS}
    same(see(rows, **arguments), see(rows + other, **arguments))


def test_levels_come_in_order_and_other_groups_as_the_prompts_have_them():
    people = ["z/rhetorical/10", "z/declarative/2", "a/rhetorical/1", "a/declarative/10"]
    rows = scattered(values=(None, 1.0), prompts=people)
    found = see(rows, group_by=("level", "core", "type"))
    assert found.groups["group"].tolist() == [
        "baseline", "1", "2", "10", "z", "a", "rhetorical", "declarative",
    ]  # fmt: skip


def test_nearly_parallel_basis_vectors_are_refused_and_others_are_not():
    def rows(angle):
        ends = [text("a/x/1", at(20)), text("b/y/1", at(20 + angle))]
        return [*ends, text("a/x/1", at(0), 1.0)]

    basis = ({"type": "x"}, {"type": "y"})
    for angle in (0.0, 0.9, 179.5):
        assert "degrees from parallel" in refused(rows(angle), basis=basis)
    for angle in (1.1, 90.0, 178.5):
        assert group(see(rows(angle), basis=basis), "all", "baseline")["mean_power"] > 0.99


def test_a_basis_group_without_a_baseline_vector_is_refused():
    rows = [{**r, "vector": None} if "rhet" in r["prompt_id"] else r for r in scattered()]
    message = refused(rows, basis=BASES["types"])
    assert ".basis[1]: every baseline of type rhetorical is blank" in message


def test_a_sweep_whose_baselines_are_all_blank_is_refused():
    rows = [text("a/x/1", None), text("b/x/1", None), text("a/x/1", at(0), 1.0)]
    assert "no baseline has a vector in layer 1" in refused(rows)
