"""Whether answers are right; the oracle is what a reader of the two answers says."""

from __future__ import annotations

import threading
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking import equivalence, math_pool
from clampsweep.studies.backtracking.answers import extract
from clampsweep.studies.backtracking.equivalence import NOT_INSTALLED, Compared, compare
from clampsweep.studies.backtracking.math_pool import Verdict

needs_math_verify = pytest.mark.skipif(not math_pool.installed(), reason="needs math-verify")

# Answer, right answer, whether they are equal.
DECIDED = [
    ("7", "7", True),
    (r"\frac{1}{2}", r"\frac{1}{3}", False),
    (r"\frac{1}{2}", r"\dfrac12", True),
    ("0.5", r"\frac{1}{2}", True),
    ("1/2", "0.5", True),
    ("0.333", "1/3", False),
    ("1,000", "1000", True),
    ("1000", "1,000", True),
    ("2,125.00", "2125", True),
    ("x=7", "7", True),
    ("7", "x = 7", True),
    ("12 cm", "12", True),
    (r"12\text{ cm}", "12", True),
    ("$18", "18", True),
    ("50%", "50", True),
    ("50", r"50\%", True),
    ("0.5", r"50\%", True),
    ("50%", "1/2", True),
    ("50%", "51%", False),
    ("50%", "5", False),
    (r"\text{Evelyn}", "Evelyn", True),
    ("lead", r"\text{dale}", False),  # equal as products of letters
    ("-4", "\u22124", True),
    (r"1\frac{1}{2}", "3/2", True),
]

HANDED_ON = [
    (r"\{3,4\}", "4", False),
    ("4", r"\{3,4\}", False),
    (r"\{3,4\}", r"\{4,3\}", True),
    (r"\{3,4\}", r"\{3,5\}", False),
    ("(1,2)", "[1,2]", False),
    ("[1,2)", "[1,2]", False),
    (r"(0.5, 1)", r"\left(\frac{1}{2},1\right)", True),
    (r"(-\infty, 3)", "x<3", True),
    ("x<3", r"(-\infty, 3)", True),
    (r"x\leq3", r"(-\infty, 3)", False),
    (r"\sqrt{8}", r"2\sqrt{2}", True),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}", True),
    (r"\frac{\sqrt{3}}{2}", r"\frac{1}{\sqrt{3}}", False),
    ("(x+1)^2", "x^2+2x+1", True),
    ("2xy", "2", False),
    ("3 + 4i", "4i+3", True),
    (r"2\times10^3", "2000", True),
    ("1,2", "2,1", True),
    ("5 or 6", "5", False),
    (r"\frac{1}{1+\frac{1}{x}}", r"\frac{x}{x+1}", True),
]


def test_strings_and_numbers_decide_without_any_process(monkeypatch):
    monkeypatch.setattr(
        math_pool, "verify", lambda pairs, *_: [] if not pairs else pytest.fail(pairs)
    )
    found = compare([(answer, gold) for answer, gold, _ in DECIDED])
    for (answer, gold, equal), one in zip(DECIDED, found, strict=True):
        assert one.correct is equal, (answer, gold)
        assert one.method in ("string", "fraction")
        assert one.error is None


@needs_math_verify
def test_math_verify_decides_the_rest():
    found = compare([(answer, gold) for answer, gold, _ in HANDED_ON], workers=2, timeout=60)
    wrong = [
        (pair, one)
        for pair, one in zip(HANDED_ON, found, strict=True)
        if one != Compared(pair[2], "math-verify", None)
    ]
    assert not wrong, wrong


@needs_math_verify
def test_a_thread_may_compare():
    # math-verify's own time limit is an alarm, which raises in threads.
    found = []
    thread = threading.Thread(
        target=lambda: found.extend(compare([(r"\sqrt{8}", r"2\sqrt{2}")], timeout=60))
    )
    thread.start()
    thread.join()
    assert found == [Compared(True, "math-verify", None)]


@needs_math_verify
def test_a_pair_that_never_ends_is_an_error_of_its_own():
    found = compare([("(10^{10})!", "3"), (r"\sqrt{8}", r"2\sqrt{2}"), ("1", "1")], timeout=3)
    assert [one.correct for one in found] == [None, True, True]
    assert "more than 3 s" in found[0].error


def test_an_answer_is_compared_with_its_own_gold_alone():
    # As boxes of an output they would merge into a set, and any of them would match.
    output = r"First \boxed{3}, then \boxed{4}."
    assert compare([(extract(output).answer, "3"), (extract(output).answer, "4")]) == [
        Compared(False, "fraction", None),
        Compared(True, "string", None),
    ]


def test_math_verify_gets_each_pair_once_and_no_box_within_it(monkeypatch):
    asked = []

    def verify(pairs, workers, timeout):
        asked.append((pairs, workers, timeout))
        return [Verdict(True, None)] * len(pairs)

    monkeypatch.setattr(math_pool, "verify", verify)
    monkeypatch.setattr(math_pool, "installed", lambda: True)
    pair = (r"$\sqrt{\boxed{8}}$.", r"2\sqrt{2}")
    found = compare([pair, ("1", "1"), pair], workers=3, timeout=7)
    assert asked == [([(r"\sqrt{{8}}", r"2\sqrt{2}")], 3, 7)]
    assert found == [
        Compared(True, "math-verify", None),
        Compared(True, "string", None),
        Compared(True, "math-verify", None),
    ]


def test_without_math_verify_texts_decide_and_it_is_said(monkeypatch):
    monkeypatch.setattr(math_pool, "installed", lambda: False)
    assert compare([(r"\sqrt{8}", r"2\sqrt{2}"), ("1", "1"), ("0.5", "1/2")]) == [
        Compared(False, "string", NOT_INSTALLED),
        Compared(True, "string", None),
        Compared(True, "fraction", None),
    ]


def test_without_answer_it_is_wrong_and_without_gold_nobody_knows():
    assert compare([(None, "7"), ("7", None), (None, None)]) == [
        Compared(False, "none", None),
        Compared(None, "none", None),
        Compared(None, "none", None),
    ]


def test_nothing_compared_is_nothing():
    assert compare([]) == []


@pytest.mark.parametrize("answer", [r"\frac{1", "}{", "9" * 10**4, "x" * 10**5])
def test_broken_and_endless_answers_are_wrong_and_go_to_no_process(monkeypatch, answer):
    monkeypatch.setattr(
        math_pool, "verify", lambda pairs, *_: [] if not pairs else pytest.fail(pairs)
    )
    assert compare([(answer, "1")]) == [Compared(False, "string", None)]


numbers = st.fractions(min_value=-1000, max_value=1000, max_denominator=99)


@given(one=numbers, other=numbers)
def test_fractions_are_equal_if_and_only_if_python_says_so(one, other):
    gold = rf"\frac{{{other.numerator}}}{{{other.denominator}}}"
    assert compare([(str(one), gold)])[0].correct is (one == other)
    assert compare([(gold, gold)])[0].correct is True


@given(value=st.integers(-(10**6), 10**6), scale=st.integers(0, 4))
def test_a_decimal_is_equal_to_its_fraction(value, scale):
    exact = Fraction(value, 10**scale)
    text = f"{'-' if value < 0 else ''}{abs(value) // 10**scale}"
    text += f".{abs(value) % 10**scale:0{scale}d}" if scale else ""
    assert compare([(text, str(exact))])[0].correct is True


def test_the_methods_are_those_that_are_said():
    assert equivalence.METHODS == ("none", "string", "fraction", "math-verify")
