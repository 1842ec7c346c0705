"""Features of tokens, against what a reader sees in a text."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.universal.features.families import AFTER, SPANS, TESTS, sign_name, unigrams
from clampsweep.studies.universal.features.labels import labels, pieces_of, same_as

PIECES = [
    ["The", " cat", " of", " 1", "9", "8", "4", ",", "\n", " ", "sing", "ing", ".", " (", "a", ")"],
    ["x", "_", "y", " =", " 3", ".", "14", "\n   ", " Fin", "\u00e9", ".", " It", " ends", " NASA",
     " the", " the"],
]  # fmt: skip


def table(pieces: list[list[str]], domains: list[str]) -> pd.DataFrame:
    """A `TOKENS` table as far as labels read it."""
    return pd.DataFrame(
        {
            "domain": domains,
            "text": ["".join(own) for own in pieces],
            "ends": [np.cumsum([len(one) for one in own]).tolist() for own in pieces],
        }
    )


@pytest.fixture(scope="module")
def having() -> dict[str, list[list[str]]]:
    """By feature, the pieces of each sequence that have it."""
    found = labels(table(PIECES, ["prose", "code"]), {"prose": "en", "code": "python"}, 0)
    return {
        feature.name: [
            [piece for piece, yes in zip(own, row, strict=True) if yes]
            for own, row in zip(PIECES, found.values[:, :, at], strict=True)
        ]
        for at, feature in enumerate(found.features)
    }


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("the", [], [" the", " the"]),
        ("comma", [","], []),
        ("newline", ["\n"], ["\n   "]),
        ("has_newline", ["\n"], ["\n   "]),
        ("indentation", [], ["\n   "]),
        ("digit", [" 1", "9", "8", "4"], [" 3"]),
        ("numeric", [" 1", "9", "8", "4"], [" 3", "14"]),
        ("year", [" 1", "9", "8", "4"], []),
        ("first_digit", [" 1"], [" 3", "14"]),
        ("later_digit", ["9", "8", "4"], ["14"]),
        ("decimal", [], [" 3", ".", "14"]),
        ("letter_a", ["a"], []),
        ("letter_x", [], ["x"]),
        ("capitalised", ["The"], [" Fin", " It"]),
        ("all_capitals", [], [" NASA"]),
        ("punctuation", [",", ".", " (", ")"], ["_", " =", ".", "."]),
        ("opens", [" ("], []),
        ("closes", [")"], []),
        ("not_ascii", [], ["\u00e9"]),
        ("ends_ing", ["ing"], []),
        ("sentence_end", [], ["."]),
        ("sentence_start", [], [" It"]),
        ("continues_word", ["ing"], ["\u00e9"]),
        ("begins_word", ["sing"], [" Fin"]),
        ("next_to_the", [], [" the"]),
        ("next_to_opens", ["a"], []),
        ("next_to_digit", ["9", "8", "4", ","], ["."]),
        ("first_eighth", ["The", " cat"], ["x", "_"]),
        ("domain_code", [], PIECES[1]),
    ],
)
def test_a_feature_is_had_by_the_tokens_that_a_reader_sees(
    having: dict[str, list[list[str]]], name: str, first: list[str], second: list[str]
) -> None:
    assert having[name] == [first, second]


def test_a_token_that_ends_inside_a_character_has_no_characters_and_no_feature() -> None:
    assert pieces_of("a\u20acb", [1, 1, 1, 2, 3]) == ["a", "", "", "\u20ac", "b"]
    found = labels(
        pd.DataFrame({"domain": ["x"], "text": ["a\u20acb"], "ends": [[1, 1, 1, 2, 3]]}),
        {"x": "en"},
        0,
    )
    own = [one.family not in ("position", "topic", "previous token") for one in found.features]
    assert not found.values[0, 1:3][:, own].any()


def test_positions_that_are_skipped_are_still_the_token_before() -> None:
    found = labels(table([[" the", " cat", " sat"]], ["x"]), {"x": "en"}, 1)
    assert found.values.shape[1] == 2
    assert found.only(["next_to_the"]).values[0, :, 0].tolist() == [True, False]


def test_unigrams_are_the_most_frequent_words_without_digits_and_blanks() -> None:
    tests = unigrams([" b", "b", "b ", " a", "a", "7", "7", "7", "7", "  ", "  ", " c"], 2)
    assert [one.name for one in tests] == ["b", "a"]
    assert unigrams([], 5) == []


def test_names_are_readable_and_each_is_there_once() -> None:
    assert [sign_name(one) for one in ("\n", ",", "der", "\x00")] == [
        "newline",
        "comma",
        "der",
        "\\x00",
    ]
    frequent = [",", ".", "the", "of", "to", "and", "a", "\n", "_", "("]
    found = labels(
        table([[*frequent, "x", "y"]] * 3, ["p", "q", "r"]), {"p": "e", "q": "e", "r": "f"}, 0
    )
    names = [one.name for one in found.features]
    assert len(set(names)) == len(names)
    known = {*names, *(one.name for one in (*TESTS, *SPANS))}
    assert set(AFTER) <= known
    assert [name for name in names if name.startswith("language")] == ["language_e"]


def test_features_of_the_very_same_tokens_are_told() -> None:
    found = labels(table([["a", "1", "2"], ["3", " b", "c"]], ["x", "x"]), {"x": "en"}, 0)
    same = same_as(found)
    assert same["numeric"] == same["has_digit"] == "digit"
    assert "digit" not in same
