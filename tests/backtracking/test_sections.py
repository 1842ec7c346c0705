"""The summary: its tables say what the numbers are, and what is not known."""

from __future__ import annotations

import pandas as pd

from backtracking.lined import trace, traces
from backtracking.made import area, compared, contrast, effect, exits, paired
from clampsweep.studies.backtracking import report
from clampsweep.studies.backtracking.claims import judge
from clampsweep.studies.backtracking.detector import DETECTOR
from clampsweep.studies.backtracking.found_events import events
from clampsweep.studies.backtracking.rates import rates
from clampsweep.studies.backtracking.rules import read_rules
from clampsweep.studies.backtracking.sections import (
    confirmed_table,
    detector_table,
    effects_table,
    event_list,
    heldout_table,
    pairs_table,
    rates_table,
)

RULES = read_rules("workflow/data/backtracking/rules.yaml")
TRACES = traces(
    trace("p/0", "It is 3. Wait, that | is not <b>right</b>. It is 4.", correct=False),
    trace("p/1", "It is 4 and so on.", correct=True),
)
EVENTS = events(TRACES, RULES, None)
NEURONS = pd.DataFrame(
    {
        "position_kind": ["pred", "pred"],
        "layer": [3, 4],
        "neuron": [7, 8],
        "rank": [1, 2],
        "g": [2.0, 0.1],
        "g_low": [1.5, -0.2],
        "g_high": [2.5, 0.4],
        "auc": [0.95, 0.5],
        "auc_select": [0.9, 0.5],
        "auc_test": [0.91, 0.5],
        "q": [0.001, 0.9],
        "p_max": [0.005, 1.0],
    }
)


def test_shares_stand_with_their_counts_and_unknown_ones_are_left_out():
    text = rates_table(rates(TRACES, EVENTS))
    assert "1 of 2" in text
    assert "thinking closed" not in text  # nobody thinks here


def test_texts_of_events_cannot_break_the_table_or_the_page():
    text = event_list(EVENTS, TRACES)
    (row,) = [line for line in text.splitlines() if "p/0" in line]
    assert row.count(" | ") == 4
    assert "<b>" not in text
    assert event_list(EVENTS[:0], TRACES) == "The model's own traces have no event."


def test_areas_stand_by_position_kind():
    table = contrast(heldout=[area("top neurons", "pre", 20), area("position")]).heldout
    lines = heldout_table(table).splitlines()
    assert any("top neurons (20)" in line and "0.90 [0.80, 0.95]" in line for line in lines)
    assert len([line for line in lines if "position" in line]) == 1


def test_confirmed_neurons_are_named_and_their_lack_is_said():
    text = confirmed_table(NEURONS)
    assert "`L3N7`" in text
    assert "L4N8" not in text
    assert "none" in text


def test_effects_stand_beside_random_sets_and_harm():
    text = effects_table("gross", contrast(effects=[effect("zero")]))
    assert "-0.400" in text
    assert "[-0.050, +0.050]" in text
    assert "0.03" in text
    none = effects_table("plain", contrast("insufficient events: none"))
    assert "insufficient events" in none


def test_pairs_stand_before_and_after():
    text = pairs_table(paired(compared("top", "any event")))
    assert "0.5" in text
    assert "[-0.4, -0.2]" in text
    assert "No neurons were named" in pairs_table(paired())


def test_detectors_stand_with_intervals():
    row = {name: 0.5 for name, column in DETECTOR.columns.items() if column.type == "float"}
    row |= {name: 7 for name, column in DETECTOR.columns.items() if column.type == "int"}
    row |= {name: "any" for name, column in DETECTOR.columns.items() if column.type == "str"}
    assert "50% [50%, 50%]" in detector_table(pd.DataFrame([row]))


def test_the_summary_answers_first_and_says_where_there_are_too_few_events():
    contrasts = {
        "gross": contrast(heldout=[area("top neurons", "pred", 20)], effects=[effect("zero")]),
        "plain": contrast("insufficient events: 1 from 1 problems"),
    }
    concluded = judge(contrasts, paired(), exits())
    parts = {
        "rates": rates(TRACES, EVENTS),
        "detector": pd.DataFrame(columns=list(DETECTOR.columns)),
        "events": EVENTS,
        "traces": TRACES,
        "paired": paired(),
    }
    files = {"summary.md": "this"}
    text = report.summary(concluded, parts, contrasts, {"gross": NEURONS}, "tiny | model", files)
    head = text.index("**gross**"), text.index("**plain**"), text.index("## Verdicts")
    assert head == tuple(sorted(head))
    verdicts = text.split("## Verdicts")[1].split("## Traces")[0]
    assert verdicts.count("| plain |") == 0
    few = concluded.verdicts["reason"] == "insufficient events: 1 from 1 problems"
    assert f"Untestable for want of events: {few.sum()} claims on plain." in verdicts
    assert "insufficient events: 1 from 1 problems" in text.split("## Controls of the verdicts")[1]
    assert "`summary.md`: this" in text
