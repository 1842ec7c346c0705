"""Texts before and after: events, answers and differences, counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from clampsweep.studies.backtracking.pairs import TEXTS, paired, texts
from clampsweep.studies.backtracking.rules import read_rules

RULES = read_rules("workflow/data/backtracking/rules.yaml")
WAIT = "It is 3. Wait, that is not right. It is \\boxed{4}."


def text(problem: str, seed: int, condition: str, **changes: Any) -> dict[str, Any]:
    row = {"n_events": 0, "first_event": None, "correct": None, "n_tokens": 10, "rep_4": 0.0,
           "loop_coverage": 0.0, "nll": 1.0, "text": "", "draw": 0}  # fmt: skip
    return {"problem_id": problem, "seed": seed, "condition": condition, **row, **changes}


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(TEXTS.columns))
    return frame.astype({"correct": "boolean", "first_event": "Int64"})


def test_texts_are_read_by_the_rules_and_answers_compared_with_the_problems():
    rows = [("p", 0, "none", None, WAIT), ("p", 0, "zero", "L0N1", "So \\boxed{5}."),
            ("p", 0, "zero", "L0N2", WAIT)]  # fmt: skip
    generations = pd.DataFrame(
        [
            {"prompt_id": p, "key": str(at), "seed": s, "operation": op, "target": t, "text": said,
             "n_new_tokens": 12, "nll_unclamped": 2.0}
            for at, (p, s, op, t, said) in enumerate(rows)
        ]
    )  # fmt: skip
    metrics = pd.DataFrame(
        {"prompt_id": "p", "key": ["0", "1", "2"], "rep_4": 0.1, "loop_coverage": 0.0}
    )
    prompts = pd.DataFrame({"prompt_id": ["p"], "text": ["1 + 3?"], "answer": ["4"]})
    found = texts(generations, metrics, prompts, RULES, ["L0N1", "L0N2"])
    assert found["condition"].tolist() == ["before", "top", "random"]
    assert found["n_events"].tolist() == [1, 0, 1]
    assert found["first_event"].tolist()[0] == WAIT.index("Wait")
    assert found["correct"].tolist() == [True, False, True]


def test_a_difference_is_of_the_same_problem_and_seed():
    rows = [text("p", seed, "before", n_tokens=10 + seed) for seed in range(3)]
    rows += [text("p", seed, "top", n_tokens=20 + seed) for seed in (2, 1, 0)]
    found = paired(table(*rows)).set_index("measure")
    assert found.loc["length", "difference"] == 10
    assert found.loc["length", "n"] == 3
    assert (found["condition"] == "top").all()


def test_mcnemar_counts_the_pairs_that_change():
    before = [1, 1, 1, 1, 1, 1, 0, 0]
    after = [0, 0, 0, 0, 0, 1, 1, 0]
    rows = [text(f"p{at}", 0, "before", n_events=n) for at, n in enumerate(before)]
    rows += [text(f"p{at}", 0, "top", n_events=n) for at, n in enumerate(after)]
    found = paired(table(*rows)).set_index("measure").loc["any event"]
    assert (found["lost"], found["gained"]) == (5, 1)
    assert found["p"] == pytest.approx(binomtest(1, 6).pvalue)
    assert found["difference"] == pytest.approx(-0.5)


def test_what_no_pair_has_is_no_difference_and_an_unknown_answer_is_no_pair():
    rows = [text(f"p{at}", 0, one) for at in range(4) for one in ("before", "top")]
    found = paired(table(*rows)).set_index("measure")
    assert found.loc["correct", "n"] == 0
    assert found.loc["any event", "p"] == 1
    assert found.loc["nll", "difference"] == 0


def test_problems_and_not_texts_are_drawn_for_intervals():
    # Eight seeds of one problem that are all alike tell no more than one.
    rng = np.random.default_rng(0)
    gaps = rng.normal(0, 10, 6)
    rows = []
    for at, gap in enumerate(gaps):
        for seed in range(8):
            rows.append(text(f"p{at}", seed, "before", n_tokens=100))
            rows.append(text(f"p{at}", seed, "top", n_tokens=int(100 + gap)))
    found = paired(table(*rows)).set_index("measure").loc["length"]
    half = (found["high"] - found["low"]) / 2
    assert half > 1.5 * np.std(gaps) / np.sqrt(len(gaps) * 8)


def test_without_targets_there_is_nothing_to_compare():
    assert paired(table(text("p", 0, "before"))).empty
