"""Schemas of checkpoints and of ablations: a row each, so that nothing is counted twice."""

from __future__ import annotations

import pandas as pd
import pytest

from clampsweep import provenance, tables
from clampsweep.errors import UserError
from clampsweep.studies.universal.agreed_tables import ABLATION, PERSISTENCE


def filled(schema, n):
    """Rows that differ in the last column of the key alone."""
    kinds = {"str": "a", "int": 0, "float": 0.5, "bool": True}
    frame = pd.DataFrame([{name: kinds[one.type] for name, one in schema.columns.items()}] * n)
    last = schema.key[-1]
    text = schema.columns[last].type == "str"
    frame[last] = list("abcdefgh"[:n]) if text else range(n)
    return frame


@pytest.mark.parametrize("schema", [PERSISTENCE, ABLATION], ids=lambda one: one.name)
def test_a_row_twice_is_refused_and_different_ones_are_not(schema, tmp_path):
    frame = filled(schema, 3)
    tables.write(frame, tmp_path / "t.parquet", schema, provenance.record())
    assert len(tables.read(tmp_path / "t.parquet", schema)) == 3
    twice = pd.concat([frame, frame.head(1)])
    with pytest.raises(UserError, match="more than one row"):
        tables.write(twice, tmp_path / "t.parquet", schema, provenance.record())
