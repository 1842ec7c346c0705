"""A table without rows is written and read, and joins others without changing their types."""

from __future__ import annotations

import pandas as pd

from clampsweep import provenance, tables
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.roles.tables import ATTENTION_SCORES


def test_it_is_the_table_without_rows(tmp_path):
    empty = no_rows(ATTENTION_SCORES)
    tables.write(empty, tmp_path / "t.parquet", ATTENTION_SCORES, provenance.record())
    assert tables.read(tmp_path / "t.parquet", ATTENTION_SCORES).empty
    row = pd.DataFrame([{"layer": 1, "neuron": 2, "head": 3, "score": 0.5}])
    assert pd.concat([empty, row]).dtypes.equals(row.dtypes)
