"""Moved labels keep how many there are, and where documents were."""

from __future__ import annotations

import numpy as np

from clampsweep.studies.universal.features.labels import Feature, Labels
from clampsweep.studies.universal.features.moving import moved, numbered, shift, turns


def test_a_shift_turns_each_sequence_round_by_its_own_number() -> None:
    values = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])[:, :, None]
    by_hand = [np.roll([1, 2, 3, 4], 1).tolist(), np.roll([5, 6, 7, 8], 3).tolist()]
    assert shift(values, np.array([1, 3]))[:, :, 0].tolist() == by_hand


def test_no_sequence_stays_as_it_is() -> None:
    by = turns(500, 7, np.random.default_rng(0))
    assert set(by) == {1, 2, 3, 4, 5, 6}


def test_moved_labels_keep_their_number_in_each_sequence_and_blocks_are_dealt_out() -> None:
    rng = np.random.default_rng(1)
    blocks = np.repeat(np.arange(10), 3)
    tokens = rng.random((30, 12)) < 0.3
    whole = np.tile((blocks < 4)[:, None], (1, 12))
    features = [Feature("one", "form", ""), Feature("all", "topic", "", whole=True)]
    found = Labels(features, np.stack([tokens, whole], axis=-1))
    away = moved(found, blocks, np.random.default_rng(2))
    assert (away[:, :, 0].sum(1) == tokens.sum(1)).all()
    assert (away[:, :, 0] != tokens).any()
    by_block = away[:, :, 1].reshape(10, -1)
    assert (by_block.all(1) | ~by_block.any(1)).all()
    assert by_block.all(1).sum() == 4
    assert found.values[:, :, 0].tolist() == tokens.tolist()  # the labels themselves stay


def test_names_are_numbered_in_the_order_in_which_they_come() -> None:
    assert numbered(["b", "a", "b", "c"]).tolist() == [0, 1, 0, 2]
