"""Samples of each contrast: events, and controls like them (the table `SAMPLES`).

A sample is a place, the beginning of a sentence. Of each event as many controls are taken from its
own trace as from traces without an event, of the same split: those whose token before is the same,
or of the same class, and which stand nearest in their trace, but not within 20 tokens of an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.provenance import json_digest
from clampsweep.studies.backtracking.entry import GRADES, WRITTEN
from clampsweep.studies.backtracking.found_events import COUNTED, REGEX, TEMPLATE, spans
from clampsweep.studies.backtracking.splits import TEST
from clampsweep.tables import Column, Schema

KINDS = PRE, PRED, ONSET, WINDOW = "pre", "pred", "onset", "window"

EVENT, SAME, OTHER = "event", "same_trace", "other_trace"
UNMARKED, SPURIOUS = "hard_unmarked", "hard_spurious"  # an error without marker; a marker without

APART = 20  # tokens that a control keeps from any event
BEFORE, LAST = 12, 8  # `pre` holds the tokens from the first to the second before the sentence
REACH = 50  # characters of `window` on either side of the onset

SAMPLES = Schema(
    "backtracking samples",
    {
        "contrast": Column("str", "which events are held against controls"),
        "sample_id": Column("str", "trace and token of the place"),
        "match_id": Column("str", "event that it is matched with, or is"),
        "trace_id": Column("str", "its trace"),
        "problem_id": Column("str", "the problem of that trace"),
        "split": Column("str", "discover, select or test"),
        "y": Column("int", "1 of an event, 0 of a control"),
        "control_kind": Column(
            "str", "event, same_trace, other_trace, hard_unmarked, hard_spurious"
        ),
        "sentence": Column("int", "position of the sentence's first token, prompt included"),
        "onset": Column("int", "position of the onset, prompt included"),
        "window_start": Column("int", "first position of the window"),
        "window_end": Column("int", "its last position"),
        "cur_token": Column("int", "token id before the onset"),
        "next_token": Column("int", "token id of the onset"),
        "rel_pos": Column("float", "onset as a share of the output, 0..1"),
    },
    key=("contrast", "match_id", "sample_id"),
)


class _Place(NamedTuple):
    """Where a sentence begins in a trace."""

    trace: Mapping[Any, Any]
    sentence: int  # token of the output
    onset: int  # token of the output
    char: int  # of the onset

    @property
    def first(self) -> int:
        return len(self.trace["prompt_ids"])

    @property
    def token(self) -> int:
        """Id of the token before the onset."""
        at = self.onset - 1
        ids = self.trace["output_ids"] if at >= 0 else self.trace["prompt_ids"]
        return int(ids[at])

    @property
    def rel(self) -> float:
        return self.onset / max(1, len(self.trace["output_ids"]))

    @property
    def name(self) -> str:
        return f"{self.trace['trace_id']}:{self.onset}"


def samples(
    traces: pd.DataFrame, events: pd.DataFrame, contrasts: list[str], n: int, seed: int
) -> pd.DataFrame:
    """The table `SAMPLES`.

    Args:
        traces: A `TRACES` table.
        events: Its `EVENTS`.
        contrasts: Names of chains, `given`, and grades of written errors.
        n: Controls of each event.
        seed: Decides between controls that are equally near.
    """
    rows = []
    for contrast in contrasts:
        pool = _Pool(traces, events, contrast)
        taken: set[str] = set()
        for event in pool.events:
            chosen = [(EVENT, event)]
            for kind, candidates in ((SAME, pool.same(event)), (OTHER, pool.other(event))):
                free = [one for one in candidates if one.name not in taken]
                near = sorted(free, key=lambda one: _distance(event, one, seed))[: n // 2]
                taken |= {one.name for one in near}
                chosen += [(kind, one) for one in near]
            chosen += pool.hard(event)
            rows += [_row(contrast, event.name, kind, one) for kind, one in chosen]
    frame = pd.DataFrame(rows, columns=list(SAMPLES.columns))
    return frame.drop_duplicates(list(SAMPLES.key)).reset_index(drop=True)


def _distance(event: _Place, one: _Place, seed: int) -> tuple[Any, ...]:
    """How far a control is from an event: token before, position, and then by lot."""
    same = one.token == event.token
    gap = abs(one.rel - event.rel)
    return not same, gap > 0.1, round(gap, 1), json_digest([seed, event.name, one.name])


class _Pool:
    """Events of a contrast and the places that controls are taken from."""

    def __init__(self, traces: pd.DataFrame, events: pd.DataFrame, contrast: str):
        graded = contrast in GRADES
        source = WRITTEN if graded else contrast
        by_name = {row["trace_id"]: row for row in traces.to_dict("records")}
        own = {name: row for name, row in by_name.items() if row["source"] == source}
        label = TEMPLATE if graded else REGEX
        seen = events[(events["label_source"] == label) & events["class"].isin(COUNTED)]
        seen = seen[seen["trace_id"].isin(list(own))]
        places = [
            _Place(own[row["trace_id"]], row["tok_sentence"], row["tok_onset"], row["char_start"])
            for row in seen.to_dict("records")
            if row["tok_onset"] > 0
        ]
        self._marked: dict[str, list[int]] = {}  # onsets of each trace's events
        for one in places:
            self._marked.setdefault(one.trace["trace_id"], []).append(one.onset)
        self._spurious = [one for one in places if one.trace["kind"] == "spurious"]
        self.events = [one for one in places if not graded or one.trace["grade"] == contrast]
        kept = [row for row in own.values() if not graded or row["grade"] == contrast]
        clean = [row for row in own.values() if row["kind"] == "clean"] if graded else own.values()
        self._places = {row["trace_id"]: list(_places(row)) for row in [*kept, *clean]}
        self._own = own
        self._clean = [row["trace_id"] for row in clean if row["trace_id"] not in self._marked]
        self._graded = graded

    def same(self, event: _Place) -> Iterator[_Place]:
        """Places of the event's own trace; of a written one only those before the event."""
        marks = self._marked[event.trace["trace_id"]]
        for one in self._places[event.trace["trace_id"]]:
            if self._graded and one.onset > event.onset:
                continue
            if one.onset > 0 and all(abs(one.onset - at) > APART for at in marks):
                yield one

    def other(self, event: _Place) -> Iterator[_Place]:
        """Places of traces of the same split without an event."""
        for name in self._clean:
            if self._own[name]["split"] == event.trace["split"]:
                yield from (one for one in self._places[name] if one.onset > 0)

    def hard(self, event: _Place) -> list[tuple[str, _Place]]:
        """Of written traces: the same error without a marker; a marker after a right step.

        They are only held against events of the split test.
        """
        if not self._graded or event.trace["split"] != TEST:
            return []
        problem, found = event.trace["problem_id"], []
        for name, row in self._own.items():
            same = row["problem_id"] == problem and row["grade"] == event.trace["grade"]
            if same and row["kind"] == "error_only":
                at = [one for one in self._places[name] if one.onset == event.onset]
                found += [(UNMARKED, one) for one in at]
        spurious = [one for one in self._spurious if one.trace["problem_id"] == problem]
        return found + [(SPURIOUS, one) for one in spurious]


