"""Answers where thinking is ended before an event: what the model is given, and what is read."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from backtracking.lined import traces
from clampsweep.studies.backtracking import early_exit
from clampsweep.studies.backtracking.early_exit import TOKENS, exits, own_events
from clampsweep.studies.backtracking.found_events import EVENTS, REGEX, TEMPLATE
from clampsweep.studies.backtracking.tables import EXITS
from tiny import EOS, N_CTX

ENDING = "\n\nThe final answer is \\boxed{"


def _trace(tokenizer, name="p/0", source="chain", **changes):
    """A trace of a few letters, a token each."""
    output = "it is so. no it is not."
    ids = tokenizer(output).input_ids
    row = {
        "trace_id": name, "source": source, "problem_id": name.split("/")[0], "gold": "7",
        "correct": True, "prompt_ids": tokenizer("add").input_ids, "output_ids": ids,
        "output": output, "ends": list(range(1, len(ids) + 1)),
    }  # fmt: skip
    return row | changes


def _event(name="p/0", number=0, **changes):
    row = dict.fromkeys(EVENTS.columns) | {
        "event_id": f"{name}/e{number:02d}", "trace_id": name, "class": "strong",
        "tok_sentence": 4, "tok_onset": 5, "in_think": False, "label_source": REGEX,
    }  # fmt: skip
    return row | changes


def _events(*rows):
    return pd.DataFrame(list(rows), columns=list(EVENTS.columns))


# ---- which events


def test_events_are_of_own_and_given_traces_with_a_known_answer(llama):
    tokenizer = llama.tokenizer
    table = traces(
        *(_trace(tokenizer, f"{at}/0", source, gold=gold)
          for at, (source, gold) in enumerate(
              [("chain", "7"), ("chain", None), ("written", "7"), ("given", "1/2")]))
    )  # fmt: skip
    rows = [_event(f"{at}/0") for at in range(4)]
    rows += [
        _event("0/0", 1, **{"class": "uncertainty"}),
        _event("0/0", 2, **{"class": "weak"}),
        _event("3/0", 3, label_source=TEMPLATE),
    ]
    found = own_events(_events(*rows), table)
    assert found["event_id"].tolist() == ["0/0/e00", "3/0/e00", "0/0/e02"]


# ---- what the model goes on with


@pytest.mark.parametrize("in_think", [False, True])
def test_texts_are_what_hugging_face_generates_behind_the_end_of_thinking(
    llama, hugging_face, in_think
):
    tokenizer = llama.tokenizer
    rows = [_trace(tokenizer), _trace(tokenizer, "q/0", output_ids=tokenizer("no.").input_ids)]
    events = _events(
        _event(in_think=in_think, tok_sentence=2), _event("q/0", in_think=in_think, tok_sentence=0)
    )
    found = exits(lambda: llama, traces(*rows), events)
    for row, trace, n in zip(found.to_dict("records"), rows, (2, 0), strict=True):
        ending = tokenizer(("</think>" if in_think else "") + ENDING).input_ids
        ids = [*trace["prompt_ids"], *trace["output_ids"][:n], *ending]
        ids = ids[max(0, len(ids) - (N_CTX - TOKENS)) :]
        out = hugging_face(llama).generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False, max_new_tokens=TOKENS, eos_token_id=EOS, pad_token_id=0,
        )[0, len(ids) :].tolist()  # fmt: skip
        said = out[: out.index(EOS)] if EOS in out else out
        assert row["text"] == tokenizer.decode(said, skip_special_tokens=True)
    assert found["event_id"].tolist() == ["p/0/e00", "q/0/e00"]


def test_a_trace_that_is_longer_than_the_context_loses_its_beginning(llama, monkeypatch):
    given = _prompts(llama, monkeypatch, ["7}"])
    long = list(range(2, 202))
    exits(lambda: llama, traces(_trace(llama.tokenizer, output_ids=long)),
          _events(_event(tok_sentence=150)))  # fmt: skip
    ending = llama.tokenizer(ENDING).input_ids
    assert len(given[0]) == N_CTX - TOKENS
    kept = N_CTX - TOKENS - len(ending)
    assert given[0] == [*long[150 - kept : 150], *ending]


# ---- what is read of it


def _prompts(model, monkeypatch, said):
    """Let the decoder say some texts; the prompts that it is given."""
    given = []

    def decode(model, prompts, edits, scope, decoding):
        assert (decoding.method, decoding.max_new_tokens) == ("greedy", TOKENS)
        assert all(not one for one in edits)
        given.extend(prompts)
        return [SimpleNamespace(token_ids=model.tokenizer(text).input_ids) for text in said]

    monkeypatch.setattr(early_exit, "decode", decode)
    return given


@pytest.mark.parametrize(
    ("said", "gold", "answer", "correct"),
    [
        ("7}.", "7", "7", True),
        ("7}", "8", "7", False),
        ("\\frac{1}{2}}", "0.5", "\\frac{1}{2}", True),
        ("7}. wait \\boxed{8}", "7", "7", True),  # the box that was begun, not a later one
        ("7}</think>\\boxed{8}", "7", "7", True),
        ("seven and so on", "7", None, False),
        ("\\frac{1}{2", "0.5", None, False),
    ],
)
def test_the_answer_is_what_stands_in_the_box_that_was_begun(
    llama, monkeypatch, said, gold, answer, correct
):
    _prompts(llama, monkeypatch, [said])
    table = traces(_trace(llama.tokenizer, gold=gold))
    row = exits(lambda: llama, table, _events(_event())).iloc[0]
    assert row["answer"] == answer or (answer is None and pd.isna(row["answer"]))
    assert row["correct"] == correct and row["text"] == said
    assert (row["source"], row["problem_id"], row["final_correct"]) == ("chain", "p", True)


def test_without_events_no_model_is_loaded(llama):
    def never():
        raise AssertionError("loaded")

    found = exits(never, traces(_trace(llama.tokenizer)), _events())
    assert found.empty and list(found.columns) == list(EXITS.columns)
    assert found.dtypes[["correct", "final_correct"]].astype(str).tolist() == ["boolean"] * 2
