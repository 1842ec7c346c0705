"""Verdicts as a table: what a row leaves out is null, and every row can be kept."""

from __future__ import annotations

from clampsweep import tables
from clampsweep.verdicts import VERDICTS, frame

ROW = {
    "study": "maps", "claim": "longer", "subject": "L1N2", "by": "",
    "unit": "words", "verdict": "no effect", "why": "of 4 prompts none changed",
}  # fmt: skip


def test_numbers_that_a_row_does_not_give_are_null_and_the_table_can_be_kept(tmp_path):
    table = frame([ROW, ROW | {"subject": "L1N3", "estimate": 2, "n": 4}])
    tables.write(table, tmp_path / "verdicts.parquet", VERDICTS, {})
    kept = tables.read(tmp_path / "verdicts.parquet", VERDICTS)
    assert kept["estimate"].isna().tolist() == [True, False]
    assert (kept["estimate"][1], kept["n"][1]) == (2.0, 4)
    assert kept[["low", "high", "null", "p", "q"]].isna().all(axis=None)


def test_no_verdicts_are_a_table_too(tmp_path):
    tables.write(frame([]), tmp_path / "verdicts.parquet", VERDICTS, {})
    assert tables.read(tmp_path / "verdicts.parquet", VERDICTS).empty
