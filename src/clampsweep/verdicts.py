"""Verdicts as data: what a study concludes of an entry, a row a claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from clampsweep.tables import Column, Schema

VERDICTS = Schema(
    "verdicts",
    {
        "study": Column("str", "the study that concludes it"),
        "claim": Column("str", "what is asked, such as recovery, harm or special"),
        "subject": Column("str", "of what: a target, several, a plane"),
        "by": Column("str", "what it is judged by: a detector, a factor; empty if by nothing else"),
        "estimate": Column(
            "float", "size of the effect, in `unit`; null if there is none", null=True
        ),
        "unit": Column("str", "unit of estimate, low, high and null"),
        "low": Column("float", "95 % interval of the estimate, lower end", null=True),
        "high": Column("float", "95 % interval of the estimate, upper end", null=True),
        "null": Column("float", "what the estimate would be if the claim were empty", null=True),
        "n": Column("int", "how many cases the estimate rests on, as `why` says", null=True),
        "p": Column("float", "p value of the estimate against null", null=True),
        "q": Column("float", "p value corrected for all that was tried", null=True),
        "verdict": Column(
            "str", "the conclusion in a few words; no effect and no answer among them"
        ),
        "why": Column("str", "what the conclusion rests on, a sentence"),
    },
    key=("study", "claim", "subject", "by"),
)


def frame(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A `VERDICTS` table of rows; numbers that a row does not give are null."""
    kinds = {"int": "Int64", "float": "float64"}
    numbers = {
        name: kinds[column.type]
        for name, column in VERDICTS.columns.items()
        if column.type in kinds
    }
    return pd.DataFrame(list(rows), columns=list(VERDICTS.columns)).astype(numbers)
