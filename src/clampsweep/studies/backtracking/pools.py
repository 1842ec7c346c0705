"""Where events and their controls are taken from, in chains and in written traces."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clampsweep.studies.backtracking.entry import GRADES, WRITTEN
from clampsweep.studies.backtracking.found_events import COUNTED, REGEX, TEMPLATE, spans
from clampsweep.studies.backtracking.splits import TEST

EVENT, SAME, OTHER = "event", "same_trace", "other_trace"
UNMARKED, SPURIOUS = "hard_unmarked", "hard_spurious"  # an error without marker; a marker without

APART = 20  # tokens that a control keeps from any event
NEAR = 0.1  # of a trace's length: how far a control's place in it may be from the event's


class Place(NamedTuple):
    """Where a sentence, or the onset of an event in it, begins in a trace.

    Attributes:
        trace: Row of `TRACES`.
        sentence: Token of the output with which the sentence begins.
        onset: Token of the output with which the event begins.
        char: Character of the output with which it begins.
        number: Number of the sentence, from 0.
    """

    trace: Mapping[Any, Any]
    sentence: int
    onset: int
    char: int
    number: int

    @property
    def first(self) -> int:
        """Tokens of the prompt."""
        return len(self.trace["prompt_ids"])

    @property
    def token(self) -> int:
        """Id of the token before the onset."""
        at = self.onset - 1
        ids = self.trace["output_ids"] if at >= 0 else self.trace["prompt_ids"]
        return int(ids[at])

    @property
    def rel(self) -> float:
        """Onset as a share of the output, 0..1."""
        return self.onset / max(1, len(self.trace["output_ids"]))

    @property
    def name(self) -> str:
        """Trace and token."""
        return f"{self.trace['trace_id']}:{self.onset}"


class _Pool:
    """Events of a contrast and the places that controls are taken from."""

    label = REGEX

    def __init__(self, traces: pd.DataFrame, events: pd.DataFrame, contrast: str):
        source = WRITTEN if contrast in GRADES else contrast
        own = traces[traces["source"] == source].to_dict("records")
        self.own = {row["trace_id"]: row for row in own}
        seen = events[(events["label_source"] == self.label) & events["class"].isin(COUNTED)]
        self._known: dict[str, list[Place]] = {}  # beginnings of sentences of each trace
        self.marked: dict[str, list[Place]] = {}  # events of each trace
        for row in seen[seen["trace_id"].isin(list(self.own))].to_dict("records"):
            trace = self.own[row["trace_id"]]
            place = Place(
                trace, row["tok_sentence"], row["tok_onset"], row["char_start"], row["sentence"]
            )
            self.marked.setdefault(row["trace_id"], []).append(place)
        every = (one for places in self.marked.values() for one in places)
        self.events = [one for one in every if one.onset > 0]  # the first has no token before it

    def free(self, names: Iterable[str], event: Place) -> Iterator[Place]:
        """Places of traces of the contrast, away from any event.

        Beginnings of sentences; for an event that stands inside one, places inside sentences.
        """
        for name in names:
            marks = [one.onset for one in self.marked.get(name, [])]
            places = self._places(name)
            if event.onset != event.sentence:
                places = _inside(self.own[name], places, event.token)
            for one in places:
                if one.onset > 0 and all(abs(one.onset - at) > APART for at in marks):
                    yield one

    def _places(self, name: str) -> list[Place]:
        if name not in self._known:
            self._known[name] = list(_places(self.own[name]))
        return self._known[name]

    def hard(self, event: Place) -> list[tuple[str, Place]]:
        """Hard controls of an event; there are none but of written traces."""
        return []


class Chains(_Pool):
    """Events that the rules see in the model's own chains, or in given traces."""

    def shares(self, n: int) -> list[tuple[str, int]]:
        """Of how many controls of each kind."""
        return [(SAME, n // 2), (OTHER, n - n // 2)]

    def like(self, event: Place, kind: str) -> Iterator[Place]:
        """Places of its own trace, or of traces of its split without an event, near its own."""
        name, split = event.trace["trace_id"], event.trace["split"]
        others = [
            other
            for other, row in self.own.items()
            if other not in self.marked and row["split"] == split
        ]
        for one in self.free([name] if kind == SAME else others, event):
            if abs(one.rel - event.rel) <= NEAR:
                yield one


class Graded(_Pool):
    """Events that templates put behind errors of a grade.

    Controls are places of the same number of sentences in traces without an error, that of the same
    problem first: it differs in digits alone. Earlier places of the event's own trace are none,
    because they all stand earlier, and position would tell.
    """

    label = TEMPLATE

    def __init__(self, traces: pd.DataFrame, events: pd.DataFrame, contrast: str):
        super().__init__(traces, events, contrast)
        every = self.events
        self.events = [one for one in every if one.trace["grade"] == contrast]
        self._spurious = [one for one in every if one.trace["kind"] == "spurious"]
        self._clean = [name for name, row in self.own.items() if row["kind"] == "clean"]
        self._asked = {(one.trace["problem_id"], one.number) for one in self.events}

    def shares(self, n: int) -> list[tuple[str, int]]:
        """Of how many controls of each kind."""
        return [(OTHER, n)]

    def like(self, event: Place, kind: str) -> Iterator[Place]:
        """Places behind right steps; those of another event's problem are left to that event."""
        problem, split = event.trace["problem_id"], event.trace["split"]
        for one in self.free(self._clean, event):
            own = one.trace["problem_id"]
            if one.number != event.number or one.trace["split"] != split:
                continue
            if own == problem or (own, one.number) not in self._asked:
                yield one

    def hard(self, event: Place) -> list[tuple[str, Place]]:
        """The same error without a marker; a marker after a right step.

        They are only held against events of the split test.
        """
        if event.trace["split"] != TEST:
            return []
        problem, grade = event.trace["problem_id"], event.trace["grade"]
        found = []
        for name, row in self.own.items():
            wrong = row["kind"] == "error_only" and row["grade"] == grade
            if wrong and row["problem_id"] == problem:
                at = [one for one in self._places(name) if one.onset == event.onset]
                found += [(UNMARKED, one) for one in at]
        spurious = [one for one in self._spurious if one.trace["problem_id"] == problem]
        return found + [(SPURIOUS, one) for one in spurious]


def _places(trace: Mapping[Any, Any]) -> Iterator[Place]:
    found = spans(trace["output"], trace["ends"])
    for number, (char, token) in enumerate(zip(found.starts, found.tokens, strict=True)):
        yield Place(trace, token, token, char, number)


def _inside(trace: Mapping[Any, Any], starts: Sequence[Place], token: int) -> list[Place]:
    """Places inside the sentences of a trace, behind a token."""
    ids, first = np.asarray(trace["output_ids"]), [one.onset for one in starts]
    found = []
    for at in (np.flatnonzero(ids[:-1] == token) + 1).tolist():
        number = bisect_right(first, at) - 1
        if number >= 0 and first[number] != at:
            own = starts[number]
            found.append(own._replace(onset=at, char=int(trace["ends"][at - 1])))
    return found
