"""Samples of each contrast: events, and controls like them (the table `SAMPLES`).

A sample is a place: the beginning of a sentence; of an event inside one, a place inside a sentence
behind the same token. Of each event as many controls are taken from its own trace as from traces
without an event, of the same split: those whose token before is the same first, then the nearest;
never within 20 tokens of an event, nor farther than a tenth of the trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from clampsweep.provenance import json_digest
from clampsweep.studies.backtracking.entry import GRADES
from clampsweep.studies.backtracking.pools import EVENT, OTHER, SAME, Chains, Graded, Place
from clampsweep.studies.backtracking.position_kinds import REACH
from clampsweep.tables import Column, Schema

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
        "offset": Column("int", "tokens of the output before the onset"),
        "rel_pos": Column("float", "onset as a share of the output, 0..1"),
    },
    key=("contrast", "match_id", "sample_id"),
)


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
        pool = (Graded if contrast in GRADES else Chains)(traces, events, contrast)
        taken: set[str] = set()
        for event in pool.events:
            chosen = [(EVENT, event)]
            for kind, most in pool.shares(n):
                free = [one for one in pool.like(event, kind) if one.name not in taken]
                near = sorted(free, key=lambda one: _distance(event, one, seed))[:most]
                taken |= {one.name for one in near}
                chosen += [(kind, one) for one in near]
            if len(chosen) > 1:  # else nothing is like it
                rows += [_row(contrast, event, kind, one) for kind, one in chosen]
                rows += [_row(contrast, event, kind, one) for kind, one in pool.hard(event)]
    frame = pd.DataFrame(rows, columns=list(SAMPLES.columns))
    return frame.drop_duplicates(list(SAMPLES.key)).reset_index(drop=True)


def _distance(event: Place, one: Place, seed: int) -> tuple[Any, ...]:
    """How far a control is from an event: problem, token before, position, and then by lot."""
    return (
        one.trace["problem_id"] != event.trace["problem_id"],
        one.token != event.token,
        abs(one.onset - event.onset),
        json_digest([seed, event.name, one.name]),
    )


def _row(contrast: str, event: Place, kind: str, one: Place) -> dict[str, Any]:
    ends = one.trace["ends"]
    inside = [
        at
        for at, end in enumerate(ends)
        if end > one.char - REACH and (ends[at - 1] if at else 0) < one.char + REACH
    ]
    return {
        "contrast": contrast,
        "sample_id": one.name,
        "match_id": event.name,
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
        "offset": one.onset,
        "rel_pos": one.rel,
    }


def matched(samples: pd.DataFrame) -> pd.Series:
    """Whether each is an event or a control that is matched with one, and no hard control."""
    return samples["control_kind"].isin([EVENT, SAME, OTHER])


def main(samples: pd.DataFrame) -> pd.DataFrame:
    """Events and the controls that are matched with them; hard controls are left out."""
    return samples[matched(samples)].reset_index(drop=True)


def enough(samples: pd.DataFrame, splits: Sequence[str], events: int, problems: int) -> str:
    """Why there are too few events for a ranking; empty if there are enough.

    Args:
        samples: Rows of `SAMPLES` of a contrast.
        splits: Splits that each need so many.
        events: How many each needs.
        problems: From how many problems.
    """
    for split in splits:
        own = samples[(samples["split"] == split) & (samples["y"] == 1)]
        n, from_problems = len(own), own["problem_id"].nunique()
        if n < events or from_problems < problems:
            return (
                f"insufficient events: {n} from {from_problems} problems in the split {split}, "
                f"{events} from {problems} are needed"
            )
    return ""
