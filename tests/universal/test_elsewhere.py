"""Shifts within sequences, and swaps of sequences."""

import itertools

import numpy as np

from clampsweep.studies.universal.elsewhere import shifted_places, swapped_places

LENGTHS = (30, 1, 0, 50, 19)


def test_shifts_go_round_within_sequences() -> None:
    rng = np.random.default_rng(0)
    starts = np.cumsum([0, *LENGTHS])
    for _ in range(50):
        found = shifted_places(LENGTHS, rng)
        for start, stop in itertools.pairwise(starts):
            own, length = found[start:stop] - start, stop - start
            if length:
                np.testing.assert_array_equal(own, (own[0] + np.arange(length)) % length)
            assert length < 2 or own[0] > 0


def test_swaps_keep_places_and_change_the_sequence() -> None:
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(50):
        found = swapped_places([10, 10, 10], rng).reshape(3, 10)
        np.testing.assert_array_equal(found % 10, np.tile(np.arange(10), (3, 1)))
        assert set(found[:, 0] // 10) == {0, 1, 2}
        assert not (found[:, 0] // 10 == np.arange(3)).any()
        seen.add(int(found[0, 0]))
    assert seen == {10, 20}


def test_swaps_with_a_sequence_of_another_length() -> None:
    found = swapped_places([4, 2], np.random.default_rng(0))
    assert found.tolist() == [4, 4, 5, 5, 0, 2]
    assert swapped_places([3], np.random.default_rng(0)).tolist() == [0, 1, 2]
    assert swapped_places([2, 0], np.random.default_rng(0)).tolist() == [0, 1]
