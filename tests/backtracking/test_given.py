"""A user's traces: what is read, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.studies.backtracking.given import read_given

ROW = {"problem": "2 + 2?", "prompt": "Q: 2 + 2?\nA:", "output": " 5. Wait, 4.", "gold": "4"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows))
    return path


def test_a_trace_with_four_keys_is_enough_and_further_ones_are_passed_over(tmp_path):
    (one,) = read_given(write(tmp_path / "t.jsonl", {**ROW, "who": ["me"]}))
    assert (one.source, one.question, one.gold) == ("given", "2 + 2?", "4")
    assert (one.level, one.seed, one.output_ids) == (None, None, None)
    assert one.split in ("discover", "select", "test")


def test_all_that_is_given_is_kept_and_a_problem_has_one_split(tmp_path):
    more = {"problem_id": "p", "level": 3, "type": "sums", "seed": 1, "output_ids": [5, 6]}
    first, second = read_given(
        write(tmp_path / "t.jsonl", {**ROW, **more}, {**ROW, **more, "seed": 2, "gold": None})
    )
    assert (first.problem_id, first.level, first.type, first.seed) == ("p", 3, "sums", 1)
    assert first.output_ids == [5, 6]
    assert first.split == second.split
    assert first.trace_id != second.trace_id


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "not an object"),
        ({**ROW, "output": ""}, "lacks 'output'"),
        ({"problem": "a", "output": "b"}, "lacks 'prompt'"),
        ({**ROW, "gold": 4}, "gold: got 4; write a text in quotes"),
        ({**ROW, "level": "3"}, "level: got '3'"),
        ({**ROW, "split": "train"}, "split: got 'train'; allowed: discover, select, test"),
        ({**ROW, "output_ids": [1.5]}, "output_ids"),
        ({**ROW, "seed": True}, "seed: got True"),
    ],
)
def test_a_line_that_is_no_trace_is_named(tmp_path, line, said):
    path = write(tmp_path / "t.jsonl", ROW, line)
    with pytest.raises(UserError, match=r"t\.jsonl, line 2: ") as caught:
        list(read_given(path))
    assert said in str(caught.value)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="no traces"):
        list(read_given(write(tmp_path / "t.jsonl", "")))
