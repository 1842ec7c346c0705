"""What training steps are shown, looked at by brute force."""

from __future__ import annotations

import pytest
import torch

from clampsweep.models.making import BEGIN_ID
from clampsweep.studies.scrubbing.making.drawing import begun, draw, repeated, window

LENGTH, D_VOCAB = 48, 1000
NATURAL = torch.arange(1, 900)  # each token once, so that what repeats was pasted


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def repeats(row: list[int]) -> int:
    """Number of tokens of a row that occurred in it before."""
    return sum(token in row[:at] for at, token in enumerate(row))


@pytest.mark.parametrize("seed", range(5))
def test_the_shares_of_a_batch_are_as_asked(seed):
    batch = draw(NATURAL, D_VOCAB, LENGTH, 10, 0.6, generator(seed))
    assert batch.ids.shape == (10, LENGTH + 1)
    assert (batch.ids[:, 0] == BEGIN_ID).all()
    rows = batch.ids[:, 1:].tolist()
    for row, counted in zip(rows[:3], batch.counted[:3].tolist(), strict=True):
        period = LENGTH - sum(counted)  # labels of the first copy do not count
        assert counted == [False] * period + [True] * (LENGTH - period)
        assert LENGTH // 8 <= period <= LENGTH // 2
        assert all(row[at] == row[at - period] for at in range(period, LENGTH))
    assert batch.counted[3:].all()
    for row in rows[3:6]:
        assert LENGTH // 16 < repeats(row) <= LENGTH // 3
    for row in rows[6:]:
        assert row == list(range(row[0], row[0] + LENGTH))


def test_a_pasted_part_stands_after_the_part_that_it_repeats():
    for seed in range(20):
        row = draw(NATURAL, D_VOCAB, LENGTH, 2, 1.0, generator(seed)).ids[1, 1:].tolist()
        again = [at for at, token in enumerate(row) if token in row[:at]]
        source = row.index(row[again[0]])
        assert again == list(range(again[0], again[0] + len(again)))
        assert source + len(again) <= again[0]
        assert row[source : source + len(again)] == [row[at] for at in again]


def test_random_tokens_are_never_the_one_that_begins_a_text():
    row = repeated(4, 500, 1200, generator())
    assert set(row.tolist()) == {1, 2, 3}
    assert row[:500].tolist() == row[500:1000].tolist()
    assert row[1000:].tolist() == row[:200].tolist()
    assert begun(row[None])[0].tolist() == [BEGIN_ID, *row.tolist()]


def test_a_window_may_reach_both_ends_of_the_text_and_is_a_copy():
    text = torch.arange(10)
    starts = {int(window(text, 8, generator(seed))[0]) for seed in range(50)}
    assert starts == {0, 1, 2}
    window(text, 10, generator()).zero_()
    assert text.tolist() == list(range(10))


def test_the_same_generator_draws_the_same_batch():
    one, two = (draw(NATURAL, D_VOCAB, LENGTH, 6, 0.5, generator(3)) for _ in range(2))
    assert torch.equal(one.ids, two.ids)
    assert not torch.equal(one.ids, draw(NATURAL, D_VOCAB, LENGTH, 6, 0.5, generator(4)).ids)