def _places(trace: Mapping[Any, Any]) -> Iterator[_Place]:
    found = spans(trace["output"], trace["ends"])
    for char, token in zip(found.starts, found.tokens, strict=True):
        yield _Place(trace, token, token, char)


def _row(contrast: str, match_id: str, kind: str, one: _Place) -> dict[str, Any]:
    ends = one.trace["ends"]
    inside = [
        at
        for at, end in enumerate(ends)
        if end > one.char - REACH and (ends[at - 1] if at else 0) < one.char + REACH
    ]
    return {
        "contrast": contrast,
        "sample_id": one.name,
        "match_id": match_id,
        "trace_id": one.trace["trace_id"],
        "problem_id": one.trace["problem_id"],
        "split": one.trace["split"],
        "y": int(kind == EVENT),
        "control_kind": kind,
        "sentence": one.first + one.sentence,
        "onset": one.first + one.onset,
        "window_start": one.first + inside[0],
        "window_end": one.first + inside[-1],
        "cur_token": one.token,
        "next_token": int(one.trace["output_ids"][one.onset]),
        "rel_pos": one.rel,
    }


def positions(sample: Mapping[Any, Any]) -> dict[str, list[int]]:
    """Positions of each kind of a sample, prompt included; their vectors are averaged."""
    first = sample["sentence"]
    return {
        PRE: list(range(max(0, first - BEFORE), max(1, first - LAST + 1))),
        PRED: [sample["onset"] - 1],
        ONSET: [sample["onset"]],
        WINDOW: list(range(sample["window_start"], sample["window_end"] + 1)),
    }
