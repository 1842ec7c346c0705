"""Folded text against Python's own normal form, and the way back to the characters it came from."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.backtracking.folding import fold

TEXTS = st.text(
    st.sampled_from(
        "aE İıßΣσς'\u2019\u201c\u201d \u0301\u0323\u0307éÅ\u212bﬁ가\u1100\u1161\u11a8\n."
    )
    | st.characters()
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("That\u2019s NOT \u201cright\u201d", 'that\'s not "right"'),
        ("cafe\u0301!", "café!"),
        ("İ", "i\u0307"),
        ("ΟΔΟΣ", "οδοσ"),
        ("", ""),
    ],
)
def test_quotes_are_straight_letters_small_and_composed(text: str, folded: str) -> None:
    assert fold(text).text == folded


@given(TEXTS)
def test_it_is_the_composed_text_in_small_letters(text: str) -> None:
    whole = unicodedata.normalize("NFC", text)
    for curly, straight in zip(
        "\u2018\u2019\u201b\u02bc\u2032\u201c\u201d\u201f\u2033", "'''''\"\"\"\"", strict=True
    ):
        whole = whole.replace(curly, straight)
    assert fold(text).text == "".join(char.lower() for char in whole)


@given(TEXTS)
def test_every_character_comes_from_a_part_and_the_parts_make_the_text(text: str) -> None:
    folded = fold(text)
    assert len(folded.starts) == len(folded.ends) == len(folded.text)
    parts = sorted(set(zip(folded.starts, folded.ends, strict=True)))
    assert folded.starts == sorted(folded.starts)
    assert "".join(text[start:end] for start, end in parts) == text
    assert all(end == start for (_, end), (start, _) in pairwise(parts))


@given(TEXTS)
def test_a_part_folds_to_the_characters_that_come_from_it(text: str) -> None:
    folded = fold(text)
    for start, end in set(zip(folded.starts, folded.ends, strict=True)):
        own = "".join(
            char for char, at in zip(folded.text, folded.starts, strict=True) if at == start
        )
        assert fold(text[start:end]).text == own


def test_characters_behind_one_that_grows_are_found_where_they_stood() -> None:
    text = "İİ e\u0301 Wait"
    folded = fold(text)
    at = folded.text.index("wait")
    assert at != text.index("Wait")
    assert text[folded.starts[at] : folded.ends[at + 3]] == "Wait"
