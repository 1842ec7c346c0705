"""Written traces: every number is calculated anew from the text, and the words before a marker are
the same whether the step was right or wrong."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backtracking.shipped import RULES, TEMPLATES
from clampsweep import tables
from clampsweep.studies.backtracking.entry import GRADES
from clampsweep.studies.backtracking.events import find, sentences
from clampsweep.studies.backtracking.written import STEPS, WRITTEN, written

FOUND = written(TEMPLATES, 0, 30)
TRACES = {row["trace_id"]: row for row in FOUND.traces.to_dict("records")}
STEPS_OF: dict[str, list[Any]] = {
    str(name): own.to_dict("records") for name, own in FOUND.steps.groupby("trace_id", sort=False)
}
PROBLEMS = list(dict.fromkeys(row["problem_id"] for row in TRACES.values()))
CALCULATION = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def said(trace_id: str, step: Any) -> str:
    return str(TRACES[trace_id]["output"][step["start"] : step["end"]])


def calculation(text: str) -> tuple[Fraction, int]:
    """What a step's calculation gives, and what it says."""
    ((left, sign, right, result),) = CALCULATION.findall(text)
    true = {
        "+": Fraction(left) + Fraction(right),
        "-": Fraction(left) - Fraction(right),
        "*": Fraction(left) * Fraction(right),
        "/": Fraction(left) / Fraction(right),
    }[sign]
    return true, int(result)


def before_marker(row: Any) -> str:
    return str(row["output"][: row["marker_start"]])


def without_digits(text: str) -> str:
    return re.sub(r"\d+", "#", text)


def wrong_step(problem: str) -> Any:
    """The wrong step of a problem, and its number."""
    trace = STEPS_OF[f"{problem}/error_only/gross"]
    (at,) = [step["step"] for step in trace if not step["right"]]
    return at


def test_each_problem_has_its_eight_traces() -> None:
    frame = FOUND.traces.assign(grade=FOUND.traces["grade"].fillna("none"))
    kinds = Counter(zip(frame["kind"], frame["grade"], strict=True))
    assert len(PROBLEMS) == 90
    assert kinds == {
        ("clean", "none"): 90,
        ("spurious", "none"): 90,
        **{(kind, grade): 90 for kind in ("error_backtrack", "error_only") for grade in GRADES},
    }


def test_tables_fit_their_schemas(tmp_path: Path) -> None:
    for frame, schema in ((FOUND.traces, WRITTEN), (FOUND.steps, STEPS)):
        tables.write(frame, tmp_path / "table.parquet", schema, {})
        back = tables.read(tmp_path / "table.parquet", schema)
        pd.testing.assert_frame_equal(back, frame, check_dtype=False)


def test_steps_are_right_exactly_if_python_gets_their_result() -> None:
    for name, steps in STEPS_OF.items():
        for step in steps:
            true, result = calculation(said(name, step))
            assert (true == result) == step["right"], said(name, step)


def test_only_traces_with_an_error_have_a_wrong_step_and_one() -> None:
    for name, row in TRACES.items():
        wrong = [step for step in STEPS_OF[name] if not step["right"]]
        assert len(wrong) == row["kind"].startswith("error")
        assert all(step["step"] > 0 for step in wrong)


def test_operands_are_numbers_of_the_question_or_results_that_were_said_and_not_taken_back() -> (
    None
):
    for name, row in TRACES.items():
        known = Counter(re.findall(r"\d+", row["prompt"]))
        results: set[str] = set()
        for step in STEPS_OF[name]:
            ((left, _, right, result),) = CALCULATION.findall(said(name, step))
            assert {left, right} <= set(known) | results
            if step["next"] != "marker":
                results.add(result)


def test_the_answer_is_the_last_result_and_the_right_one_that_of_the_clean_trace() -> None:
    for name, row in TRACES.items():
        _, last = calculation(said(name, STEPS_OF[name][-1]))
        assert row["output"].endswith(f"\\boxed{{{last}}}.")
        assert row["answer"] == str(last)
        assert row["answer_gold"] == TRACES[f"{row['problem_id']}/clean"]["answer"]
        assert row["correct"] == (row["kind"] != "error_only")
        assert row["correct"] == (row["answer"] == row["answer_gold"])


def test_right_results_have_2_to_4_digits() -> None:
    for problem in PROBLEMS:
        for step in STEPS_OF[f"{problem}/clean"]:
            _, result = calculation(said(f"{problem}/clean", step))
            assert 10 <= result <= 9999


def test_a_trace_is_its_steps_its_marker_and_its_answer_in_sentences() -> None:
    for name, row in TRACES.items():
        spans, steps = sentences(row["output"]), STEPS_OF[name]
        own = [(step["start"], step["end"]) for step in steps]
        assert [tuple(span) for span in spans if tuple(span) in own] == own
        marked = row["kind"] in ("error_backtrack", "spurious")
        assert len(spans) == len(steps) + 1 + marked
        assert pd.isna(row["marker_start"]) != marked
        assert [step["step"] for step in steps] == list(range(len(steps)))
        assert [step["next"] for step in steps].count("marker") == marked
        assert [step["next"] for step in steps].index("answer") == len(steps) - 1
        for step in steps:
            if step["next"] == "marker":
                assert step["end"] + 1 == row["marker_start"]


