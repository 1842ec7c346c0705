"""Spotlight resonance from vectors to tables: what holds of all of them, and its faults."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS
from clampsweep.studies.srm.differences import SRM_DIFFERENCES
from clampsweep.texts.promptset import PROMPTS
from factories import frame, prompt
from srm_tables import BASES, at, names, refused, same, scattered, see, text


@pytest.mark.parametrize("turn", [30.0, 145.0, 300.0])
def test_turning_the_basis_within_the_plane_turns_angles_and_leaves_lengths(turn):
    rows = scattered(values=(None, 1.0))
    ends = {"p": at(0), "q": at(90), "s": at(turn), "t": at(turn + 90)}
    rows += [text(f"{core}/marks/9", [*v, 0.0, 0.0]) for core, v in ends.items()]
    straight = see(rows, basis=({"core": "p"}, {"core": "q"}))
    turned = see(rows, basis=({"core": "s"}, {"core": "t"}))
    for name in ("r", "r_low", "r_high", "mean_power", "power_low", "power_high", "stability"):
        one, other = (found.groups[name].astype(float) for found in (straight, turned))
        assert one.tolist() == pytest.approx(other.tolist(), rel=1e-5, abs=1e-6)
    shift = (straight.groups["angle"] - turned.groups["angle"] - turn).astype(float)
    assert np.cos(np.radians(shift)).tolist() == pytest.approx([1.0] * len(shift))


def test_the_same_input_gives_the_same_tables():
    arguments = {"group_by": ("type", "clamp"), "basis": BASES["types"]}
    same(see(scattered(), **arguments), see(scattered(), **arguments))


def test_the_tables_can_be_written_and_read_back(tmp_path):
    rows = [*scattered(), text("e/alone/1", np.ones(7))]
    found = see(rows, group_by=("type", "level", "core", "clamp"), thresholds=(0.3, 0.5))
    schemas = {"groups": SRM_GROUPS, "curves": SRM_CURVES, "differences": SRM_DIFFERENCES}
    for name, schema in schemas.items():
        tables.write(getattr(found, name), tmp_path / name, schema, {})
        back = tables.read(tmp_path / name, schema)
        pd.testing.assert_frame_equal(back, getattr(found, name), check_dtype=False)


def test_a_basis_neuron_that_turned_out_to_be_changed_is_refused():
    rows = [*scattered(), text("a/declarative/1", np.ones(7), 1.0, target="L1N2")]
    assert ".basis[1]: 'L1N2' is changed by the sweep" in refused(rows)


def test_a_basis_neuron_of_a_layer_without_vectors_is_refused():
    message = refused(scattered(), basis=("L2N1", "L2N2"))
    assert ".basis[0]: 'L2N1' is in layer 2" in message and "layer 1" in message


def test_groups_of_prompts_as_a_basis_need_one_layer():
    rows = [*scattered(), text("a/declarative/1", np.ones(7), 1.0, target="L0N1", layer=0)]
    assert "layers 0, 1" in refused(rows, basis=BASES["types"])


def test_a_basis_group_that_no_prompt_belongs_to_is_refused():
    message = refused(scattered(), basis=({"type": "declarative"}, {"type": "poetic", "level": 1}))
    assert ".basis[1]: no prompt has type poetic, level 1" in message
    assert "declarative, rhetorical" in message and "1, 2, 3" in message


def test_a_factor_that_no_prompt_has_is_refused():
    known = frame([prompt(n, n, type="x") for n in names()], PROMPTS)
    message = refused(scattered(), prompts=known, group_by=("type", "level"))
    assert ".group_by[1]: no prompt has a level" in message
