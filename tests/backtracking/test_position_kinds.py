"""Positions of each kind."""

from __future__ import annotations

import pytest

from clampsweep.studies.backtracking.position_kinds import KINDS, positions


def sample(sentence: int, onset: int) -> dict[str, int]:
    return {"sentence": sentence, "onset": onset, "window_start": onset - 3,
            "window_end": onset + 2}  # fmt: skip


def test_positions_are_those_of_the_definitions():
    found = positions(sample(40, 43))
    assert found["pre"] == [28, 29, 30, 31, 32]  # 12 to 8 before the sentence
    assert found["pred"] == [42]  # the token that predicts the onset
    assert found["onset"] == [43]
    assert found["window"] == [40, 41, 42, 43, 44, 45]


@pytest.mark.parametrize("sentence", [1, 5, 8, 9, 12])
def test_near_the_beginning_what_there_is_counts(sentence):
    found = positions(sample(sentence, sentence + 3))
    assert tuple(found) == KINDS
    assert found["pre"]
    assert min(found["pre"]) >= 0
