"""Backtracking events of traces: where the rules see them, and where a template put them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.studies.backtracking import answers
from clampsweep.studies.backtracking.entry import WRITTEN
from clampsweep.studies.backtracking.events import find, sentences
from clampsweep.studies.backtracking.rules import Rules
from clampsweep.studies.backtracking.token_ends import token_at
from clampsweep.tables import Column, Schema

REGEX, TEMPLATE = "regex", "template"
COUNTED = ("strong", "weak")  # classes that are events; uncertainty is only listed

EVENTS = Schema(
    "backtracking events",
    {
        "event_id": Column("str", "name of the event"),
        "trace_id": Column("str", "its trace"),
        "rule_id": Column("str", "rule that saw it; template, where it is known to be there"),
        "class": Column("str", "strong, weak or uncertainty; only the first two are events"),
        "char_start": Column("int", "first character, in the output"),
        "char_end": Column("int", "end, exclusive"),
        "text": Column("str", "the sentence"),
        "tok_sentence": Column("int", "token of the output with which the sentence begins"),
        "tok_onset": Column("int", "token of its first character"),
        "sentence": Column("int", "number of the sentence, from 0"),
        "in_think": Column("bool", "whether it stands before thinking ends"),
        "step_right": Column(
            "bool", "whether the step before was right; null if unknown", null=True
        ),
        "answer_changed": Column(
            "bool", "whether the last answer before it is another than the final one", null=True
        ),
        "label_source": Column("str", "regex or template"),
    },
    key=("event_id", "label_source"),
)


class Spans(NamedTuple):
    """Sentences of a trace's output: first character of each, and token with which it begins."""

    starts: list[int]
    ends: list[int]
    tokens: list[int]


def spans(output: str, ends: Sequence[int]) -> Spans:
    """Sentences of an output.

    Args:
        output: The text.
        ends: Of its tokens.
    """
    found = [one for one in sentences(output) if one.start < (ends[-1] if len(ends) else 0)]
    starts = [one.start for one in found]
    tokens = [first_token(output, ends, at) for at in starts]
    return Spans(starts, [one.end for one in found], tokens)


def first_token(output: str, ends: Sequence[int], char: int) -> int:
    """Token with which a word begins: that of its first character, or spaces of their own before.

    Tokenizers write a space and a word as one token, but a space and a digit as two.

    Args:
        output: The text.
        ends: Of its tokens.
        char: First character of the word.
    """
    token = token_at(ends, char)
    while token > 0:
        before = output[ends[token - 2] if token > 1 else 0 : ends[token - 1]]
        if not before or before.strip(" "):
            break
        token -= 1
    return token


def events(traces: pd.DataFrame, rules: Rules, steps: pd.DataFrame | None) -> pd.DataFrame:
    """The table `EVENTS`.

    Args:
        traces: A `TRACES` table.
        rules: By which they are seen.
        steps: `STEPS` of written traces, which say where an event is for certain; None if none.
    """
    known = {} if steps is None else _marked(steps)
    rows: list[dict[str, Any]] = []
    for trace in traces.to_dict("records"):
        rows += _by_rules(trace, rules)
        if trace["source"] == WRITTEN and trace["trace_id"] in known:
            rows.append(_by_template(trace, known[trace["trace_id"]]))
    frame = pd.DataFrame(rows, columns=list(EVENTS.columns))
    return frame.astype(
        {
            **{name: "int64" for name in EVENTS.columns if EVENTS.columns[name].type == "int"},
            "in_think": "bool",
            "step_right": "boolean",
            "answer_changed": "boolean",
        }
    )


def _marked(steps: pd.DataFrame) -> dict[str, Mapping[Any, Any]]:
    """The step before the marker of each written trace that has one."""
    before = steps[steps["next"] == "marker"]
    return {f"{WRITTEN}/{row['trace_id']}": row for row in before.to_dict("records")}


def _by_rules(trace: Mapping[Any, Any], rules: Rules) -> list[dict[str, Any]]:
    found = find(trace["output"], rules)
    starts = spans(trace["output"], trace["ends"])
    rows = []
    for number, event in enumerate(found):
        row = _row(trace, event.start, event.end, starts)
        rows.append(
            row
            | {
                "event_id": f"{trace['trace_id']}/e{number:02d}",
                "rule_id": event.rule_id,
                "class": event.kind,
                "label_source": REGEX,
            }
        )
    return rows


def _by_template(trace: Mapping[Any, Any], step: Mapping[Any, Any]) -> dict[str, Any]:
    """The event that a template put behind a step."""
    starts = spans(trace["output"], trace["ends"])
    following = [at for at in starts.starts if at >= step["end"]]
    first = following[0]
    end = starts.ends[starts.starts.index(first)]
    return _row(trace, first, end, starts) | {
        "event_id": f"{trace['trace_id']}/template",
        "rule_id": TEMPLATE,
        "class": "strong",
        "step_right": bool(step["right"]),
        "label_source": TEMPLATE,
    }


def _row(trace: Mapping[Any, Any], start: int, end: int, known: Spans) -> dict[str, Any]:
    """What is the same of every event."""
    sentence = max(at for at, first in enumerate(known.starts) if first <= start)
    before = answers.extract(trace["output"][: known.starts[sentence]]).answer
    closed = trace["think_close"]
    onset = first_token(trace["output"], trace["ends"], start)
    return {
        "trace_id": trace["trace_id"],
        "char_start": start,
        "char_end": end,
        "text": trace["output"][known.starts[sentence] : known.ends[sentence]],
        "tok_sentence": known.tokens[sentence],
        "tok_onset": onset,
        "sentence": sentence,
        "in_think": bool(trace["think_open"]) and (pd.isna(closed) or onset < closed),
        "step_right": None,
        "answer_changed": None if before is None else before != trace["answer"],
    }
