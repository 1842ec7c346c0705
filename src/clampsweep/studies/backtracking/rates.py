"""The analysis of traces: how many are right, think to the end, run out of tokens, go back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from clampsweep.statistics import wilson
from clampsweep.studies.backtracking.found_events import COUNTED, REGEX
from clampsweep.tables import Column, Schema

ALL = "all"
MEASURES = (
    "correct",
    "thinking closed",
    "out of tokens",
    "backtracking",
    "correct if backtracking",
)

RATES = Schema(
    "backtracking rates",
    {
        "source": Column("str", "chain, written or given"),
        "by": Column("str", "all, level or type"),
        "group": Column("str", "the level or type; all"),
        "measure": Column("str", ", ".join(MEASURES)),
        "k": Column("int", "traces of which it holds"),
        "n": Column("int", "traces of which it is known"),
        "share": Column("float", "k / n", null=True),
        "low": Column("float", "Wilson interval, 95 %, lower end", null=True),
        "high": Column("float", "upper end", null=True),
    },
    key=("source", "by", "group", "measure"),
)


def with_events(traces: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Traces with `n_events`: how many events of the counted classes the rules see in each."""
    seen = events[(events["label_source"] == REGEX) & events["class"].isin(COUNTED)]
    n = seen.groupby("trace_id").size()
    return traces.assign(n_events=traces["trace_id"].map(n).fillna(0).astype(int))


def rates(traces: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """The table `RATES`, of every source, level and type.

    Args:
        traces: A `TRACES` table.
        events: Its `EVENTS`.
    """
    every = with_events(traces, events)
    rows: list[dict[str, Any]] = []
    for source, own in every.groupby("source", sort=False):
        for by in (ALL, "level", "type"):
            groups = [(ALL, own)] if by == ALL else own.groupby(by)
            for name, group in groups:
                if by == ALL or str(name):
                    rows += _rows(str(source), by, str(name), group)
    return pd.DataFrame(rows, columns=list(RATES.columns))


def _rows(source: str, by: str, name: str, traces: pd.DataFrame) -> Iterator[dict[str, Any]]:
    back = traces["n_events"] > 0
    thinking = traces[traces["think_open"]]
    known = traces[traces["stop_reason"].notna()]
    held = {
        "correct": traces["correct"],
        "thinking closed": thinking["think_close"].notna(),
        "out of tokens": known["stop_reason"].isin(["max_new_tokens", "context"]),
        "backtracking": back,
        "correct if backtracking": traces[back]["correct"],
    }
    for measure, values in held.items():
        values = values.dropna().astype(bool)
        k, n = int(values.sum()), len(values)
        interval = wilson(k, n) if n else None
        yield {
            "source": source,
            "by": by,
            "group": name,
            "measure": measure,
            "k": k,
            "n": n,
            "share": k / n if n else None,
            "low": interval.low if interval else None,
            "high": interval.high if interval else None,
        }
