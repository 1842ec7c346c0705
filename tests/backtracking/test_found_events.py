"""Events of traces: where they stand in tokens, and where templates put them."""

from __future__ import annotations

import pandas as pd
import pytest

from backtracking.lined import trace, traces
from clampsweep.studies.backtracking.found_events import events, first_token, spans
from clampsweep.studies.backtracking.rules import read_rules

RULES = read_rules("workflow/data/backtracking/rules.yaml")
OUTPUT = "It is three and so on. Wait, that is not right. It is four."


def test_an_event_stands_at_the_token_of_its_first_word():
    (row,) = events(traces(trace("p/0", OUTPUT)), RULES, None).to_dict("records")
    assert (row["tok_sentence"], row["tok_onset"], row["sentence"]) == (6, 6, 1)
    assert row["text"] == "Wait, that is not right."
    assert row["class"] == "strong"
    assert row["label_source"] == "regex"
    assert pd.isna(row["step_right"])


def test_an_event_after_thinking_is_not_in_it():
    closed = trace("p/0", OUTPUT, think_open=True, think_close=4)
    within = trace("p/1", OUTPUT, think_open=True, think_close=12)
    never = trace("p/2", OUTPUT, think_open=True)
    found = events(traces(closed, within, never), RULES, None)
    assert found["in_think"].tolist() == [False, True, True]


def test_an_answer_that_is_taken_back_is_a_changed_one():
    back = "It is \\boxed{3}. Wait, that is not right. It is \\boxed{4}."
    same = "It is \\boxed{4}. Wait, that is not right. It is \\boxed{4}."
    none = "So it goes. Wait, that is not right. It is \\boxed{4}."
    rows = [trace(f"p/{at}", text, answer="4") for at, text in enumerate((back, same, none))]
    changed = events(traces(*rows), RULES, None)["answer_changed"]
    assert changed.tolist()[:2] == [True, False]
    assert pd.isna(changed[2])


def test_a_template_says_where_its_event_is_and_whether_the_step_was_right():
    step = "Two and two is five, as the story says it to us here."
    output = f"{step} Let me see it again now. Two and two is four."
    steps = pd.DataFrame(
        [
            {"trace_id": "a", "step": 0, "start": 0, "end": len(step), "right": False,
             "next": "marker"},
            {"trace_id": "a", "step": 1, "start": 0, "end": 9, "right": True, "next": "answer"},
        ]
    )  # fmt: skip
    found = events(traces(trace("written/a", output, "written")), RULES, steps)
    (row,) = found[found["label_source"] == "template"].to_dict("records")
    assert row["text"] == "Let me see it again now."
    assert row["tok_onset"] == len(step.split())
    assert not row["step_right"]


def test_sentences_begin_at_tokens_and_those_that_no_token_holds_are_left_out():
    row = trace("p/0", OUTPUT)
    found = spans(OUTPUT, row["ends"])
    assert found.tokens == [0, 6, 11]
    assert spans(OUTPUT, row["ends"][:6]).tokens == [0]
    assert spans("", []).tokens == []


@pytest.mark.parametrize(
    ("pieces", "token"),
    [
        (["So.", " ", "4", " is"], 1),  # a space of its own belongs to the digit
        (["So.", " Four", " is"], 1),
        (["So.", "\n\n", "4", " is"], 2),  # a line end does not
        (["So.", " ", " ", "4"], 1),
    ],
)
def test_spaces_of_their_own_belong_to_the_word_behind_them(pieces, token):
    output = "".join(pieces)
    ends = [len("".join(pieces[: at + 1])) for at in range(len(pieces))]
    start = next(at for at in range(3, len(output)) if output[at].strip())
    assert first_token(output, ends, start) == token


def test_no_trace_has_no_event():
    assert events(traces(), RULES, None).empty
