"""Problems: right answers, found here by sympy and by stories told in other words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.errors import UserError
from clampsweep.studies.backtracking.answers import gold
from clampsweep.studies.backtracking.equivalence import compare
from clampsweep.studies.backtracking.problems.expression import DIVIDED, TIMES, holds, value
from clampsweep.studies.backtracking.problems.made import FAMILIES, rows
from clampsweep.studies.backtracking.problems.problem import LEVELS, term
from clampsweep.studies.backtracking.splits import SPLITS
from clampsweep.texts import promptset

SHIPPED = Path(__file__).parents[2] / "promptsets" / "backtracking" / "problems.jsonl"
MANY = list(rows(seed=1, per_cell=8))


def each_family(*types):
    """A test for each family of some types, which gets the family's rows as `of_family`."""
    families = [one for one in FAMILIES if one.type in types]
    found = [[row for row in MANY if row["family"] == one.name and row["type"] == one.type]
             for one in families]  # fmt: skip
    return pytest.mark.parametrize("of_family", found, ids=[one.name for one in families])


def by_sympy(text):
    """Both sides of what stands in a question, or its one term, with another parser."""
    written = text.replace(TIMES, "*").replace(DIVIDED, "/").replace("^", "**")
    found = re.search(r"[-(\dntxy][-+*/()\d.=ntxy ]*[\dntxy)](?=[ .?]|$)", written)
    formula = re.sub(r"(\d+)/(\d+)", r"(\1/\2)", found.group().strip())
    formula = re.sub(r"(?<=[\d)])(?=[(ntxy])", "*", formula)
    return [sympy.sympify(side, rational=True) for side in formula.split("=")]


# Right answers


@each_family("arithmetic", "fractions")
def test_sympy_finds_the_same_value(of_family):
    for row in of_family:
        _check_by_sympy(row)


def _check_by_sympy(row):
    if row["family"] == "part":
        part, whole = re.search(r"(\S+) of (\d+)", row["text"]).groups()
        assert sympy.Rational(part) * int(whole) == sympy.Rational(row["answer"])
    elif row["family"] == "missing":
        left, right = by_sympy(row["text"].removeprefix("Which number n makes "))
        assert sympy.solve(left - right) == [sympy.Rational(row["answer"])]
    else:
        words = r"^(What is|Evaluate|Calculate|Find the value of|Multiply:|Divide:|Simplify) "
        (found,) = by_sympy(re.sub(words, "", row["text"]))
        assert found == sympy.Rational(row["answer"])


@each_family("equations")
def test_sympy_solves_the_equations_alike(of_family):
    for row in of_family:
        text = re.sub(r"^(Solve|Find \w if|For which \w is) | for \w\.$", "", row["text"])
        left, right = by_sympy(text)
        assert sympy.solve(left - right) == [sympy.Rational(row["answer"])], row


def minutes_of_a_tank(room, start, gain, leak):
    """Minute by minute, then the part of the last one."""
    full, minutes = Fraction(start), 0
    while full + gain - leak <= room:
        full, minutes = full + gain - leak, minutes + 1
    return minutes + (room - full) / (gain - leak)


def by_story(family, level, numbers):
    """A story's answer from the numbers in it, in their order."""
    match family, numbers:
        case "shopping", [*bought, paid]:
            return paid - sum(n * price for n, price in zip(bought[::2], bought[1::2], strict=True))
        case "travel", [t, v, u, w]:
            hours = [v] * t + [w] * u
            return sum(hours) if level < 3 else Fraction(sum(hours), len(hours))
        case "sharing", [whole, friends]:
            return whole // friends
        case "sharing", [whole, kept, friends]:
            return (whole - kept) // friends
        case "sharing", [boxes, each, kept, friends]:
            return (boxes * each - kept) // friends
        case "ages", [*more, times, total] if len(more) < 1:
            years = extra = 0
        case "ages", [times, years, total]:
            extra = 0
        case "ages", [extra, times, years, total]:
            pass
        case "tank", [room, gain]:
            return minutes_of_a_tank(room, 0, gain, 0)
        case "tank", [room, gain, leak]:
            return minutes_of_a_tank(room, 0, gain, leak)
        case "tank", [room, start, gain, leak]:
            return minutes_of_a_tank(room, start, gain, leak)
        case "savings", [price, earned]:
            return Fraction(price, earned)
        case "savings", [price, earned, spent]:
            return Fraction(price, earned - spent)
        case "savings", [price, has, earned, spent]:
            return Fraction(price - has, earned - spent)
        case "savings", [price, has, lent, earned, spent]:
            return Fraction(price - has + lent, earned - spent)
    young = [a for a in range(1, 200) if a + times * a + extra + 2 * years == total]
    assert len(young) == 1
    return young[0]


@each_family("stories")
def test_a_story_told_in_another_way_ends_alike(of_family):
    for row in of_family:
        numbers = [int(one) for one in re.findall(r"\d+", row["text"])]
        assert by_story(row["family"], row["level"], numbers) == Fraction(row["answer"]), row


@each_family("stories")
def test_amounts_of_stories_make_sense(of_family):
    for row in of_family:
        assert Fraction(row["answer"]) > 0, row
        if row["family"] not in ("travel", "tank"):
            assert Fraction(row["answer"]).denominator == 1, row


@pytest.mark.parametrize("family", FAMILIES, ids=lambda one: f"{one.type}-{one.name}")
def test_the_second_way_refuses_a_wrong_answer(family):
    random = Random(5)
    for level in LEVELS:
        for _ in range(10):
            problem = family.make(random, level)
            assert problem.check(problem.answer)
            for wrong in (1, -1, Fraction(1, 7), 10):
                assert not problem.check(problem.answer + wrong), problem.question


