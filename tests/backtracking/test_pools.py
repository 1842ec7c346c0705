"""Where controls are taken from: how near, and what is left to other events."""

from __future__ import annotations

import pandas as pd

from backtracking.lined import trace, traces
from clampsweep.studies.backtracking.found_events import events
from clampsweep.studies.backtracking.pools import APART, NEAR, OTHER, SAME, Chains, Graded
from clampsweep.studies.backtracking.rules import read_rules

RULES = read_rules("workflow/data/backtracking/rules.yaml")
PLAIN = "So it goes on and on here."
WAIT = "Wait, that is not right."


def chain(name: str, at: int | None, n: int = 60, **changes: object) -> dict[str, object]:
    said = [PLAIN] * n
    if at is not None:
        said[at] = WAIT
    return trace(name, " ".join(said), **changes)


def pool(*rows: dict[str, object]) -> Chains:
    table = traces(*rows)
    return Chains(table, events(table, RULES, None), "plain")


def test_controls_keep_away_from_events_and_near_in_the_trace():
    own = pool(chain("p/0", 30))
    (event,) = own.events
    found = list(own.like(event, SAME))
    assert found
    for one in found:
        assert abs(one.onset - event.onset) > APART
        assert abs(one.rel - event.rel) <= NEAR


def test_other_traces_are_of_the_same_split_and_have_no_event():
    rows = [chain("p/0", 30), chain("q/0", None), chain("r/0", 5),
            chain("s/0", None, split="test")]  # fmt: skip
    own = pool(*rows)
    names = {one.trace["trace_id"] for one in own.like(own.events[0], OTHER)}
    assert names == {"q/0"}


def written(kind: str, problem: str, grade: str | None = None) -> dict[str, object]:
    said = {"clean": [PLAIN] * 4, "error_only": [PLAIN] * 4}.get(kind, [PLAIN, PLAIN, WAIT, PLAIN])
    name = f"written/{problem}-{kind}-{grade}"
    return trace(
        name, " ".join(said), "written", problem_id=problem, kind=kind, grade=grade, split="test"
    )


def graded(contrast: str) -> Graded:
    rows = []
    for problem in ("p", "q", "r"):
        rows += [written("clean", problem), written("spurious", problem)]
        if problem != "r":
            rows += [written(kind, problem, "gross") for kind in ("error_backtrack", "error_only")]
    table = traces(*rows)
    steps = pd.DataFrame(
        [
            {"trace_id": row["trace_id"].removeprefix("written/"), "step": 1,
             "start": len(PLAIN) + 1, "end": 2 * len(PLAIN) + 1, "right": False, "next": "marker"}
            for row in rows
            if row["kind"] in ("error_backtrack", "spurious")
        ]
    )  # fmt: skip
    return Graded(table, events(table, RULES, steps), contrast)


def test_a_written_event_is_held_against_the_same_sentence_without_an_error():
    own = graded("gross")
    assert len(own.events) == 2
    event = next(one for one in own.events if one.trace["problem_id"] == "p")
    found = list(own.like(event, OTHER))
    # Its own problem, and one that no event has; q's place is left to q's event.
    assert {one.trace["problem_id"] for one in found} == {"p", "r"}
    assert {one.number for one in found} == {event.number}
    assert {one.trace["kind"] for one in found} == {"clean"}


def test_hard_controls_are_the_same_place_of_the_same_problem():
    own = graded("gross")
    event = next(one for one in own.events if one.trace["problem_id"] == "p")
    found = own.hard(event)
    assert [kind for kind, _ in found] == ["hard_unmarked", "hard_spurious"]
    for _, one in found:
        assert (one.trace["problem_id"], one.onset) == ("p", event.onset)


def test_a_grade_that_nobody_wrote_has_no_event():
    assert not graded("verbal").events
