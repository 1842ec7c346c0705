"""Published data sets read as they are: prompts from a template, named by a column of theirs."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts import promptset
from clampsweep.texts.prompt_template import fill
from clampsweep.texts.promptset import PROMPTS

ASK = "Solve this.\n{problem}\nPut the answer into \\boxed{}."

# Rows with the columns of published sets and what is odd in them; the problems are ours.
GSM8K = [
    {"question": "Mo\u2019s shop sold 3 hats for $700 each.  What did it take in?",
     "answer": "It sold 3 at 700, so 3*700=$<<3*700=2100>>2,100.\n#### 2,100"},
    {"question": "A jug holds half of 5 litres. How many?",
     "answer": "5/2=<<5/2=2.5>>2.5 litres\n#### 2.5"},
]  # fmt: skip
MATH_500 = [
    {"problem": "What is $\\frac{1}{2}+\\frac{1}{3}$?", "solution": "It is $\\boxed{\\frac56}$.",
     "answer": "\\frac56", "subject": "Prealgebra", "level": 2,
     "unique_id": "test/prealgebra/7.json"},
    {"problem": "Let $S=\\{1,2\\}$. How many subsets?", "solution": "$\\boxed{4}$.", "answer": "4",
     "subject": "Counting & Probability", "level": 1, "unique_id": "test/counting/8.json"},
]  # fmt: skip
HENDRYCKS = [
    {"problem": "Find $x$ if $x+1=3$.", "level": "Level 1", "type": "Algebra",
     "solution": "$x=\\boxed{2}$"},
    {"problem": "A triangle\n[asy]\ndraw((0,0)--(1,0));\n[/asy]\nhas how many sides?",
     "level": "Level ?", "type": "Geometry", "solution": "$\\boxed{3}$"},
]  # fmt: skip
FDYRD = [{key: row[key] for key in ("problem", "solution", "level", "type")} for row in HENDRYCKS]


def saved(tmp_path, rows, form="jsonl"):
    """The rows as a file, written by the standard library; half of JSON's with escapes."""
    path = tmp_path / f"set.{form}"
    if form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return path
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), delimiter="," if form == "csv" else "\t")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(out.getvalue(), "utf-8", newline="")
    return path


def refusal(path, *args):
    """The one line that the user reads."""
    with pytest.raises(UserError) as caught:
        promptset.read(path, *args)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(str(path))
    return message


each_format = pytest.mark.parametrize("form", ["jsonl", "csv", "tsv"])


# What is published


@each_format
def test_gsm8k_is_read_as_it_is_published(tmp_path, form):
    template = "{question} Think step by step, then write #### and the number."
    found = promptset.read(saved(tmp_path, GSM8K, form), form, template)
    assert found["prompt_id"].tolist() == ["row_0001", "row_0002"]
    assert found["text"][0] == (
        "Mo\u2019s shop sold 3 hats for $700 each.  What did it take in? "
        "Think step by step, then write #### and the number."
    )
    for column in ("question", "answer"):
        assert found[column].tolist() == [row[column] for row in GSM8K]


@each_format
def test_math_500_is_read_as_it_is_published(tmp_path, form):
    path = saved(tmp_path, MATH_500, form)
    found = promptset.read(path, form, ASK, "unique_id")
    assert found["prompt_id"].tolist() == ["test/prealgebra/7.json", "test/counting/8.json"]
    assert found["text"][1] == (
        "Solve this.\nLet $S=\\{1,2\\}$. How many subsets?\nPut the answer into \\boxed{}."
    )
    assert found["level"].tolist() == [2, 1]
    for column in ("answer", "solution", "subject", "unique_id"):
        assert found[column].tolist() == [row[column] for row in MATH_500]


@each_format
@pytest.mark.parametrize("rows", [HENDRYCKS, FDYRD], ids=["hendrycks_math", "fdyrd"])
def test_levels_in_words_become_numbers_and_unknown_ones_null(tmp_path, rows, form):
    found = promptset.read(saved(tmp_path, rows, form), form, "{problem}")
    assert found["text"].tolist() == [row["problem"] for row in rows]
    assert found["type"].tolist() == ["Algebra", "Geometry"]
    assert found["level"].dtype == "Int64"
    assert found["level"][0] == 1
    assert pd.isna(found["level"][1])


def test_a_published_set_can_be_written_and_read_back(tmp_path):
    found = promptset.read(saved(tmp_path, MATH_500), "jsonl", ASK, "unique_id")
    tables.write(found, tmp_path / "p.parquet", PROMPTS, {})
    back = tables.read(tmp_path / "p.parquet", PROMPTS)
    pd.testing.assert_frame_equal(back[list(found.columns)], found, check_dtype=False)


def test_levels_in_words_need_no_template(tmp_path):
    path = saved(tmp_path, [{"text": "One.", "level": "level 3"}, {"text": "Two.", "level": "-1"}])
    assert promptset.read(path, "jsonl")["level"].tolist() == [3, -1]
    path = saved(tmp_path, [{"text": "One.", "level": "Level three"}])
    assert "'Level three' is not an integer" in refusal(path, "jsonl")


