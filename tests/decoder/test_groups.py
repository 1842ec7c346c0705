"""Rows beside those of their prompt, and places for new rows, in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from clampsweep.decoder.groups import Groups, places

GROUPS = [[0, 1, 2], [0, 2], [2, 1, 0], [1, 1, 1, 1], [2, 0, 2, 1, 0]]


def _rows(n: int) -> torch.Tensor:
    """[row, kv_head, head, x], no number twice and none 0."""
    return torch.arange(1.0, n * 2 * 3 * 5 + 1).view(n, 2, 3, 5)


@pytest.mark.parametrize("group", GROUPS)
def test_rows_stand_beside_those_of_their_prompt_in_order_and_come_back(group: list[int]) -> None:
    groups, rows = Groups(torch.tensor(group), 3), _rows(len(group))
    cells = groups.scatter(rows)
    for prompt in range(3):
        own = [at for at, other in enumerate(group) if other == prompt]
        for head in range(2):
            filled = [rows[at, head, each] for at in own for each in range(3)]
            got = cells[prompt, head, : len(filled)]
            torch.testing.assert_close(got, torch.stack(filled) if filled else got[:0])
            assert not bool(cells[prompt, head, len(filled) :].any()), "unused slots are 0"
    assert torch.equal(groups.gather(cells, 3), rows)


def test_one_row_per_prompt_in_order_is_not_moved_at_all() -> None:
    rows = _rows(3)
    assert Groups(torch.tensor([0, 1, 2]), 3).scatter(rows) is rows
    assert Groups(torch.tensor([1, 0, 2]), 3).scatter(rows) is not rows


@pytest.mark.parametrize("seed", range(40))
def test_places_have_no_gaps_and_only_what_must_move_is_copied(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_old, n_new = rng.integers(1, 9, 2)
    parent = rng.integers(0, n_old, n_new)
    found = places(parent)
    assert sorted(found.number.tolist()) == list(range(n_new))
    memory = np.arange(max(n_old, n_new))  # what each place holds: first the old row itself
    memory[found.to] = memory[found.source]
    assert memory[found.number].tolist() == parent.tolist()
    stay = {old for old in parent.tolist() if old < n_new}
    assert sorted(found.to.tolist()) == sorted(set(range(n_new)) - stay)
