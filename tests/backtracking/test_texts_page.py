"""The page of texts before and after: where they part, and what is an event."""

from __future__ import annotations

import pytest

from backtracking import made_pages
from backtracking.page_data import data_of, template
from clampsweep.studies.backtracking.events import Span
from clampsweep.studies.backtracking.rules import read_rules
from clampsweep.studies.backtracking.texts_page import (
    EVENT,
    PARTS,
    SAME,
    parting,
    pieces,
    texts_page,
)

RULES = read_rules("workflow/data/backtracking/rules.yaml")
TEXTS = made_pages.texts()
PAGE = texts_page(TEXTS, "tiny", "About.", template("texts"), RULES)
PAIRS = data_of(PAGE)["pairs"]


def test_each_problem_and_seed_is_held_against_the_top_set_and_one_random_one():
    found = [(one["problem"], one["seed"], one["against"]) for one in PAIRS]
    assert len(found) == len(set(found)) == 3 * 2 * 2


def test_pieces_are_the_whole_text():
    by_name = {
        (row["problem_id"], row["seed"], row["condition"]): row["text"]
        for row in TEXTS[TEXTS["draw"] == 0].to_dict("records")
    }
    for one in PAIRS:
        sides = ["".join(text for _, text in side["pieces"]) for side in one["sides"]]
        key = one["problem"], one["seed"]
        assert sides == [by_name[(*key, "before")], by_name[(*key, one["against"])]]


def test_events_are_marked_and_texts_that_are_the_same_say_so():
    first = next(one for one in PAIRS if one["problem"] == "p1" and one["against"] == "top")
    marked = "".join(text for kind, text in first["sides"][0]["pieces"] if kind & EVENT)
    assert marked.startswith("Wait, that is not")
    assert not [kind for kind, _ in first["sides"][1]["pieces"] if kind & EVENT]
    third = next(one for one in PAIRS if one["problem"] == "p3" and one["against"] == "top")
    assert third["same"]


@pytest.mark.parametrize(
    ("one", "other", "cut"),
    [
        ("so it is", "so it was", 6),  # at the beginning of the word
        ("so it", "so it is", 5),
        ("", "x", 0),
        ("same", "same", 4),
        ("a" * 60 + "b", "a" * 60 + "c", 60),  # no word is so long
    ],
)
def test_texts_part_at_the_word_that_differs(one, other, cut):
    assert parting(one, other) == cut


def test_a_piece_is_the_same_the_parting_or_an_event():
    found = pieces("so it was not so", 6, [Span(10, 16)])
    assert found == [(SAME, "so it "), (PARTS, "was"), (0, " "), (EVENT, "not so")]


def test_hostile_texts_are_no_html():
    assert "<img src=x" not in PAGE
    assert "<b>p2</b>" not in PAGE
