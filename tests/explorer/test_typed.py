"""What was typed into the form: read, refused with what is allowed, and shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.config.checker import Checker
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.explorer.typed import (
    check_decoding,
    check_scope,
    read_stop_strings,
    read_values,
    show_stop_strings,
)
from clampsweep.registry import STUDIES
from clampsweep.texts.request import Decoding

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
CHECKER = Checker({"the form": {}}, join(SCHEMAS, STUDIES))


@pytest.mark.parametrize(
    ("text", "found"),
    [("5, -3,5", [-3, 5]), ("1e2;0", [0, 100]), (" 2.5 ,", [2.5])],
)
def test_values_are_read_once_each_in_order(text: str, found: list[float]) -> None:
    assert read_values(text) == found


@pytest.mark.parametrize("text", ["", " , ", "5, x", "nan", "1, inf", "5 6"])
def test_values_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="write numbers, such as -10, 10"):
        read_values(text)


def test_scopes_are_names_or_positions() -> None:
    assert check_scope("last", "junk", CHECKER) == "last"
    assert check_scope("positions", "3, 0", CHECKER) == "0,3"
    for wrong in ("", "x", "-1", "1, 1"):
        with pytest.raises(UserError, match="the form: positions"):
            check_scope("positions", wrong, CHECKER)


def test_decoding_keeps_what_the_method_uses() -> None:
    given = {"method": "greedy", "max_new_tokens": 9.0, "temperature": -1, "top_k": 0, "top_p": 7}
    assert check_decoding(given, CHECKER) == Decoding("greedy", 9)
    given |= {"method": "sample", "temperature": 0.5, "top_k": " 3", "top_p": " "}
    assert check_decoding(given, CHECKER) == Decoding("sample", 9, 0.5, 3, None)
    given |= {"top_k": "", "top_p": "0.25"}
    assert check_decoding(given, CHECKER) == Decoding("sample", 9, 0.5, None, 0.25)


@pytest.mark.parametrize(
    "wrong",
    [{"max_new_tokens": 0}, {"max_new_tokens": None}, {"max_new_tokens": 2.5}, {"temperature": 0},
     {"temperature": None}, {"top_k": 0}, {"top_k": 1.5}, {"top_p": 0},
     {"top_p": "1.1"}, {"top_k": "many"}, {"top_p": "nan"}, {"temperature": float("inf")}],
)  # fmt: skip
def test_decoding_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    given = {"method": "sample", "max_new_tokens": 5, "temperature": 1.0, "top_k": 2, "top_p": 0.5}
    with pytest.raises(UserError, match="the form: decoding"):
        check_decoding(given | wrong, CHECKER)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)))
def test_stop_strings_are_read_as_they_are_shown(strings: list[str]) -> None:
    assert read_stop_strings(show_stop_strings(strings)) == strings


def test_stop_strings_stand_one_a_line_with_line_ends_as_escapes() -> None:
    assert read_stop_strings('\\n\\n\n\n"quoted" \\\\n\n é ') == ["\n\n", '"quoted" \\n', " é "]
    given = {"method": "greedy", "max_new_tokens": 9, "stop_strings": "b\na"}
    assert check_decoding(given, CHECKER) == Decoding("greedy", 9, stop_strings=("a", "b"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "ok\n\\x",
            r"stop strings: got '\\\\x'; write \\n for a line end, \\t for a tab and \\\\ for",
        ),
        ("a\na", r"stop_strings: 'a' stands in the list twice; remove one"),
        ("\\ud800", r"stop_strings\[0\]: got '.*'; it must match"),
    ],
)
def test_stop_strings_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(UserError, match=f"^the form: (decoding.)?{said}"):
        check_decoding({"method": "greedy", "max_new_tokens": 5, "stop_strings": text}, CHECKER)
