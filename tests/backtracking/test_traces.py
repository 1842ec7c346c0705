"""Traces of all sources: their tokens, answers, thinking and splits."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from clampsweep.models.model import Model
from clampsweep.studies.backtracking.traces import (
    Encoding,
    Raw,
    of_chain,
    of_written,
    traces,
)
from clampsweep.texts.request import PromptFormat

RAW = Raw("t", "given", "p", "", "", None, "test", "q", "the", "", None)


def found(model: Model, **changes: Any) -> dict[str, Any]:
    encoding = Encoding(model.tokenizer, model.prepend_bos, "tiny")
    (row,) = traces([RAW._replace(**changes)], encoding, {}).to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_tokens_are_those_that_were_sampled_even_where_the_text_has_others(gpt2):
    # One token a letter: no encoding of the whole word gives these.
    pieces = [gpt2.encode(letter) for letter in "door"]
    ids = [one for piece in pieces for one in piece]
    output = gpt2.decode(ids, gpt2.encode("the"))
    row = found(gpt2, output=output, output_ids=ids)
    assert row["output_ids"] == ids
    assert row["ends"][-1] == len(output)


def test_a_prompt_is_encoded_as_generation_encodes_it(gpt2, llama):
    for model in (gpt2, llama):
        row = found(model, prompt="the door", output=" is open.")
        assert row["prompt_ids"] == model.encode("the door")


@pytest.mark.parametrize(
    ("prompt", "output", "opened", "closed"),
    [
        ("So.", "One. <think> two </think> three", True, True),
        ("So. <think>", "two </think> three", True, True),
        ("So. <think>\n", "two and two", True, False),
        ("So.", "two and two", False, False),
    ],
)
def test_thinking_is_open_in_prompt_or_output_and_closed_by_a_token(
    gpt2, prompt, output, opened, closed
):
    row = found(gpt2, prompt=prompt, output=output)
    assert row["think_open"] is opened
    if closed:
        at = int(row["think_close"])
        before = row["ends"][at - 1] if at else 0
        assert before <= row["output"].index("</think>") < row["ends"][at]
    else:
        assert pd.isna(row["think_close"])


@pytest.mark.parametrize(
    ("output", "gold", "answer", "correct"),
    [
        ("It is \\boxed{\\frac{1}{2}}.", "0.5", "\\frac{1}{2}", True),
        ("It is \\boxed{\\frac{1}{2}}.", "1/3", "\\frac{1}{2}", False),
        ("It is \\boxed{3}.", None, "3", None),
        ("No number here.", "3", None, False),
    ],
)
def test_answers_are_compared_with_gold(gpt2, output, gold, answer, correct):
    row = found(gpt2, output=output, gold=gold)
    assert row["answer"] == answer or (answer is None and pd.isna(row["answer"]))
    assert row["correct"] is correct or (correct is None and pd.isna(row["correct"]))


def test_a_chain_takes_its_problem_from_the_prompts_table():
    prompts = pd.DataFrame(
        {
            "prompt_id": ["a/1"],
            "text": ["Solve: 1 + 1?"],
            "problem": ["1 + 1?"],
            "family": ["sums"],
            "split": ["select"],
            "level": pd.array([2], dtype="Int64"),
            "type": [None],
            "subject": ["Algebra"],
            "answer": ["2"],
        }
    )
    row = {"prompt_id": "a/1", "operation": "none", "seed": 3, "text": "2", "token_ids": [5],
           "stop_reason": "eos", "nll_unclamped": 1.5}  # fmt: skip
    held = {**row, "operation": "zero"}
    (one,) = of_chain("plain", pd.DataFrame([row, held]), prompts)
    assert one.trace_id == "plain/a/1/3"
    assert (one.question, one.prompt) == ("1 + 1?", "Solve: 1 + 1?")
    assert (one.split, one.family, one.type, one.level) == ("select", "sums", "Algebra", 2)
    assert (one.gold, one.seed, one.stop_reason, one.mean_logprob) == ("2", 3, "eos", -1.5)


def test_raw_written_prompts_end_a_line_and_chats_do_not():
    row = {"trace_id": "a", "problem_id": "p", "family": "f", "split": "test", "level": 1,
           "grade": None, "kind": "clean", "prompt": "Check.", "output": "1.",
           "answer_gold": "1"}  # fmt: skip
    (raw,) = of_written(pd.DataFrame([row]), PromptFormat())
    (chat,) = of_written(pd.DataFrame([row]), PromptFormat("chat"))
    assert (raw.prompt, chat.prompt) == ("Check.\n", "Check.")
    assert raw.grade is None


def test_a_prompt_that_begins_with_bos_gets_no_second_one(llama):
    encoding = Encoding(llama.tokenizer, True, "tiny")
    bos = llama.tokenizer.bos_token
    if bos is None:
        pytest.skip("this tokenizer has none")
    ids = encoding.prompt(f"{bos}the door", PromptFormat())
    assert ids.count(llama.tokenizer.bos_token_id) == 1
