"""The controls of a sweep as files: the table, and the names that the plan takes from it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import sweep_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.names import parse_target
from clampsweep.studies.bcr.best_clamps import BEST_CLAMPS
from clampsweep.studies.bcr.controls import write_controls, write_names
from clampsweep.texts.control_table import CONTROLS
from clampsweep.texts.matching import choose, sizes_of
from clampsweep.texts.selection import NEURON_STATS, read_selected
from factories import frame

BOTH = ("norm", "activation")
RNG = np.random.default_rng(0)
MEANS, NORMS = RNG.normal(0, 3, (2, 400)), RNG.lognormal(0, 0.4, (2, 400))  # [layer, neuron]
STATS = frame(
    [
        sweep_tables.stats(*at, mean=float(MEANS[at]), w_out_norm=float(NORMS[at]))
        for at in np.ndindex(MEANS.shape)
    ],
    NEURON_STATS,
)


def write(folder, targets, operation="set", number=3, best=(), best_clamp=True):
    tables.write(STATS, folder / "stats", NEURON_STATS, {})
    rows = [
        {**dict.fromkeys(BEST_CLAMPS.columns, 1), "detector": "surface", "target": target,
         "operation": operation, "value": value, "scope": "all", "held_out": True}
        for target, value in best
    ]  # fmt: skip
    tables.write(frame(rows, BEST_CLAMPS), folder / "best", BEST_CLAMPS, {})
    out = folder / "selected.json", folder / "controls.parquet"
    write_controls(
        stats=folder / "stats",
        targets=targets,
        number=number,
        seed=0,
        matching=BOTH,
        code="c0de",
        table=out[1],
    )
    write_names(
        table=out[1],
        stats=folder / "stats",
        best_clamps=folder / "best",
        operation=operation,
        values=(50.0,),
        best_clamp=best_clamp,
        selected=out[0],
    )
    return read_selected(out[0]), tables.read(out[1], CONTROLS)


@pytest.mark.parametrize("targets", [["L1N5"], ["L0N3+L1N5"], ["L1N5", "L1N6", "L0N3+L1N7"]])
def test_the_plan_gets_the_names_of_the_table(tmp_path, targets):
    selected, found = write(tmp_path, targets)
    assert set(selected.targets) == set(found["control"])
    assert len(set(selected.targets)) == len(selected.targets)
    assert set(selected.means) == {None}
    expected = choose(sizes_of(STATS, BOTH), targets, 3, 0, BOTH)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


def test_a_neuron_that_is_a_control_twice_is_run_once(tmp_path):
    like = choose(sizes_of(STATS, BOTH), ["L1N5"], 8, 0, BOTH)
    near = like.sort_values("distance")["control"].iloc[0]
    selected, found = write(tmp_path, ["L1N5", near], number=10)
    controls = found.loc[found["kind"] == "neuron", "control"]
    assert controls.duplicated().any()
    assert len(selected.targets) == len(set(found["control"]))


def test_operation_mean_gives_each_control_its_own_neurons_mean(tmp_path):
    selected, _ = write(tmp_path, ["L1N5", "L0N3"], "mean")
    assert len(selected.targets) == 12
    for name, mean in zip(selected.targets, selected.means, strict=True):
        (one,) = parse_target(name)
        assert mean == MEANS[one.layer, one.index]
    assert json.loads((tmp_path / "selected.json").read_text())["targets"] == list(selected.targets)


def test_too_few_neurons_are_told_by_the_configs_key(tmp_path):
    with pytest.raises(UserError, match=r"^controls\.count: got 400; .* for 399 controls"):
        write(tmp_path, ["L1N5"], number=400)


def test_each_control_runs_at_the_best_clamps_of_its_own_target(tmp_path):
    best = [("L1N5", -3.0), ("L0N6", 9.0)]
    selected, found = write(tmp_path, ["L1N5", "L0N6"], best=best)
    own = dict(zip(found["control"], found["target"].map(dict(best)), strict=True))
    assert dict(zip(selected.targets, selected.values, strict=True)) == {
        name: (value,) for name, value in own.items()
    }


@pytest.mark.parametrize("case", [{"best": [("L1N5", 50.0)]}, {"best_clamp": False}, {"best": []}])
def test_nothing_is_added_where_the_best_clamp_is_run_already_or_not_asked_for(tmp_path, case):
    selected, _ = write(tmp_path, ["L1N5"], **{"best": [("L1N5", -3.0)], **case})
    assert selected.values == ()
    assert "values" not in json.loads((tmp_path / "selected.json").read_text())
