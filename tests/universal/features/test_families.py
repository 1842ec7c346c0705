"""Tests of single tokens: what they say of a token's own characters."""

from __future__ import annotations

from clampsweep.studies.universal.features.families import FAMILIES, SPANS, TESTS


def test_no_test_holds_of_an_empty_token_and_all_have_a_known_family() -> None:
    assert not [test.name for test in TESTS if test.holds("")]
    assert {one.family for one in (*TESTS, *SPANS)} <= set(FAMILIES)


def test_each_test_holds_of_something_and_not_of_all() -> None:
    words = [" the", "7", " 12", "(", ")", '"', "\n", "   ", "\u00df", "USA", "Ab", "-", " 3x",
             *"abcdefghijklmnopqrstuvwxyz"]  # fmt: skip
    for test in TESTS:
        assert 0 < sum(test.holds(word) for word in words) < len(words), test.name
