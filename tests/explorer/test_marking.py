"""Texts as HTML: escaped, whole, and marked where they differ."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from clampsweep.explorer.marking import (
    Piece,
    differences,
    first_difference,
    message,
    passage,
    side_by_side,
    table,
    words,
)

TEXTS = st.text(alphabet=st.sampled_from("ab <&>\"'\n${}é"), max_size=30)
_UNSEEN = re.compile(r'<span class="cs-(?:first|quiet)".*?</span>(?:</span>)?')


def shown(markup: str) -> str:
    """Text of a passage as a reader sees it, the mark of the first difference apart."""
    return html.unescape(re.sub(r"<[^>]*>", "", _UNSEEN.sub("", markup)))


def marked(markup: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r"<mark[^>]*>(.*?)</mark>", markup, re.S)]


@given(TEXTS)
def test_a_passage_says_the_text_and_nothing_else(text: str) -> None:
    made = str(passage(words(text), [(1, 4), (6, 7)], first=2))
    assert shown(made) == text
    assert set(re.findall(r"</?(\w+)", made)) <= {"p", "span", "mark"}


@given(TEXTS, TEXTS)
def test_without_what_is_marked_the_words_are_alike(one: str, other: str) -> None:
    def rest(text: str, ranges: list[tuple[int, int]]) -> list[str]:
        left = [c for at, c in enumerate(text) if not any(low <= at < high for low, high in ranges)]
        return re.findall(r"\s+|\S+", "".join(left))

    here, there = differences(one, other)
    assert "".join(rest(one, here)) == "".join(rest(other, there))
    assert (one == other) == (not here and not there)


def test_differing_words_are_marked_and_the_first_is_pointed_at() -> None:
    made = str(side_by_side(("a", "b"), (words("the cat sat on it"), words("the cat ran on"))))
    left, right = made.split('aria-label="b"')
    assert marked(left) == ["sat", " ", "it"]
    assert marked(right) == ["ran"]
    for part in (left, right):
        assert "".join(re.findall(r"<span>(.*?)</span>", part.split("cs-first")[0])) == "the cat "


def test_the_first_difference_is_that_of_the_pieces() -> None:
    def tokens(*texts: str) -> list[Piece]:
        return [Piece(text) for text in texts]

    assert first_difference(tokens("a", "b"), tokens("a", "b")) is None
    assert first_difference(tokens("ab", "c"), tokens("ab", "cd")) == 2
    assert first_difference(tokens("ab"), tokens("ab", "x")) == 2
    assert first_difference(tokens(), tokens("x")) == 0


def test_equal_texts_are_said_to_be() -> None:
    made = str(side_by_side(("a", "b"), (words("x y"), words("x y"))))
    assert "The texts are equal." in made
    assert "cs-first" not in made
    assert "<mark" not in made


def test_hints_titles_cells_and_messages_are_escaped() -> None:
    bad = '"><img src=x onerror=alert(1)>'
    made = [
        passage([Piece("x", bad)]),
        side_by_side((bad, bad), (words(bad), words(bad))),
        table([bad], [[bad, bad, 1.5]], bad),
        message(bad, "alert"),
    ]
    for one in made:
        assert "<img" not in str(one)
        assert "&lt;img" in str(one)


def test_a_table_writes_numbers_flags_and_blanks() -> None:
    made = str(table(["n", "v"], [["a", 0.123456], ["b", True], ["c", None], ["d", 3]], "t"))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", made)
    assert cells == ["0.1235", "yes", "none", "3"]
