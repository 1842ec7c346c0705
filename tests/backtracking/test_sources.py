"""Traces of all sources, read from files."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.backtracking.sources import raw_traces
from clampsweep.studies.backtracking.written import WRITTEN
from clampsweep.texts.request import PromptFormat

GIVEN = {"problem": "2?", "prompt": "Q", "output": "two", "gold": None}


def test_written_and_given_traces_come_behind_chains(tmp_path):
    row = {"trace_id": "a", "problem_id": "p", "family": "f", "split": "test", "level": 1,
           "grade": None, "kind": "clean", "prompt": "Check.", "output": "1.", "answer_gold": "1",
           "answer": "1", "correct": True, "marker_start": None}  # fmt: skip
    frame = pd.DataFrame([row], columns=list(WRITTEN.columns)).astype({"marker_start": "Int64"})
    tables.write(frame, tmp_path / "written.parquet", WRITTEN, {})
    (tmp_path / "given.jsonl").write_text(json.dumps(GIVEN))
    files = {"written": tmp_path / "written.parquet", "given": tmp_path / "given.jsonl"}
    found = raw_traces(files, [], {"written": PromptFormat()})
    assert [one.trace_id for one in found] == ["written/a", "given/1"]
    assert found[0].prompt == "Check.\n"


def test_a_chain_that_is_damaged_is_named(tmp_path):
    (tmp_path / "g.parquet").write_text("no table")
    files = {"generations": [tmp_path / "g.parquet"], "prompts": [tmp_path / "p.parquet"]}
    with pytest.raises(UserError, match=r"g\.parquet"):
        raw_traces(files, ["plain"], {})
