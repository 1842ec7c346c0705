"""Shares of traces: by hand, by level and type, with intervals."""

from __future__ import annotations

import pandas as pd
import pytest

from clampsweep.statistics import wilson
from clampsweep.studies.backtracking.rates import rates

TRACES = pd.DataFrame(
    {
        "trace_id": list("abcd"),
        "source": ["plain"] * 4,
        "type": ["sums", "sums", "words", ""],
        "level": pd.array([1, 2, 2, None], dtype="Int64"),
        "correct": pd.array([True, False, None, True], dtype="boolean"),
        "think_open": [True, True, True, False],
        "think_close": pd.array([5, None, 7, None], dtype="Int64"),
        "stop_reason": ["eos", "max_new_tokens", "eos", None],
    }
)


def event(trace: str, kind: str, source: str = "regex") -> dict[str, str]:
    return {"trace_id": trace, "class": kind, "label_source": source}


EVENTS = pd.DataFrame(
    [
        event("a", "strong"),
        event("a", "weak"),
        event("b", "uncertainty"),
        event("c", "strong", "template"),
    ]
)


def found(by: str, group: str) -> dict[str, tuple[int, int]]:
    table = rates(TRACES, EVENTS)
    own = table[(table["by"] == by) & (table["group"] == group)]
    return {row["measure"]: (row["k"], row["n"]) for row in own.to_dict("records")}


def test_what_is_not_known_does_not_count():
    assert found("all", "all") == {
        "correct": (2, 3),
        "thinking closed": (2, 3),
        "out of tokens": (1, 3),
        "backtracking": (1, 4),
        "correct if backtracking": (1, 1),
    }


def test_levels_and_types_are_apart_and_those_without_are_left_out():
    assert found("level", "2")["correct"] == (0, 1)
    assert found("type", "sums")["backtracking"] == (1, 2)
    assert not found("type", "")
    assert not found("level", "<NA>")


def test_intervals_are_wilsons():
    table = rates(TRACES, EVENTS)
    row = table[(table["by"] == "all") & (table["measure"] == "correct")].iloc[0]
    assert (row["low"], row["high"]) == pytest.approx(tuple(wilson(2, 3)))
    assert row["share"] == pytest.approx(2 / 3)
