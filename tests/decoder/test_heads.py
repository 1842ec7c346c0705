"""Rows that share bases, and the factors of their logits, row by row."""

from __future__ import annotations

import pytest
import torch

from clampsweep.decoder.heads import Factors, Heads, Shifts

D_MODEL, N_VOCAB = 4, 6
DIRECTIONS = torch.tensor([[1.0, 0, 0, 2], [0, 1, 0, 0], [0, 0, -1, 1]])


def _heads(seed: int, base: list[int] | None, row: list[int], number: list[int]) -> Heads:
    generator = torch.Generator().manual_seed(seed)
    residual = torch.randn(3, D_MODEL, generator=generator)
    delta = torch.randn(len(row), generator=generator)
    shifts = Shifts(torch.tensor(row), torch.tensor(number), delta, DIRECTIONS, None)
    return Heads(residual, None if base is None else torch.tensor(base), shifts)


def _wanted(heads: Heads) -> list[torch.Tensor]:
    rows = []
    for row, base in enumerate(range(3) if heads.base is None else heads.base.tolist()):
        stream = heads.residual[base].clone()
        assert heads.shifts is not None
        for at, of in enumerate(heads.shifts.row.tolist()):
            if of == row:
                stream += heads.shifts.delta[at] * DIRECTIONS[heads.shifts.number[at]]
        rows.append(stream)
    return rows


ONE = (0, [2, 0, 0, 1, 2], [4, 0, 4, 4, 1], [0, 1, 0, 2, 2])
TWO = (1, [1, 1], [0, 1], [2, 1])


@pytest.mark.parametrize("heads", [ONE, TWO, (2, None, [2, 0, 2], [1, 1, 0])])
def test_a_row_is_its_base_and_all_its_shifts(
    heads: tuple[int, list[int] | None, list[int], list[int]],
) -> None:
    made = _heads(*heads)
    wanted = _wanted(made)
    assert len(made) == len(wanted)
    torch.testing.assert_close(made.rows(), torch.stack(wanted))


def test_joined_parts_have_the_rows_of_each_in_order() -> None:
    parts = [_heads(*ONE), _heads(*TWO), _heads(*ONE)]
    wanted = [row for part in parts for row in _wanted(part)]
    torch.testing.assert_close(Heads.join(parts).rows(), torch.stack(wanted))


def _factors(base: list[int] | None, n_extra: int) -> Factors:
    generator = torch.Generator().manual_seed(n_extra)
    n_rows = 3 if base is None else len(base)
    return Factors(
        torch.randn(3, D_MODEL, generator=generator),
        None if base is None else torch.tensor(base),
        torch.randn(n_rows, n_extra, generator=generator),
        torch.randn(n_extra, N_VOCAB, generator=generator),
        torch.rand(n_rows, generator=generator) + 1,
    )


@pytest.mark.parametrize("base", [None, [2, 0, 0, 1, 2]])
@pytest.mark.parametrize("n_extra", [0, 2])
def test_factors_give_every_row_its_scores_in_any_columns(
    base: list[int] | None, n_extra: int
) -> None:
    factors = _factors(base, n_extra)
    weight = torch.randn(N_VOCAB, D_MODEL, generator=torch.Generator().manual_seed(9))
    products = factors.x @ weight.T  # [base, d_vocab]
    wanted = torch.stack(
        [
            products[of]
            + sum(factors.coefficient[row, at] * factors.extra[at] for at in range(n_extra))
            for row, of in enumerate(range(3) if base is None else base)
        ]
    )
    torch.testing.assert_close(factors.rows(products, slice(None)), wanted)
    padded = torch.cat([products[:, 2:5], torch.full((3, 2), -torch.inf)], 1)
    got = factors.rows(padded, slice(2, 5))
    torch.testing.assert_close(got[:, :3], wanted[:, 2:5])
    assert bool((got[:, 3:] == -torch.inf).all())
    token = torch.arange(len(wanted))[:, None] + torch.tensor([[0, 1]])
    at_tokens = factors.at(products[factors.bases].gather(1, token), token)
    torch.testing.assert_close(at_tokens, wanted.gather(1, token))
    few = factors.take(slice(1, 3))
    torch.testing.assert_close(few.rows(products, slice(None)), wanted[1:3])
    torch.testing.assert_close(few.scale, factors.scale[1:3])
