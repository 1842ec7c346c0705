"""Precision and recall of rules: counts by hand, on passages of which it is plain what is seen."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.statistics import wilson
from clampsweep.studies.backtracking.detector import (
    DETECTOR,
    detector,
    held,
    read_sentences,
)
from clampsweep.studies.backtracking.rules import Rule, Rules, read_rules

DATA = Path(__file__).parents[2] / "workflow" / "data" / "backtracking"

RULES = Rules(
    1,
    (
        Rule("wrong", "strong", re.compile("wrong")),
        Rule("wait", "weak", re.compile("wait")),
        Rule("sure", "uncertainty", re.compile("unsure")),
    ),
    ("Wait",),
)
HEADER = "id\tsplit\tlabel\tfamily\ttext\tnote\n"
ROWS = (
    "a\ttune\tstrong\tx\tThat is wrong.\t\n"
    "b\ttune\tstrong\tx\tWait, 4.\t\n"  # taken for weak
    "c\ttune\tnone\tx\tA wrong turn.\t\n"  # taken for strong
    "d\ttune\tweak\tx\tWait.\t\n"
    "e\ttune\tuncertainty\tx\tWho knows.\t\n"  # missed
    "f\theld_out\tnone\tx\tSo 4.\t\n"
    "g\theld_out\tweak\tx\tWait. That is wrong.\t\n"  # taken for strong
)


def written(folder: Path, content: str) -> Path:
    path = folder / "sentences.tsv"
    path.write_text(content, "utf-8")
    return path


def test_counts_and_shares_are_those_counted_by_hand(tmp_path: Path) -> None:
    found = detector(read_sentences(written(tmp_path, HEADER + ROWS)), RULES)
    counts = {
        (row["class"], row["split"]): tuple(row[["n", "labelled", "found", "right"]])
        for _, row in found.iterrows()
    }
    assert counts == {
        ("strong", "tune"): (5, 2, 2, 1),
        ("strong", "held_out"): (2, 0, 1, 0),
        ("weak", "tune"): (5, 1, 2, 1),
        ("weak", "held_out"): (2, 1, 0, 0),
        ("uncertainty", "tune"): (5, 1, 0, 0),
        ("uncertainty", "held_out"): (2, 0, 0, 0),
        ("any", "tune"): (5, 3, 4, 3),
        ("any", "held_out"): (2, 1, 1, 1),
    }
    row = found[(found["class"] == "any") & (found["split"] == "tune")].iloc[0]
    assert (row["precision"], row["recall"]) == (3 / 4, 1)
    assert (row["precision_low"], row["precision_high"]) == wilson(3, 4)
    assert (row["recall_low"], row["recall_high"]) == wilson(3, 3)


def test_a_share_of_nothing_is_null(tmp_path: Path) -> None:
    found = detector(read_sentences(written(tmp_path, HEADER + ROWS)), RULES)
    row = found[(found["class"] == "uncertainty") & (found["split"] == "held_out")].iloc[0]
    assert math.isnan(row["precision"]) and math.isnan(row["recall"])
    tables.write(found, tmp_path / "detector.parquet", DETECTOR, {})
    assert tables.read(tmp_path / "detector.parquet", DETECTOR)["precision"].isna().sum() == 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [("wait, wrong", "strong"), ("wait, unsure", "weak"), ("unsure", "uncertainty"), ("4", "none")],
)
def test_a_passage_holds_what_its_strongest_event_is(text: str, kind: str) -> None:
    assert held(text, RULES) == kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER, "no sentences"),
        ("id\ttext\n", "no column 'split'"),
        (HEADER + "a\ttune\tmild\tx\t4\t\n", "line 2: label: got 'mild'; allowed: strong, weak"),
        (HEADER + "a\ttest\tnone\tx\t4\t\n", "split: got 'test'; allowed: tune, held_out"),
        (HEADER + "a\ttune\tnone\tx\t \t\n", "line 2: text: empty"),
        (HEADER + "a\ttune\tnone\tx\t4\t\n" * 2, "line 3: id: 'a' stands here twice"),
    ],
)
def test_a_fault_is_said_with_file_and_line(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(UserError) as fault:
        read_sentences(written(tmp_path, content))
    assert said in str(fault.value)
    assert "sentences.tsv" in str(fault.value)


def test_shipped_sentences_are_many_half_of_them_held_out_of_every_label() -> None:
    found = read_sentences(DATA / "sentences.tsv")
    assert len(found) >= 260
    halves = found.groupby(["split", "label"]).size().unstack()
    assert np.abs(halves.loc["tune"] - halves.loc["held_out"]).max() <= 1
    assert (halves >= 15).all(axis=None)
    assert not found["text"].duplicated().any()


def test_shipped_rules_find_most_events_and_call_little_else_one() -> None:
    found = detector(read_sentences(DATA / "sentences.tsv"), read_rules(DATA / "rules.yaml"))
    events = found[found["class"] == "any"]
    assert (events["precision"] >= 0.9).all()
    assert (events["recall"] >= 0.8).all()
