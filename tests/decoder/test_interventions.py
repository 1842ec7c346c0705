"""The arithmetic of edits, and which positions a scope covers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.layer_edits import LayerEdits, apply, by_layer, pushes
from clampsweep.names import OWN, Neuron
from reference import Clamp, covers

CPU = torch.device("cpu")
NAMES = ("all", "prompt", "generated", "last", "last_cached", "0,2,5,9")
DONOR = (3.0, -1.5, 8.0)
CLAMPS = (
    Clamp(Neuron(0, 0), "set", -20.0),
    Clamp(Neuron(0, 1), "add", 2.5),
    Clamp(Neuron(0, 2), "scale", -3.0),
    Clamp(Neuron(0, 3), "mean", 0.75),
    Clamp(Neuron(0, 4), "resample", donor=DONOR),
    Clamp(Neuron(0, 5), "zero"),
)


def _edit(clamp: Clamp) -> Edit:
    return edit(clamp.neuron, clamp.operation, clamp.value, clamp.donor)


def _activation(n_rows: int, n_pos: int, d_mlp: int = 8) -> torch.Tensor:
    values = np.random.default_rng(n_rows * n_pos).normal(0, 3, (n_rows, n_pos, d_mlp))
    return torch.from_numpy(values)


def _apply(activation: torch.Tensor, edits: LayerEdits, start: int = 0) -> torch.Tensor:
    positions = torch.arange(start, start + activation.shape[1])
    return apply(activation, edits, positions, torch.ones_like(positions, dtype=torch.bool))


# Scopes


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n_prompt", [1, 4])
def test_a_scope_covers_the_positions_that_its_definition_says(name: str, n_prompt: int) -> None:
    for length in range(n_prompt, 12):
        for start in range(length):
            got = Scope.parse(name).covers(torch.arange(start, length), n_prompt)
            assert got.dtype == torch.bool
            assert got.tolist() == [covers(name, p, n_prompt, length) for p in range(start, length)]


def test_only_scope_last_computes_the_newest_position_anew() -> None:
    assert [name for name in NAMES if Scope.parse(name).reruns_newest] == ["last"]


def test_indices_are_parsed_as_absolute_positions() -> None:
    assert Scope.parse("0,3,12") == Scope("indices", (0, 3, 12))
    assert Scope.parse("7") == Scope("indices", (7,))


def test_an_unknown_scope_is_refused() -> None:
    with pytest.raises(ValueError, match="'newest'"):
        Scope.parse("newest").covers(torch.arange(3), 2)


# Edits


@pytest.mark.parametrize("clamp", CLAMPS, ids=lambda clamp: clamp.operation)
@pytest.mark.parametrize("start", [0, 7])
def test_an_operation_does_what_its_name_says(clamp: Clamp, start: int) -> None:
    activation = _activation(1, 5)
    changed = _apply(activation, by_layer([[_edit(clamp)]], CPU, torch.float64)[0], start)
    index = clamp.neuron.index
    for at in range(5):
        wanted = clamp.new_value(float(activation[0, at, index]), start + at)
        assert float(changed[0, at, index]) == wanted


@pytest.mark.parametrize("operation", ["set", "add", "scale", "mean"])
def test_an_operation_with_a_value_needs_one(operation: str) -> None:
    with pytest.raises(ValueError, match="needs a value"):
        edit(Neuron(0, 0), operation)


def test_resampling_needs_a_donor() -> None:
    with pytest.raises(ValueError, match="donor"):
        edit(Neuron(0, 0), "resample")


@pytest.mark.parametrize("operation", ["none", "clamp", "Set", ""])
def test_an_unknown_operation_is_refused(operation: str) -> None:
    with pytest.raises(ValueError, match="unknown operation"):
        edit(Neuron(0, 0), operation, 1.0)


@pytest.mark.parametrize("natural", [torch.nan, torch.inf, -torch.inf])
def test_a_replaced_value_does_not_depend_on_the_natural_one(natural: float) -> None:
    activation = torch.full((1, 3, 8), natural, dtype=torch.float64)
    for clamp in CLAMPS:
        if clamp.operation in ("set", "mean", "zero", "resample"):
            edits = by_layer([[_edit(clamp)]], CPU, torch.float64)[0]
            changed = _apply(activation, edits)[0, :, clamp.neuron.index].tolist()
            assert changed == [clamp.new_value(natural, position) for position in range(3)]


def test_donors_of_different_lengths_each_repeat_by_absolute_position() -> None:
    donors = [(1.0,), (1.0, 2.0), (1.0, 2.0, 3.0, 4.0, 5.0), (9.0,) * 30]
    rows = [[edit(Neuron(0, 2), "resample", donor=donor)] for donor in donors]
    rows.append([edit(Neuron(0, 2), "set", -7.0)])
    changed = _apply(_activation(5, 13), by_layer(rows, CPU, torch.float64)[0], start=4)[:, :, 2]
    for row, donor in enumerate([*donors, (-7.0,)]):
        assert changed[row].tolist() == [donor[at % len(donor)] for at in range(4, 17)]


def test_apply_changes_only_covered_positions_of_edited_neurons_of_edited_rows() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        n_rows, n_pos = (int(n) for n in rng.integers(1, 6, 2))
        activation = _activation(n_rows, n_pos)
        chosen = [rng.permutation(6)[: rng.integers(0, 6)] for _ in range(n_rows)]
        rows = [[_edit(CLAMPS[at]) for at in row] for row in chosen]
        start = int(rng.integers(0, 10))
        positions = torch.arange(start, start + n_pos)
        covered = torch.from_numpy(rng.random(n_pos) < 0.6)
        wanted = activation.clone()
        for row, clamps in enumerate(chosen):
            for at in np.flatnonzero(covered.numpy()):
                for clamp in (CLAMPS[number] for number in clamps):
                    index = (row, at, clamp.neuron.index)
                    wanted[index] = clamp.new_value(float(activation[index]), start + int(at))
        natural = activation.clone()
        for edits in by_layer(rows, CPU, torch.float64).values():
            assert torch.equal(apply(activation, edits, positions, covered), wanted)
        assert torch.equal(activation, natural), "the input is left as it was"


def test_apply_returns_its_input_where_there_is_nothing_to_change() -> None:
    activation = _activation(2, 3)
    edits = by_layer([[_edit(CLAMPS[0])], []], CPU, torch.float64)[0]
    positions, none = torch.arange(3), torch.zeros(3, dtype=torch.bool)
    assert apply(activation, edits, positions, none) is activation
    gone = edits.select(torch.tensor([1]), 2)
    assert apply(activation[1:], gone, positions, ~none) is not None
    assert torch.equal(apply(activation[1:], gone, positions, ~none), activation[1:])


def test_an_edit_is_in_the_type_of_the_model() -> None:
    edits = by_layer([[_edit(clamp) for clamp in CLAMPS]], CPU, torch.float32)[0]
    assert _apply(_activation(1, 2).float(), edits).dtype == torch.float32


# Changes sent along random directions


def _along(clamp: Clamp, direction: int) -> Edit:
    neuron = replace(clamp.neuron, direction=direction)
    return edit(neuron, clamp.operation, clamp.value, clamp.donor)


@pytest.mark.parametrize("clamp", CLAMPS, ids=lambda clamp: clamp.operation)
@pytest.mark.parametrize("start", [0, 7])
def test_a_push_is_as_far_as_the_operation_would_move_the_neuron(clamp: Clamp, start: int) -> None:
    activation = _activation(2, 5)
    edits = by_layer([[], [_along(clamp, 3)]], CPU, torch.float64)[0]
    positions, covered = torch.arange(start, start + 5), torch.tensor([1, 0, 1, 1, 0]).bool()
    far = pushes(activation, edits, positions, covered)
    natural = activation[1, :, clamp.neuron.index].tolist()
    wanted = [
        clamp.new_value(value, start + at) - value if covered[at] else 0.0
        for at, value in enumerate(natural)
    ]
    assert far.tolist() == [wanted]
    assert apply(activation, edits, positions, covered) is activation


def test_in_a_batch_each_edit_goes_the_way_that_its_neuron_says() -> None:
    activation = _activation(3, 4)
    rows = [
        [_edit(CLAMPS[0]), _along(CLAMPS[1], 0)],
        [_along(CLAMPS[0], 7), _along(CLAMPS[4], 8)],
        [_edit(CLAMPS[4]), _edit(CLAMPS[2])],
    ]
    edits = by_layer(rows, CPU, torch.float64)[0]
    assert edits.along.tolist() == [OWN, 0, 7, 8, OWN, OWN]
    assert edits.redirected.row.tolist() == [0, 1, 1]
    assert edits.redirected.along.tolist() == [0, 7, 8]
    assert edits.direct.row.tolist() == [0, 2, 2]
    own = by_layer([rows[0][:1], [], rows[2]], CPU, torch.float64)[0]
    assert torch.equal(_apply(activation, edits), _apply(activation, own))
    positions = torch.arange(4)
    far = pushes(activation, edits.redirected, positions, torch.ones(4, dtype=torch.bool))
    sent = [(0, CLAMPS[1]), (1, CLAMPS[0]), (1, CLAMPS[4])]
    for got, (row, clamp) in zip(far.tolist(), sent, strict=True):
        natural = activation[row, :, clamp.neuron.index].tolist()
        assert got == [clamp.new_value(value, at) - value for at, value in enumerate(natural)]


def test_the_rows_that_stay_keep_their_directions() -> None:
    rows = [[_along(CLAMPS[0], 1)], [_edit(CLAMPS[1])], [], [_along(CLAMPS[4], 2)]]
    edits = by_layer(rows, CPU, torch.float64)[0].select(torch.tensor([1, 3]), 4)
    assert (edits.row.tolist(), edits.along.tolist()) == ([0, 1], [OWN, 2])
    activation = _activation(4, 6)
    positions, covered = torch.arange(6), torch.ones(6, dtype=torch.bool)
    alone = by_layer([rows[3]], CPU, torch.float64)[0]
    got = pushes(activation[[1, 3]], edits.redirected, positions, covered)
    assert torch.equal(got, pushes(activation[[3]], alone, positions, covered))


def test_no_redirected_edits_push_nothing() -> None:
    edits = by_layer([[_edit(CLAMPS[0])]], CPU, torch.float64)[0].redirected
    covered = torch.ones(3, dtype=torch.bool)
    assert pushes(_activation(1, 3), edits, torch.arange(3), covered).shape == (0, 3)


# Batches


def test_edits_are_gathered_by_layer_in_layer_order() -> None:
    rows = [
        [edit(Neuron(5, 1), "set", 1.0), edit(Neuron(2, 3), "add", 2.0)],
        [],
        [edit(Neuron(2, 7), "scale", 4.0)],
    ]
    found = by_layer(rows, CPU, torch.float64)
    assert list(found) == [2, 5]
    assert found[2].row.tolist() == [0, 2]
    assert found[2].neuron.tolist() == [3, 7]
    assert found[5].row.tolist() == [0]
    assert by_layer([[], []], CPU, torch.float64) == {}


def test_the_rows_that_stay_keep_their_edits() -> None:
    """Selecting rows of a batch gives what a batch of those rows alone gives."""
    rng = np.random.default_rng(1)
    activation = _activation(6, 4)
    rows = [[_edit(CLAMPS[at]) for at in rng.permutation(6)[:k]] for k in (0, 2, 1, 3, 0, 6)]
    edits = by_layer(rows, CPU, torch.float64)[0]
    for kept in ([0, 1, 2, 3, 4, 5], [1, 3, 5], [5], [0, 4], [2, 3]):
        selected = edits.select(torch.tensor(kept), 6)
        alone = by_layer([rows[at] for at in kept], CPU, torch.float64)
        wanted = _apply(activation[kept], alone[0]) if alone else activation[kept]
        assert torch.equal(_apply(activation[kept], selected), wanted)
    twice = edits.select(torch.tensor([1, 2, 3, 5]), 6).select(torch.tensor([1, 3]), 4)
    wanted = _apply(activation[[2, 5]], by_layer([rows[2], rows[5]], CPU, torch.float64)[0])
    assert torch.equal(_apply(activation[[2, 5]], twice), wanted)
