"""Tables of every contrast, read from their files."""

from __future__ import annotations

import pandas as pd
import pytest

from backtracking.made import area, effect, frame
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.backtracking.effects import EFFECTS
from clampsweep.studies.backtracking.held_areas import HELDOUT
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.sampling import SAMPLES
from clampsweep.studies.backtracking.tables import STRIPS
from clampsweep.studies.backtracking.view import contrasts_of, joined_strips


def written(tmp_path, name, schema, table):
    path = tmp_path / f"{name}.parquet"
    tables.write(table.astype(object).where(table.notna(), None), path, schema, {})
    return path


def files(tmp_path):
    logit = frame(HELDOUT, area("onset logit"))
    return {
        "samples": written(tmp_path, "samples", SAMPLES, frame(SAMPLES)),
        "neurons": [written(tmp_path, "neurons", NEURONS, frame(NEURONS))],
        "heldout": [written(tmp_path, "heldout", HELDOUT, frame(HELDOUT, area("top neurons")))],
        "logit": [written(tmp_path, "logit", HELDOUT, logit)],
        "effects": [written(tmp_path, "effects", EFFECTS, frame(EFFECTS, effect()))],
    }


def test_the_onsets_logit_stands_with_the_other_areas(tmp_path):
    given = files(tmp_path)
    found = contrasts_of(given, ["gross"], (1, 1), 20)
    assert found["gross"].heldout["method"].tolist() == ["top neurons", "onset logit"]
    assert found["gross"].insufficient.startswith("insufficient events: 0")
    assert len(found["gross"].effects) == 1


def test_a_damaged_table_is_named(tmp_path):
    given = files(tmp_path)
    given["effects"][0].write_text("no table")
    with pytest.raises(UserError, match=r"effects\.parquet"):
        contrasts_of(given, ["gross"], (1, 1), 20)


def test_a_trace_that_two_contrasts_follow_stands_once(tmp_path):
    row = {"trace_id": "a", "position": 0, "token": "x", "event": False, "layer": 1, "neuron": 2,
           "value": 0.5}  # fmt: skip
    paths = [
        written(tmp_path, "one", STRIPS, pd.DataFrame([row])),
        written(tmp_path, "two", STRIPS, pd.DataFrame([row, {**row, "neuron": 3}])),
        written(tmp_path, "none", STRIPS, frame(STRIPS)),
    ]
    found = joined_strips(paths, ["a", "b", "c"])
    assert found["neuron"].tolist() == [2, 3]
    assert joined_strips(paths[2:], ["c"]).empty
