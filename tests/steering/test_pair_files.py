"""One list of pairs from any format, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.steering.pair_files import format_of, read_pairs, write_pairs

SHIPPED = Path(__file__).parents[2] / "promptsets" / "steering"


@pytest.mark.parametrize("name", ["p.tsv", "p.json", "p.jsonl", "p.parquet"])
@pytest.mark.parametrize("behaviour", ["french", "politeness"])
def test_a_shipped_behaviour_is_the_same_through_every_format(tmp_path, name, behaviour):
    pairs = read_pairs(SHIPPED / f"{behaviour}.tsv")
    write_pairs(pairs, tmp_path / name, behaviour, seed=0)
    back = read_pairs(tmp_path / name)
    assert [one[:4] for one in back] == [one[:4] for one in pairs] and len(back) == 120
    first = (tmp_path / name).read_bytes()
    write_pairs(pairs, tmp_path / name, behaviour, seed=0)
    assert (tmp_path / name).read_bytes() == first


def test_json_lines_are_told_by_their_keys(tmp_path):
    path = tmp_path / "p.jsonl"
    row = {"question": "q?", "answer_matching_behavior": " Yes"}
    path.write_text(json.dumps({**row, "answer_not_matching_behavior": " No"}), encoding="utf-8")
    assert format_of(path) == "caa"
    assert [one[:3] for one in read_pairs(path)] == [("q?", "Yes", "No")]


def test_a_name_of_no_format_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"ends with '\.csv'; allowed: \.tsv, \.json, \.parquet"):
        read_pairs(tmp_path / "p.csv")
    with pytest.raises(UserError, match="no such file"):
        read_pairs(tmp_path / "p.jsonl")