def test_clean_and_wrong_traces_say_the_same_up_to_the_marker_but_for_digits() -> None:
    for problem in PROBLEMS:
        clean = TRACES[f"{problem}/clean"]["output"]
        for name in ("error_backtrack/off_by_ten", "error_backtrack/gross", "spurious"):
            before = without_digits(before_marker(TRACES[f"{problem}/{name}"]))
            assert without_digits(clean).startswith(before)


def test_the_last_13_words_before_a_marker_are_the_same_after_right_and_wrong_steps() -> None:
    for problem in PROBLEMS:
        at = wrong_step(problem)
        names = [f"{problem}/clean", f"{problem}/spurious"]
        names += [
            f"{problem}/{kind}/{grade}"
            for kind in ("error_backtrack", "error_only")
            for grade in ("off_by_ten", "gross")
        ]
        last = {tuple(said(name, STEPS_OF[name][at]).split()[-13:]) for name in names}
        assert len(last) == 1
        assert not re.search(r"\d", " ".join(last.pop()))


def test_up_to_the_wrong_result_all_traces_of_a_problem_are_the_same() -> None:
    for problem in PROBLEMS:
        at, clean = wrong_step(problem), f"{problem}/clean"
        start = STEPS_OF[clean][at]["start"]
        upto = TRACES[clean]["output"].index(" = ", start)
        own = [row["output"][:upto] for row in TRACES.values() if row["problem_id"] == problem]
        assert len(own) == 8
        assert len(set(own)) == 1


def test_after_the_marker_the_step_is_put_right_and_the_rest_is_that_of_the_clean_trace() -> None:
    for name, row in TRACES.items():
        if pd.isna(row["marker_start"]):
            continue
        clean = f"{row['problem_id']}/clean"
        start = STEPS_OF[clean][wrong_step(row["problem_id"])]["start"]
        _, _, after = row["output"][row["marker_start"] :].partition(". ")
        assert after == TRACES[clean]["output"][start:], name


@pytest.mark.parametrize("grade", ["off_by_ten", "verbal"])
def test_results_of_two_grades_are_wrong_by_10_with_as_many_digits(grade: str) -> None:
    for problem in PROBLEMS:
        name = f"{problem}/error_only/{grade}"
        true, result = calculation(said(name, STEPS_OF[name][wrong_step(problem)]))
        assert abs(true - result) == 10
        assert result >= 10
        assert len(str(true)) == len(str(result))


def test_gross_results_have_a_digit_more_and_are_8_to_12_times_as_large() -> None:
    for problem in PROBLEMS:
        name = f"{problem}/error_backtrack/gross"
        true, result = calculation(said(name, STEPS_OF[name][wrong_step(problem)]))
        assert 8 * true <= result <= 12 * true
        assert len(str(result)) == len(str(true)) + 1


def test_wrong_results_end_in_the_digits_in_which_right_ones_end() -> None:
    for grade in ("off_by_ten", "gross"):
        right, wrong = Counter[str](), Counter[str]()
        for problem in PROBLEMS:
            name = f"{problem}/error_only/{grade}"
            true, result = calculation(said(name, STEPS_OF[name][wrong_step(problem)]))
            right[str(true)[-1]] += 1
            wrong[str(result)[-1]] += 1
        assert right == wrong
        assert len(right) >= 8


def test_the_verbal_grade_alone_has_another_ending_and_only_at_the_wrong_step() -> None:
    for problem in PROBLEMS:
        verbal, plain = (f"{problem}/error_only/{grade}" for grade in ("verbal", "off_by_ten"))
        for one, other in zip(STEPS_OF[verbal], STEPS_OF[plain], strict=True):
            same = said(verbal, one) == said(plain, other)
            assert same == one["right"]


def test_rules_see_the_markers_and_nothing_else() -> None:
    for name, row in TRACES.items():
        if row["problem_id"] not in PROBLEMS[::4]:  # of each split, and all kinds
            continue
        events = [event for event in find(row["output"], RULES) if event.kind != "uncertainty"]
        wanted = [] if pd.isna(row["marker_start"]) else [("strong", row["marker_start"])]
        assert [(event.kind, event.start) for event in events] == wanted, name


def test_prompts_ask_the_question_and_hold_no_event() -> None:
    for problem in PROBLEMS:
        row = TRACES[f"{problem}/clean"]
        assert not find(row["prompt"], RULES)
        assert row["prompt"].endswith(f"?\n{TEMPLATES.instruction}\n")


def test_the_same_seed_writes_the_same_and_one_problem_is_enough() -> None:
    one = written(TEMPLATES, 0, 1)
    first = FOUND.traces[FOUND.traces["problem_id"].isin(one.traces["problem_id"])]
    assert one.traces["output"].tolist() == first["output"].tolist()
    assert one.traces["output"].tolist() != written(TEMPLATES, 5, 1).traces["output"].tolist()


@pytest.mark.parametrize("per_split", [0, -1, True, 1.5])
def test_a_number_of_problems_that_is_none_is_refused(per_split: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="per_split"):
        written(TEMPLATES, 0, per_split)
