"""Traces of plain words, a token a word, for tests of what looks at places in them."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from clampsweep.studies.backtracking.traces import TRACES

PROMPT = 3  # tokens of each prompt


def trace(name: str, output: str, source: str = "plain", **changes: Any) -> dict[str, Any]:
    """A row of `TRACES`: each word, with the space before it, is a token of its own."""
    ends = [found.end() for found in re.finditer(r"\s*\S+", output)]
    words = output.split()
    row = dict.fromkeys(TRACES.columns) | {
        "trace_id": name,
        "source": source,
        "problem_id": name.split("/")[0],
        "family": "",
        "type": "",
        "split": "discover",
        "question": "?",
        "prompt_ids": list(range(PROMPT)),
        "output_ids": [10 + len(word) for word in words],
        "ends": ends,
        "output": output,
        "think_open": False,
        "answer_method": "none",
    }
    return {**row, **changes}


def traces(*rows: dict[str, Any]) -> pd.DataFrame:
    """`TRACES` of some rows."""
    frame = pd.DataFrame(list(rows), columns=list(TRACES.columns))
    kinds = {"level": "Int64", "seed": "Int64", "think_close": "Int64", "correct": "boolean"}
    return frame.astype(kinds)
