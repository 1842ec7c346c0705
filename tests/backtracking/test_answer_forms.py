"""Forms of answers: what only looks different becomes equal, and numbers are exact."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.answer_forms import is_word, normalised, number, undressed

SAME = [
    (r"$\frac{1}{2}$", r"\dfrac{1}{2}", r"\tfrac12", r"\frac1{2}", r"\( \frac{ 1 }{2} \)"),
    ("7", "x=7", "x = 7", "$x = 7$.", "**7**", r"\[ 7 \]", "n_1 = 7", "x=$7$"),
    ("1000", "1,000", r"1{,}000", r"1,\!000", "$1,000$", r"\$1,000", "1 000"),
    ("12", "12 cm", "12cm", r"12 \text{ cm}", r"12\,\mathrm{cm}", r"12\text{ cm}^2", "12 apples",
     "12 square feet", "12 km/h", "12 miles per hour", r"12\text{ m}"),
    ("18", "$18", r"\$18", "18 dollars", "\u00a318", "\u20ac 18", r"\$18.", "$18$"),
    ("20", r"20^\circ", r"20^{\circ}", "20\u00b0", "20 degrees"),
    ("25%", r"25\%", "25 %", "25 percent", "25 per cent", r"25\text{ percent}"),
    ("-4", "\u22124", "\u20134", "$-4$"),
    (r"(1,\frac{1}{2})", r"\left( 1, \dfrac{1}{2} \right)", r"$(1,\; \frac12)$"),
    ("evelyn", "Evelyn", r"\text{Evelyn}", r"\textbf{evelyn}."),
    ("C", "(C)", r"\text{(C)}", r"\text{C}"),
    (r"1\frac{1}{2}", "1 1/2", r"1 \frac{1}{2}"),
    (r"2\pi r", r"2 \pi r", r"2\pi  r"),
]  # fmt: skip


@pytest.mark.parametrize("answers", SAME, ids=lambda one: one[0])
def test_what_only_looks_different_has_one_form(answers):
    assert len({normalised(answer) for answer in answers}) == 1, list(map(normalised, answers))


DIFFERENT = [
    (r"\frac{1}{2}", r"\frac{1}{3}"),
    ("4", r"\{3,4\}"),
    ("(1,2)", "[1,2]"),
    ("2", "2 xy", "2x", "2abc", "2 xyz"),
    ("2", "2 or 3", "2 pi", r"2\pi", "2 thousand", "2 dozen eggs", "2 and a half", r"2\mathrm{i}"),
    ("1,2", "12", "1, 2, 3"),
    ("1,000,2", "10002"),
    ("A", "a"),
    ("x", "-x"),
    ("y=2x+1", "y=2x"),
    (r"\sqrt{2}", "2"),
    ("10_2", "10"),
]


@pytest.mark.parametrize("answers", DIFFERENT, ids=lambda one: one[0])
def test_what_is_different_stays_so(answers):
    assert len({normalised(answer) for answer in answers}) == len(answers)


@given(st.text())
def test_any_answer_has_a_form_that_keeps_no_spaces(answer):
    form = normalised(answer)
    assert not set(form) & set(" \t\n")
    number(form)


NUMBERS = {
    "7": Fraction(7), "-7": Fraction(-7), "+7": Fraction(7), "007": Fraction(7),
    "0.5": Fraction(1, 2), ".5": Fraction(1, 2), "5.": Fraction(5), "0.1": Fraction(1, 10),
    "7/3": Fraction(7, 3), "-7/3": Fraction(-7, 3), "(7)/(-3)": Fraction(-7, 3),
    r"\frac{7}{3}": Fraction(7, 3), r"-\frac{7}{3}": Fraction(-7, 3),
    r"\frac{-7}{3}": Fraction(-7, 3), r"1\frac{1}{2}": Fraction(3, 2),
    r"-1\frac{1}{2}": Fraction(-3, 2), r"\frac{6}{4}": Fraction(3, 2),
}  # fmt: skip


@pytest.mark.parametrize(("form", "value"), NUMBERS.items(), ids=NUMBERS)
def test_numbers_are_exact(form, value):
    assert number(form) == (value, False)
    assert number(f"{form}%") == (value, True)


@pytest.mark.parametrize(
    "form",
    ["", "%", "x", "1,2", "(1,2)", "1/0", r"\frac{1}{0}", "1/2/3", "0.5/2", r"\frac{1}{x}", "2x",
     "1e5", "--1", "1-2", r"1\frac{-1}{2}", r"\sqrt{4}", "inf", "nan", "1_000", "9" * 5000],
)  # fmt: skip
def test_what_is_no_plain_number_is_none(form):
    assert number(form) is None


@given(st.fractions())
def test_a_fraction_comes_back_from_each_of_its_spellings(value):
    above, below = value.numerator, value.denominator
    for text in (str(value), rf"\frac{{{above}}}{{{below}}}", rf"$\dfrac{{{above}}}{{{below}}}$"):
        assert number(normalised(text)) == (value, False)


@given(st.integers())
def test_thousands_may_be_set_off(value):
    assert number(normalised(f"{value:,}")) == (value, False)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    )
)
def test_a_decimal_is_its_exact_value(value):
    assert number(normalised(f"{value:f}")) == (Fraction(value), False)


def test_a_word_is_told_from_a_product_of_variables():
    assert is_word(normalised(r"\text{Evelyn}"))
    assert not is_word(normalised("ab"))
    assert not is_word(normalised(r"\pi"))


def test_dressing_comes_off_only_where_it_is_around_the_whole():
    assert undressed("$x$ and $y$") == "$x$ and $y$"
    assert undressed("$x$.") == "x"
