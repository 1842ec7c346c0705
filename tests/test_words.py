"""Numbers and lists in words."""

from __future__ import annotations

import pytest

from clampsweep.words import counted, listed, signed, some_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.0, "+3"),
        (-0.5, "-0.5"),
        (-1e-7, "-1e-07"),
        (1234567.0, "+1.23457e+06"),
    ],
)
def test_numbers_carry_their_sign(value, text):
    assert signed(value) == text


def test_words_are_listed_as_a_phrase():
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


@pytest.mark.parametrize(
    ("n", "text"), [(0, "0 texts"), (1, "1 text"), (2, "2 texts"), (1200, "1,200 texts")]
)
def test_a_number_agrees_with_its_noun(n, text):
    assert counted(n, "text") == text


@pytest.mark.parametrize(
    ("n", "total", "text"),
    [
        (160, 160, "all prompts"),
        (40, 160, "40 of the 160 prompts"),
        (0, 1, "0 of the 1 prompts"),
        (1200, 34567, "1,200 of the 34,567 prompts"),
    ],
)
def test_a_part_is_told_from_the_whole(n, total, text):
    assert some_of(n, total, "prompts") == text
