"""Claims on texts before and after: fewer events, right answers kept, loops; early exits."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from backtracking.made import compared, exits, paired
from clampsweep.studies.backtracking.claims import concluded
from clampsweep.studies.backtracking.pair_claims import pair_claims


def rows(table: pd.DataFrame | None, events: pd.DataFrame | None = None) -> dict[str, Any]:
    tested = pair_claims(table, exits() if events is None else events)
    return {row["claim"]: row for row, _ in concluded(tested)}


EVERY = ("any event", "correct", "loop_coverage")


def both(**changes: Any) -> pd.DataFrame:
    return paired(*(compared(one, name, **changes) for one in ("top", "random") for name in EVERY))


def test_fewer_texts_with_an_event_are_supported():
    assert rows(both())["texts go back less often"]["verdict"] == "supported"


def test_no_event_before_is_insufficient_and_no_right_answer_is_vacuous():
    found = rows(both(before=0.0, after=0.0, difference=0.0, low=0.0, high=0.0, p=1.0))
    assert "insufficient events: none in 96 texts" in found["texts go back less often"]["reason"]
    assert found["right answers are kept"]["verdict"] == "vacuous"


def test_lost_answers_contradict_that_they_are_kept():
    found = rows(both(difference=-0.4, low=-0.5, high=-0.3))
    assert found["right answers are kept"]["verdict"] == "contradicted"
    kept = rows(both(difference=0.0, low=-0.05, high=0.05, p=0.001))
    assert kept["right answers are kept"]["verdict"] == "supported"


def test_without_neurons_nothing_can_be_tested():
    found = rows(paired())
    assert {row["verdict"] for row in found.values()} == {"untestable"}


@pytest.mark.parametrize(
    ("right", "verdict"),
    [
        ([], "untestable"),
        ([(None, True)], "untestable"),
        ([(False, False)] * 5, "vacuous"),
        ([(True, False)] * 30 + [(False, True)] * 2, "supported"),
        ([(True, True)] * 6 + [(False, False)] * 6, "inconclusive"),
    ],
)
def test_answers_before_events_are_held_against_final_ones(right, verdict):
    found = rows(None, exits(*right))["answers were right before the event"]
    assert found["verdict"] == verdict
