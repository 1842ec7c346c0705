"""Cells and edits set out over them, pair by pair in plain Python."""

from __future__ import annotations

import pytest
import torch

from clampsweep.decoder.cells import Cells, EditedCells, ranges
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.layer_edits import by_layer
from clampsweep.names import Neuron
from reference import Clamp, covers

ROWS = {2: [5, 6, 7], 0: [3], 4: [0, 1]}  # positions of the cells of each row; 1 and 3 have none
N_PROMPT = torch.tensor([3, 9, 6, 9, 2])


def _cells() -> Cells:
    row = [row for row, positions in ROWS.items() for _ in positions]
    position = [at for positions in ROWS.values() for at in positions]
    token = torch.zeros(len(row), dtype=torch.long)
    return Cells(token, torch.tensor(row), torch.tensor(position), expand=True, generated=False)


@pytest.mark.parametrize("lengths", [[3, 1, 2], [0, 4, 0], [1], []])
def test_ranges_repeat_each_value_and_count_its_repetitions(lengths: list[int]) -> None:
    values = [10 + at for at in range(len(lengths))]
    got = ranges(torch.tensor(values, dtype=torch.long), torch.tensor(lengths, dtype=torch.long))
    pairs = [(value, at) for value, n in zip(values, lengths, strict=True) for at in range(n)]
    assert list(zip(got.value.tolist(), got.within.tolist(), strict=True)) == pairs


def test_every_edit_meets_every_cell_of_its_row_and_no_other() -> None:
    cells, edit_rows = _cells(), [4, 2, 1, 2, 0]
    got = cells.of_edits(torch.tensor(edit_rows), 5)
    wanted = [
        (cell, number)
        for number, row in enumerate(edit_rows)
        for cell, other in enumerate(cells.row.tolist())
        if other == row
    ]
    assert sorted(zip(got.cell.tolist(), got.edit.tolist(), strict=True)) == sorted(wanted)


CLAMPS = [
    (2, Clamp(Neuron(0, 1), "set", 4.0)),
    (0, Clamp(Neuron(0, 0), "scale", -2.0)),
    (4, Clamp(Neuron(0, 1), "resample", donor=(1.0, 2.0, 5.0))),
    (2, Clamp(Neuron(0, 2), "add", 3.0)),
    (1, Clamp(Neuron(0, 2), "add", 3.0)),
    (4, Clamp(Neuron(0, 2, direction=1), "set", 8.0)),
]


@pytest.mark.parametrize("scope", ["all", "prompt", "generated", "last_cached", "1,6"])
def test_edits_write_new_values_where_the_scope_reaches_and_leave_the_rest(scope: str) -> None:
    """What is sent along a direction changes its value and not the activation."""
    rows = [[] for _ in range(5)]
    for row, clamp in CLAMPS:
        rows[row].append(edit(clamp.neuron, clamp.operation, clamp.value, clamp.donor))
    layer_edits = by_layer(rows, torch.device("cpu"), torch.float64)[0]
    cells = _cells()
    edited = EditedCells.of(layer_edits, cells, Scope.parse(scope), N_PROMPT)
    natural = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)).double()
    wanted, changed = natural.clone(), 0
    new = edited.values(natural[edited.cell, edited.edits.neuron])
    for row, clamp in CLAMPS:
        for cell in (cells.row == row).nonzero()[:, 0].tolist():
            position, before = int(cells.position[cell]), float(natural[cell, clamp.neuron.index])
            reached = covers(scope, position, int(N_PROMPT[row]), position + 1)
            value = clamp.new_value(before, position) if reached else before
            here = (edited.cell == cell) & (edited.edits.neuron == clamp.neuron.index)
            here &= edited.direct == (clamp.neuron.direction < 0)
            assert new[here].tolist() == pytest.approx([value])
            changed += reached
            if clamp.neuron.direction < 0:
                wanted[cell, clamp.neuron.index] = value
    activation = natural.clone()
    edited.write(activation, new)
    torch.testing.assert_close(activation, wanted)
    assert changed


def test_scope_last_covers_every_newest_cell() -> None:
    layer_edits = by_layer(
        [[edit(Neuron(0, 1), "zero")] for _ in range(5)], torch.device("cpu"), torch.float64
    )[0]
    newest = Cells(
        torch.arange(3),
        torch.tensor([0, 2, 4]),
        torch.tensor([3, 7, 1]),
        expand=False,
        generated=True,
    )
    edited = EditedCells.of(layer_edits, newest, Scope("last"), N_PROMPT)
    assert edited.cell.tolist() == [0, 1, 2]
    assert bool(edited.covered.all())
