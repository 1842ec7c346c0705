from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clampsweep.studies.scrubbing.masks import (
    CATEGORIES,
    Lists,
    categories,
    common_tokens,
    fuzzy_numbers,
)

# Tokens by number. " The" and "the" differ by case and space alone, and so do "cat" and "cat,".
TEXTS = ["<bos>", "a", "b", "c", "the", " The", "cat", "cat,", "."]
BOS, A, B, C, LOW, UP, CAT, CATS, DOT = range(9)


def lists(candidates: set[int], common: set[int]) -> Lists:
    every = range(len(TEXTS))
    return Lists(
        np.array([i in candidates for i in every]),
        np.array([i in common for i in every]),
        fuzzy_numbers(TEXTS),
    )


# Of each example, 8 tokens: the positions 0 to 6 of each category, by hand.
BY_HAND = {
    # a b follows itself: ends of a repeated bigram at 3 (a b) and at 5 (a b); b a at 4.
    "exact bigrams": (
        [BOS, A, B, A, B, A, B, C],
        lists({A}, {BOS}),
        {
            "CANDIDATES": [1, 3, 5],
            "LATER CANDIDATES": [3, 5],
            "REPEATS": [2, 3, 4, 5],
            "UNCOMMON REPEATS": [2, 3, 4, 5],
            "NON-ERB UNCOMMON REPEATS": [2],
            "MISLEADING INDUCTION": [6],  # b, seen before, never followed by c
            "CANDIDATE ERB": [3, 5],
            "NFERB UR": [2],
        },
    ),
    # the cat ... The cat, ... : a bigram that is repeated but for case and comma.
    "fuzzy bigrams": (
        [BOS, LOW, CAT, A, CATS, UP, CATS, CAT],
        lists({LOW, UP}, {BOS, A}),
        {
            "CANDIDATES": [1, 5],
            "LATER CANDIDATES": [],
            "REPEATS": [5, 6],  # cat, again at 6, cat again at 7
            "UNCOMMON REPEATS": [5, 6],
            "NON-ERB UNCOMMON REPEATS": [5, 6],
            "MISLEADING INDUCTION": [6],
            "CANDIDATE ERB": [],
            "NFERB UR": [6],  # The cat, repeats the cat
        },
    ),
    # b and BOS are common: no uncommon repeats of b, and nothing misleads from it.
    "common tokens": (
        [BOS, B, C, B, B, C, C, A],
        lists(set(), {BOS, B}),
        {
            "CANDIDATES": [],
            "LATER CANDIDATES": [],
            "REPEATS": [2, 3, 4, 5],
            "UNCOMMON REPEATS": [4, 5],
            "NON-ERB UNCOMMON REPEATS": [5],
            "MISLEADING INDUCTION": [5, 6],  # c c and c a, after c b
            "CANDIDATE ERB": [],
            "NFERB UR": [5],
        },
    ),
    # A label that is its input is a repeat; the pair a a is repeated from its second time on.
    "one token": (
        [BOS, A, A, A, A, A, A, A],
        lists({A}, {BOS}),
        {
            "CANDIDATES": [1, 2, 3, 4, 5, 6],
            "LATER CANDIDATES": [2, 3, 4, 5, 6],
            "REPEATS": [1, 2, 3, 4, 5, 6],
            "UNCOMMON REPEATS": [1, 2, 3, 4, 5, 6],
            "NON-ERB UNCOMMON REPEATS": [1],
            "MISLEADING INDUCTION": [],
            "CANDIDATE ERB": [2, 3, 4, 5, 6],
            "NFERB UR": [1],
        },
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_each_category_holds_the_positions_that_were_found_by_hand(case):
    tokens, of_tokens, expected = BY_HAND[case]
    found = categories(np.array(tokens), of_tokens)
    held = {name: np.flatnonzero(row).tolist() for name, row in zip(CATEGORIES, found, strict=True)}
    assert held == {"OVERALL": [0, 1, 2, 3, 4, 5, 6], **expected}


@given(
    st.lists(st.integers(1, 8), min_size=2, max_size=30),
    st.sets(st.integers(0, 8)),
    st.sets(st.integers(0, 8)),
)
def test_categories_hold_each_other(tokens, candidates, common):
    rows = categories(np.array([BOS, *tokens]), lists(candidates, common))
    found = dict(zip(CATEGORIES, rows, strict=True))
    for inner, outer in [
        ("LATER CANDIDATES", "CANDIDATES"),
        ("CANDIDATE ERB", "LATER CANDIDATES"),
        ("UNCOMMON REPEATS", "REPEATS"),
        ("NON-ERB UNCOMMON REPEATS", "UNCOMMON REPEATS"),
        ("NFERB UR", "NON-ERB UNCOMMON REPEATS"),
    ]:
        assert not (found[inner] & ~found[outer]).any(), (inner, outer)


def test_a_later_token_moves_no_earlier_position():
    tokens, of_tokens, _ = BY_HAND["exact bigrams"]
    changed = [*tokens[:6], C, C]
    before, after = (categories(np.array(one), of_tokens) for one in (tokens, changed))
    assert (before[:, :5] == after[:, :5]).all()


def test_fuzzy_forms_drop_case_spaces_and_marks_at_the_ends():
    numbers = fuzzy_numbers(["cat", " Cat", "CAT.", '("cat")', "ca-t", "cats", "_cat;", ",", ". "])
    assert numbers[:4].tolist() == [0, 0, 0, 0]
    assert numbers[6] == 0
    assert len(set(numbers[[0, 4, 5]])) == 3
    assert numbers[7] == numbers[8]  # nothing is left of both


def test_common_tokens_are_the_most_frequent_and_of_equals_the_first():
    tokens = np.array([[3, 3, 3, 1], [1, 2, 0, 5]])
    assert np.flatnonzero(common_tokens(tokens, 6, n=3)).tolist() == [0, 1, 3]
    assert common_tokens(tokens, 6).all()  # 200 are more than there are
