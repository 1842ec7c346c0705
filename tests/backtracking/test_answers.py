"""Answers: which of an output's words is its answer, and what published sets give as right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.answers import METHODS, boxed, extract, gold

BOXES = {
    "plain": (r"So it is \boxed{42}.", "42"),
    "nested braces": (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"),
    "braces nested twice": (r"$\boxed{\sqrt{\frac{a}{b^{2}}}}$", r"\sqrt{\frac{a}{b^{2}}}"),
    "braces of a set": (r"\boxed{\{3,4\}}", r"\{3,4\}"),
    "a brace that is never closed": (r"\boxed{\left\{ x \right.}", r"\left\{ x \right."),
    "the last one": (r"\boxed{1}, no: \boxed{2}", "2"),
    "fbox": (r"\fbox{7}", "7"),
    "a space before the brace": (r"\boxed {8}", "8"),
    "no brace": (r"$\boxed 9$.", "9"),
    "an empty one after it": (r"\boxed{5} as asked in \boxed{}", "5"),
    "empty ones after it": (r"\boxed{5} \boxed{ } \fbox{\boxed{}} \boxed{\,}", "5"),
    "a box in a box": (r"\boxed{\boxed{6}}", "6"),
    "after thinking": ("<think>\\boxed{1}</think> It is \\boxed{2}.", "2"),
    "words": (r"\boxed{\text{Evelyn}}", r"\text{Evelyn}"),
    "over lines": ("\\boxed{\n12\n}", "12"),
}


@pytest.mark.parametrize(("output", "answer"), BOXES.values(), ids=BOXES)
def test_the_last_full_box_is_the_answer(output, answer):
    assert extract(output) == (answer, "boxed")


def test_different_fractions_are_not_cut_to_the_same():
    # As a pattern that stops at the first brace does: both become `\frac{1`.
    half, third = (extract(rf"\boxed{{\frac{{1}}{{{n}}}}}").answer for n in (2, 3))
    assert half != third


@pytest.mark.parametrize(
    "output",
    [r"So \boxed{12", r"\boxed{\frac{1}{2}", r"\boxed{3} or rather \boxed{4", r"\boxed{",
     r"The answer is 3. #### 4 \boxed{\{1, 2\}", "<think>\\boxed{1}</think>\\boxed{2"],
)  # fmt: skip
def test_an_output_that_ends_in_its_last_box_is_truncated(output):
    assert extract(output) == (None, "truncated")


def test_a_box_in_an_unclosed_one_counts():
    assert extract(r"\boxed{ so \boxed{6}").answer == "6"


HASHES = {
    "as GSM8K has it": ("She makes 9 * 2 = 18.\n#### 18", "18"),
    "thousands": ("#### 2,125", "2,125"),
    "a unit": ("#### 12 cm", "12 cm"),
    "money": ("####$5.50", "$5.50"),
    "negative": ("#### -3", "-3"),
    "mathematics": (r"#### $\frac{1}{2}$", r"$\frac{1}{2}$"),
    "the last one": ("#### 1\n#### 2\n", "2"),
    "above a heading": ("#### 5\n#### Check\n7", "5"),
    "above a numbered heading": ("#### 5\n#### 2. Check", "5"),
    "above a heading in words": ("#### 5\n#### 3 ways to check", "5"),
}


@pytest.mark.parametrize(("output", "answer"), HASHES.values(), ids=HASHES)
def test_then_what_stands_after_the_hashes(output, answer):
    assert extract(output) == (answer, "hash")


PHRASES = {
    "plain": ("The answer is 5. That took 3 steps.", "5"),
    "final": ("So the final answer is: 1,234 because of 7.", "1,234"),
    "bold": ("**Answer:** 42\nDone in 2 steps.", "42"),
    "bold number": ("The answer is **42**.", "42"),
    "mathematics": (r"The answer is $\frac{1}{2}$ of 3.", r"\frac{1}{2}"),
    "mathematics in brackets": (r"The answer is \(x^2\).", "x^2"),
    "an equation": ("The answer is x = 5. I took 2 steps.", "x = 5"),
    "a term": ("The answer is 2x + 3. I took 4 steps.", "2x + 3"),
    "a power": ("The answer is 2^10", "2^10"),
    "a remark": ("The answer is 12 (twelve) - as in step 3.", "12"),
    "a list": ("The answer is 1, 2. I took 3 steps.", "1, 2"),
    "a unit": ("The answer is 12 cm in 3 steps.", "12"),
    "a fraction": ("The answer is 7/3, not 2.", "7/3"),
    "a decimal": ("The answer is 2.5. I took 2 steps.", "2.5"),
    "the last one": ("The answer is 1. Wait, the answer is 2.", "2"),
    "one that is talked about": ("The answer is 9. The answer is correct.", "9"),
}


@pytest.mark.parametrize(("output", "answer"), PHRASES.values(), ids=PHRASES)
def test_then_what_is_said_to_be_the_answer(output, answer):
    assert extract(output) == (answer, "phrase")


NUMBERS = {
    "the last one": ("First 3, then 5 apples", "5"),
    "at a sentence's end": ("That makes 12.", "12"),
    "a difference is no sign": ("It is 9-4", "4"),
    "a sign": ("It is -4", "-4"),
    "a sign of print": ("It is \u22124", "\u22124"),
    "thousands": ("In all 12,000 people", "12,000"),
    "a list is no thousands": ("I see 1,2", "2"),
    "a fraction": ("so 7/3 remain", "7/3"),
    "a fraction of LaTeX": (r"so $-\frac{7}{3}$ remain", r"-\frac{7}{3}"),
    "a decimal": ("so 0.25 remain", "0.25"),
    "percent": ("so 25% remain", "25%"),
    "not within a word": ("7 by model L20N3", "7"),
    "not a version": ("7 and v1.2.3", "7"),
    "money": ("in all $18", "$18"),
}


@pytest.mark.parametrize(("output", "answer"), NUMBERS.values(), ids=NUMBERS)
def test_then_the_last_number(output, answer):
    assert extract(output) == (answer, "number")


@pytest.mark.parametrize("output", ["", "I do not know.", "<think></think>", r"\boxed{} \boxed{ }"])
def test_an_output_without_any_answers_nothing(output):
    assert extract(output) == (None, "none")


def test_thinking_counts_only_if_nothing_follows_it():
    assert extract("<think>It is 3.</think> So the answer is 4.") == ("4", "phrase")
    assert extract("<think>\\boxed{3}</think> So 4.") == ("4", "number")
    assert extract("<think>\\boxed{3}</think>") == ("3", "boxed")
    assert extract("<think>\\boxed{3}, so") == ("3", "boxed")


@given(st.text(st.sampled_from("\\boxed{}\\fbox #$.,-19answer is\n/%</think>")))
def test_any_output_has_one_of_the_methods_and_an_answer_if_it_was_found(output):
    answer, method = extract(output)
    assert method in METHODS
    assert (answer is None) == (method in ("truncated", "none"))
    assert answer is None or answer.strip()


contents = st.recursive(
    st.text("ab1,+ ", min_size=1).filter(str.strip),
    lambda inner: st.builds(lambda left, right: f"{left}{{{right}}}\\}}", inner, inner),
)


@given(contents, st.text("ab1 .\n"))
def test_any_balanced_content_comes_out_of_its_box_whole(content, after):
    assert boxed(f"\\boxed{{{content}}}{after}").answer == content.strip()


# Right answers of published sets


@pytest.mark.parametrize(
    ("row", "answer"),
    [
        ({"answer": "3*700=$<<3*700=2100>>2,100.\n#### 2,100"}, "2,100"),
        ({"answer": "\\left( 3, \\frac{\\pi}{2} \\right)", "solution": "\\boxed{1}"},
         "\\left( 3, \\frac{\\pi}{2} \\right)"),
        ({"answer": None, "solution": "First \\boxed{1}, then $\\boxed{\\frac{1}{2}}$."},
         "\\frac{1}{2}"),
        ({"solution": "So $x=\\fbox{2}$"}, "2"),
        ({"answer": "", "solution": "It is \\boxed 4."}, "4"),
        ({"answer": "It is \\boxed{7}."}, "7"),
        ({"answer": "7/3"}, "7/3"),
        ({"answer": "####"}, None),
        ({"solution": "nothing boxed"}, None),
        ({"problem": "What is 1+1?"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_right_answer_is_read_from_the_published_columns(row, answer):
    assert gold(row) == answer