# Which problems there are


def test_a_family_is_in_one_split_and_each_type_in_all():
    splits = defaultdict(set)
    types = defaultdict(set)
    for row in MANY:
        splits[row["type"], row["family"]].add(row["split"])
        types[row["type"]].add(row["split"])
    assert len(splits) == len(FAMILIES) == 24
    assert all(len(found) == 1 for found in splits.values())
    assert set(types) == {"arithmetic", "equations", "fractions", "stories"}
    assert all(found == set(SPLITS) for found in types.values())


def test_no_name_stands_twice_and_no_question_in_a_level():
    assert len({row["prompt_id"] for row in MANY}) == len(MANY) == 24 * 5 * 8
    assert len({(row["level"], row["text"]) for row in MANY}) == len(MANY)


def test_the_seed_decides_and_more_problems_begin_with_the_fewer():
    few, other = list(rows(1, 2)), list(rows(2, 2))
    assert few == [row for row in MANY if int(row["prompt_id"][-2:]) <= 2]
    assert sum(a["text"] == b["text"] for a, b in zip(few, other, strict=True)) < len(few) / 10


def test_numbers_grow_with_the_level():
    largest = {
        level: sum(
            max(map(int, re.findall(r"\d+", row["text"]))) for row in MANY if row["level"] == level
        )
        for level in LEVELS
    }
    assert list(largest.values()) == sorted(largest.values())


def test_no_term_is_zero_and_no_sign_stands_twice():
    for row in MANY:
        assert not re.search(r"[-+] 0\b|[-+] [-+]|\b[01]\(|\b[01][ntxy]\b|  ", row["text"]), row


def test_too_many_problems_are_refused_in_one_line():
    with pytest.raises(UserError, match=r"^--per-cell: got 300, but \S+ of level 1 has about \d+"):
        list(rows(0, 300))


# The command and its file


def made(*args):
    """What the command does."""
    command = [sys.executable, "-m", "clampsweep.studies.backtracking.problems", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_shipped_file_is_what_the_command_writes(tmp_path):
    run = made("--seed", 0, "--per-cell", 1, tmp_path / "problems.jsonl")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert (tmp_path / "problems.jsonl").read_bytes() == SHIPPED.read_bytes()


@pytest.mark.parametrize(
    ("args", "said"),
    [(["--per-cell", "0"], "got 0; write 1 or more"), (["--seed", "x"], "invalid int value"),
     (["--per-cell", "99"], "error: --per-cell: got 99")],
)  # fmt: skip
def test_a_wrong_argument_is_said_and_writes_nothing(tmp_path, args, said):
    run = made(*args, tmp_path / "problems.jsonl")
    assert run.returncode
    assert said in run.stderr.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_the_shipped_file_is_a_promptset_whose_answers_are_read():
    template = "{text}\nPut the answer in \\boxed{}."
    found = promptset.read(SHIPPED, "jsonl", template)
    lines = [json.loads(line) for line in SHIPPED.read_text("utf-8").splitlines()]
    assert len(found) == len(lines) == len(set(found["text"])) == 120
    for row, line in zip(found.to_dict("records"), lines, strict=True):
        assert row["text"] == f"{line['text']}\nPut the answer in \\boxed{{}}."
        assert (row["prompt_id"], row["level"]) == (line["prompt_id"], line["level"])
        assert (row["split"], row["family"]) == (line["split"], line["family"])
        assert gold({"answer": row["answer"]}) == line["answer"]
    answers = [(Fraction(line["answer"]), line["answer"]) for line in lines]
    latex = [
        (rf"\frac{{{exact.numerator}}}{{{exact.denominator}}}", text) for exact, text in answers
    ]
    assert all(one.correct and one.method != "math-verify" for one in compare(latex))
    assert found.groupby("split").size().to_dict() == {"discover": 40, "select": 40, "test": 40}


# Expressions as they are written


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2 + 3 * 4", 14), ("(2 + 3) * 4", 20), ("7 : 2", Fraction(7, 2)), ("2^3 - 1", 7),
     ("3/4 : 3/2", Fraction(1, 2)), ("1 - 2 - 3", -4), ("-3 + 1", -2), ("12 : 3 : 2", 2)],
)  # fmt: skip
def test_expressions_have_the_value_that_a_reader_gives_them(text, expected):
    assert value(text.replace("*", TIMES).replace(":", DIVIDED)) == expected


def test_letters_and_brackets_multiply_without_a_sign():
    at = {"x": Fraction(1, 2)}
    assert value("3x + 2(x - 1)", at) == Fraction(1, 2)
    assert value("(4x + 1)/3", at) == 1
    assert holds("5(x + 1) = 15x", "x", Fraction(1, 2))
    assert not holds("5(x + 1) = 15x", "x", Fraction(1, 3))


@pytest.mark.parametrize(
    "text", ["", "2 +", "x", "2.5", "f(2)", "__import__('os')", "2 == 2", "[1]"]
)
def test_what_is_no_expression_is_refused(text):
    with pytest.raises(ValueError, match="is no expression"):
        value(text)


@given(st.lists(st.integers(1, 99), min_size=2, max_size=5), st.data())
def test_any_row_of_operations_is_what_python_says(numbers, data):
    signs = [data.draw(st.sampled_from("+-*")) for _ in numbers[1:]]
    pairs = zip(signs, numbers[1:], strict=True)
    text = str(numbers[0]) + "".join(f" {sign} {number}" for sign, number in pairs)
    assert value(text.replace("*", TIMES)) == eval(text)


def test_terms_show_their_sign_once():
    assert [term(number) for number in (3, -3, 0, Fraction(4))] == [" + 3", " - 3", "", " + 4"]
