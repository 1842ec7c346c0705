"""The tables of agreement as claims read them: whole, or without rows where nothing was asked."""

from __future__ import annotations

import pandas as pd
import pytest

from clampsweep import provenance, tables
from clampsweep.errors import UserError
from clampsweep.studies.universal.agreed import SCHEMAS, joined, read
from clampsweep.studies.universal.agreed_tables import ABLATION
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.pair_tables import NULLS


def nulls(*others):
    rows = [dict.fromkeys(NULLS.columns, 0.5) for _ in others]
    frame = pd.DataFrame(rows, columns=list(NULLS.columns))
    for name, column in NULLS.columns.items():
        if column.type == "str":
            frame[name] = list(others) if name == "other" else "shift"
        elif column.type == "int":
            frame[name] = range(len(others))
    return frame


def test_what_is_not_asked_for_has_columns_and_no_rows(tmp_path):
    for schema in SCHEMAS.values():
        tables.write(no_rows(schema), tmp_path / "t.parquet", schema, provenance.record())
        assert tables.read(tmp_path / "t.parquet", schema).empty


def test_tables_of_several_models_are_joined_in_their_order(tmp_path):
    paths = []
    for name in ("b", "a"):
        paths.append(str(tmp_path / f"{name}.parquet"))
        tables.write(nulls(name), paths[-1], NULLS, provenance.record())
    assert joined(paths, NULLS)["other"].tolist() == ["b", "a"]
    assert joined([], NULLS).empty


def test_an_entry_without_ablation_reads_and_a_missing_table_is_refused(tmp_path):
    paths = {name: str(tmp_path / f"{name}.parquet") for name in SCHEMAS}
    for name, schema in SCHEMAS.items():
        tables.write(no_rows(schema), paths[name], schema, provenance.record())
    found = read({**paths, "ablation": []})
    assert list(found.ablation.columns) == list(ABLATION.columns)
    with pytest.raises(UserError, match="gone"):
        read({**paths, "gt1": str(tmp_path / "gone.parquet")})
