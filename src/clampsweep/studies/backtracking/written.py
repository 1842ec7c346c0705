"""Traces that we write, whose errors are known: does a model tell one before it is said?

Of each problem: `clean`; for each grade of error `error_backtrack` (a wrong step, a marker, the
step put right, the rest) and `error_only` (a wrong step that goes on); and `spurious` (a right
step, a marker, the same step again). Grades: `off_by_ten`, `gross` (a digit more), `verbal` (wrong
by ten, and the step's ending says that it looks wrong). But for `verbal`, traces of a problem say
the same up to the marker but for digits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.errors import whole
from clampsweep.studies.backtracking.calculations import Line
from clampsweep.studies.backtracking.entry import GRADES
from clampsweep.studies.backtracking.templates import ANSWER, CALC, Templates
from clampsweep.studies.backtracking.word_problems import WordProblem, problems
from clampsweep.tables import Column, Schema

KINDS = CLEAN, BACKTRACK, ONLY, SPURIOUS = "clean", "error_backtrack", "error_only", "spurious"

MARKER, STEP, LAST = "marker", "step", "answer"  # what follows a step

WRITTEN = Schema(
    "backtracking written",
    {
        "trace_id": Column("str", "problem, kind and grade"),
        "problem_id": Column("str", "family and number of the problem"),
        "family": Column("str", "template of the problem"),
        "split": Column("str", "discover, select or test; a family is in one"),
        "level": Column("int", "1 to 5, by number of steps and size of the numbers"),
        "grade": Column("str", "off_by_ten, gross or verbal; null without an error", null=True),
        "kind": Column("str", "clean, error_backtrack, error_only or spurious"),
        "prompt": Column("str", "question and instruction"),
        "output": Column("str", "the trace"),
        "answer_gold": Column("str", "the right answer"),
        "answer": Column("str", "the answer that it ends with"),
        "correct": Column("bool", "whether these are equal"),
        "marker_start": Column("int", "first character of the marker in output", null=True),
    },
    key=("trace_id",),
)

STEPS = Schema(
    "backtracking steps",
    {
        "trace_id": Column("str", "the trace"),
        "step": Column("int", "number of the step's sentence in the trace, from 0"),
        "start": Column("int", "first character of the sentence in output"),
        "end": Column("int", "its end, exclusive"),
        "right": Column("bool", "whether the result is that of the calculation as it stands"),
        "next": Column("str", "what follows: marker, step or answer"),
    },
    key=("trace_id", "step"),
)


class Written(NamedTuple):
    """Tables of traces (`WRITTEN`) and of their steps (`STEPS`)."""

    traces: pd.DataFrame
    steps: pd.DataFrame


def written(templates: Templates, seed: int, per_split: int) -> Written:
    """Traces and their steps; a split's first problems are the same however many there are.

    Args:
        templates: As `read_templates` gives them.
        seed: Of all draws.
        per_split: Problems of each split, its families in turn.

    Raises:
        UserError: A family's ranges do not hold so many problems.
    """
    whole("per_split", per_split, 1)
    traces, steps = list[dict[str, Any]](), list[dict[str, Any]]()
    for problem in problems(templates, seed, per_split):
        for kind, grade in _variants():
            trace = _trace(problem, kind, grade, templates)
            traces.append(trace.row)
            steps += trace.steps
    frame = pd.DataFrame(traces, columns=list(WRITTEN.columns))
    return Written(
        frame.astype({"marker_start": "Int64"}), pd.DataFrame(steps, columns=list(STEPS.columns))
    )


def _variants() -> Iterator[tuple[str, str | None]]:
    """Kind and grade of each trace of a problem."""
    yield CLEAN, None
    for grade in GRADES:
        yield BACKTRACK, grade
        yield ONLY, grade
    yield SPURIOUS, None


class _Trace(NamedTuple):
    row: dict[str, Any]
    steps: list[dict[str, Any]]


class _Sentence(NamedTuple):
    """A sentence of a trace; of a step, whether it is right."""

    text: str
    right: bool | None = None


def _trace(problem: WordProblem, kind: str, grade: str | None, templates: Templates) -> _Trace:
    """Rows of a trace and of its steps."""
    name = "/".join(part for part in (problem.name, kind, grade) if part)
    said = list(_sentences(problem, kind, grade))
    goes_on = problem.slip.right if kind != ONLY else _wrong(problem, grade)
    gold, answer = problem.slip.right[-1].result, goes_on[-1].result
    said.append(_Sentence(templates.answer.replace(ANSWER, str(answer))))
    starts = list(accumulate((len(one.text) + 1 for one in said), initial=0))
    marker = next((at for at, one in enumerate(said) if one.text == problem.marker), None)
    row = {
        "trace_id": name,
        "problem_id": problem.name,
        "family": problem.family.name,
        "split": problem.family.split,
        "level": problem.level,
        "grade": grade,
        "kind": kind,
        "prompt": f"{problem.question}\n{templates.instruction}\n",
        "output": " ".join(one.text for one in said),
        "answer_gold": str(gold),
        "answer": str(answer),
        "correct": answer == gold,
        "marker_start": None if marker is None else starts[marker],
    }
    return _Trace(row, list(_steps(name, said, starts, marker)))


def _steps(
    name: str, said: Sequence[_Sentence], starts: Sequence[int], marker: int | None
) -> Iterator[dict[str, Any]]:
    """Rows of the steps of a trace."""
    numbers = [at for at, one in enumerate(said) if one.right is not None]
    for step, at in enumerate(numbers):
        following = MARKER if marker == at + 1 else STEP if at + 1 in numbers else LAST
        yield {
            "trace_id": name,
            "step": step,
            "start": starts[at],
            "end": starts[at] + len(said[at].text),
            "right": said[at].right,
            "next": following,
        }


def _sentences(problem: WordProblem, kind: str, grade: str | None) -> Iterator[_Sentence]:
    """All sentences but the answer."""
    right, step = problem.slip.right, problem.slip.step
    wrong = _wrong(problem, grade) if grade else right
    for at in range(len(right)):
        doubted = at == step and grade == "verbal"
        line = wrong[at] if at == step or (kind == ONLY and at > step) else right[at]
        yield _sentence(problem, at, line, problem.doubt if doubted else problem.tails[at], right)
        if at == step and kind in (BACKTRACK, SPURIOUS):
            yield _Sentence(problem.marker)
            yield _sentence(problem, at, right[at], problem.tails[at], right)


def _wrong(problem: WordProblem, grade: str | None) -> list[Line]:
    return problem.slip.far if grade == "gross" else problem.slip.near


def _sentence(
    problem: WordProblem, at: int, line: Line, tail: str, right: Sequence[Line]
) -> _Sentence:
    """A step's sentence."""
    text = problem.family.steps[at].text.replace(CALC, str(line))
    # After the wrong step a trace that goes on calculates rightly with a wrong number.
    is_right = at != problem.slip.step or line.result == right[at].result
    return _Sentence(f"{text}, {tail}.", is_right)