def test_a_nested_column_becomes_a_factor_only_with_a_template(tmp_path):
    path = saved(tmp_path, [{"text": "One.", "tags": ["a", "\u00e9"], "more": {"n": 1}}])
    assert "'tags' is nested" in refusal(path, "jsonl")
    found = promptset.read(path, "jsonl", "{text}")
    assert (found["tags"][0], found["more"][0]) == ('["a", "\u00e9"]', '{"n": 1}')


# What is filled


def filled(template, **cells):
    return fill(template, [("here", cells)])[0][1]["text"]


@pytest.mark.parametrize(
    "braces",
    ["\\boxed{}", "\\frac{1}{2}", "{}", "{ a }", "{1, 2}", "{x+1}", "\\{a\\}", "{{}}", "{a\nb}",
     "\\text{cm}", "\\frac{c}{d}"],
)  # fmt: skip
def test_other_braces_stay_as_they_are(braces):
    assert filled(f"{{a}} {braces} {{b}}", a="A", b="B") == f"A {braces} B"


def test_what_a_cell_holds_is_not_filled_again():
    assert filled("{a}{b}", a="{b}", b="\\1 {a}") == "{b}\\1 {a}"


def test_a_column_may_stand_twice_and_have_a_name_of_several_words():
    assert filled("{a} {a} {the question}", a="A", **{"the question": "Q?"}) == "A A Q?"


def test_numbers_and_truth_values_are_filled_as_json_writes_them(tmp_path):
    path = saved(tmp_path, [{"n": 3, "x": 0.5, "y": True}])
    assert promptset.read(path, "jsonl", "{n} {x} {y}")["text"].tolist() == ["3 0.5 true"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.text(min_size=1), min_size=2, max_size=2), between=st.text("ab \n$\\"))
def test_any_cells_arrive_as_they_are(cells, between):
    first, second = cells
    assert filled(f"{{p}}{between} {{q}}", p=first, q=second) == f"{first}{between} {second}"


# What is refused


@each_format
def test_a_column_that_the_template_names_and_nobody_has_is_refused(tmp_path, form):
    message = refusal(saved(tmp_path, GSM8K, form), form, "{questoin}")
    assert "'questoin'" in message
    assert "the row has question, answer;" in message
    assert "correct the template" in message


def test_a_row_that_lacks_a_named_column_is_refused_with_its_line(tmp_path):
    for lacking in ({"answer": "1"}, {"question": None, "answer": "1"}, {"question": ""}):
        path = saved(tmp_path, [GSM8K[0], lacking])
        assert refusal(path, "jsonl", "{question}").startswith(f"{path}, line 2: no 'question'")
    path = tmp_path / "set.csv"
    path.write_text('question,answer\n"one\nmore",1\n,2\n')
    assert refusal(path, "csv", "{question}").startswith(f"{path}, line 4: no 'question'")


@pytest.mark.parametrize("template", ["", "no braces", "\\boxed{}", "{ question }"])
def test_a_template_that_names_no_column_is_refused(tmp_path, template):
    message = refusal(saved(tmp_path, GSM8K), "jsonl", template)
    assert "names no column" in message
    assert "question, answer" in message


@pytest.mark.parametrize("argument", ["\\boxed{answer}", "\\n{answer}", "\\frac{1}{answer}"])
def test_a_right_answer_is_not_put_into_the_box_unasked(tmp_path, argument):
    message = refusal(saved(tmp_path, GSM8K), "jsonl", f"{{question}} {argument}")
    assert "may be LaTeX or a column" in message
    spaced = argument.replace("{answer}", "{ answer }")
    found = promptset.read(saved(tmp_path, GSM8K), "jsonl", f"{{question}} {spaced}")
    assert found["text"][0].endswith(spaced)


def test_a_grid_takes_neither_template_nor_id(tmp_path):
    path = tmp_path / "grid.txt"
    path.write_text(">> CORE_ID: a\n[LEVEL 1]\ndeclarative: One.\n")
    for more in (("{text}", None), (None, "core")):
        assert "a grid has no columns" in refusal(path, "grid", *more)


@each_format
def test_names_of_prompts_are_checked_whatever_column_they_come_from(tmp_path, form):
    rows = [{"name": name, "text": "One."} for name in ("a", "b", "a")]
    assert "'a' stands already" in refusal(saved(tmp_path, rows, form), form, None, "name")
    rows[1]["name"] = ""
    assert "no 'name'" in refusal(saved(tmp_path, rows, form), form, None, "name")
    message = refusal(saved(tmp_path, rows, form), form, None, "nmae")
    assert "no 'nmae'" in message
    assert "name, text" in message


def test_two_columns_of_names_are_refused(tmp_path):
    path = saved(tmp_path, [{"prompt_id": "a", "unique_id": "b", "text": "One."}])
    assert "'prompt_id' and in 'unique_id'" in refusal(path, "jsonl", None, "unique_id")
    assert promptset.read(path, "jsonl", None, "prompt_id")["prompt_id"].tolist() == ["a"]
