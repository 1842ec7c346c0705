"""Targets of an entry: neurons with values of their own, and directions of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import configs
from clampsweep.names import Neuron, parse_target
from clampsweep.texts.request import TextRequest
from configs import BASE, as_sweep, parse, refusal, sweep, unsaid

folder = configs.folder

VALUED = "neurons: [{L0N1: 2, L2N3: -1.5}, {L1N2: 1e30}]"
STEER: dict[str, Any] = {
    "neurons": None,
    "operation": "steer",
    "directions": {"file": "d.safetensors", "layers": [1, 2]},
}


@pytest.fixture
def file(folder: Path) -> Path:
    """Two vectors, and one per layer."""
    tensors = {
        "refusal": torch.tensor([3.0, -4.0]),
        "joy": torch.tensor([1.0, 1.0]),
        "by_layer": torch.arange(1.0, 7.0).reshape(3, 2),
    }
    save_file(tensors, folder / "d.safetensors")
    return folder / "d.safetensors"


def request(overlay: str, name: str = "main") -> TextRequest:
    """What an entry asks for."""
    found: TextRequest = parse(base=BASE, over=overlay).requests()[name]
    return found


def steer(**changes: Any) -> str:
    """An overlay with a further entry that steers."""
    return as_sweep(**{**STEER, **changes}) + "run: [new]\n"


def test_a_neuron_of_a_target_may_have_a_value_of_its_own() -> None:
    overlay = "run: [new]\n" + as_sweep(
        values=None, neurons=[{"L2N3": -1.5, "L0N1": 2}, {"L1N2": 1e30}]
    )
    found = request(overlay, "new")
    assert found.values == (None,)
    assert found.targets == ("L0N1=2+L2N3=-1.5", "L1N2=1e30")
    assert parse_target(found.targets[1]) == (Neuron(1, 2, value=1e30),)


def test_a_hundred_neurons_of_any_layers_are_one_target() -> None:
    many = {f"L{at % 3}N{at // 3}": at / 7 for at in range(100)}
    found = request("run: [new]\n" + as_sweep(values=None, neurons=[many]), "new")
    assert isinstance(found.targets, tuple)
    neurons = parse_target(found.targets[0])
    assert {str(one.bare): one.value for one in neurons} == many


@pytest.mark.parametrize(
    ("neurons", "changes", "key", "said"),
    [
        ([{"L0N1": 2}], {}, "values", ["values of their own", "remove"]),
        ([{"L0N1": 2}, "L1N2"], {"values": None}, "neurons[1]", ["no values of its own"]),
        ([{"L0N1": 2}], {"values": None, "operation": "zero"}, "neurons[0]", ["takes no values"]),
        ([{"L0N1": 2}], {"values": None, "operation": "mean"}, "neurons[0]", ["takes no values"]),
        ([{"L0N1": "2"}], {"values": None}, "neurons[0].L0N1", ["'2'", "number"]),
        ([{"L0N1": 1e400}], {"values": None}, "neurons[0].L0N1", ["inf", "finite"]),
        ([{"L9N1": 1}], {"values": None}, "neurons[0]", ["layer 9", "0-2"]),
        ([{"L0N1": 1, "L0N01": 2}], {"values": None}, "neurons[0]", ["twice"]),
        ([{"11.373": 1}], {"values": None}, "neurons[0]", ["'11.373'"]),
        ([{}], {"values": None}, "neurons[0]", ["0"]),
        (["L0N1=2"], {"values": None}, "neurons[0]", ["'L0N1=2'", "{L3N5: 2.5}"]),
        (
            [{f"L0N{at}": 1 for at in range(40)} | {f"L1N{at}": 1 for at in range(40)}
             | {f"L2N{at}": 1 for at in range(21)}],
            {"values": None}, "neurons[0]", ["100"],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_values_of_their_own_is_said(
    neurons: Any, changes: dict[str, Any], key: str, said: list[str]
) -> None:
    message = refusal(base=BASE, over=as_sweep(neurons=neurons, **changes))
    assert not unsaid(message, f"over.yaml: sweeps.new.{key}", said), message


def test_a_direction_is_steered_along_after_each_layer_named(file: Path) -> None:
    found = request(steer(), "new")
    assert found.targets == tuple(
        f"L{layer}@{name}" for name in ("by_layer", "joy", "refusal") for layer in (1, 2)
    )
    vectors = {one.target: one.vector for one in found.directions}
    assert vectors["L2@refusal"] == (3.0, -4.0)
    assert vectors["L2@by_layer"] == (5.0, 6.0)
    assert vectors["L1@by_layer"] == (3.0, 4.0)
    assert found.values == (-3.0, 0.0, 2.5)


def test_layers_are_the_files_own_where_none_are_named(file: Path) -> None:
    found = request(steer(directions={"file": "d.safetensors", "names": ["by_layer"]}), "new")
    assert found.targets == ("L0@by_layer", "L1@by_layer", "L2@by_layer")


DIRECTIONS = {"file": "d.safetensors", "layers": [1]}


@pytest.mark.parametrize(
    ("changes", "key", "said"),
    [
        ({"directions": None}, "", ["'directions'", "'steer'"]),
        ({"neurons": ["L0N1"]}, ".neurons", ["'steer'", "directions", "remove"]),
        ({"operation": "set", "neurons": ["L0N1"]}, ".directions", ["'set'", "neurons", "remove"]),
        ({"operation": "set", "directions": None}, "", ["'neurons'", "'set'"]),
        ({"directions": {"file": "none.safetensors"}}, ".directions.file", ["no such file"]),
        ({"directions": {"file": "few.txt"}}, ".directions.file", ["neither a safetensors file"]),
        ({"directions": {**DIRECTIONS, "names": ["a"]}}, ".directions.names[0]", ["'a'", "joy"]),
        ({"directions": {**DIRECTIONS, "layers": [3]}}, ".directions.layers[0]", ["3", "0-2"]),
        ({"directions": {"file": "d.safetensors"}}, ".directions", ["'layers'", "'joy'"]),
        ({"directions": {**DIRECTIONS, "layer": [1]}}, ".directions.layer", ["unknown", "layers"]),
        ({"values": [1e308]}, ".values[0]", ["float64"]),
        ({"values": None}, "", ["'values'", "'steer'"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_directions_is_said(
    file: Path, changes: dict[str, Any], key: str, said: list[str]
) -> None:
    message = refusal(base=BASE, over=steer(**changes))
    assert not unsaid(message, f"over.yaml: sweeps.new{key}", said), message


def test_controls_of_a_direction_are_matched_by_nothing_else(file: Path) -> None:
    message = refusal(base=BASE, over=steer(controls={"count": 3, "matching": ["norm"]}))
    assert not unsaid(
        message, "over.yaml: sweeps.new.controls.matching", ["same length", "remove"]
    ), message


def test_joint_neurons_without_values_take_those_of_the_sweep() -> None:
    found = request(sweep("neurons: [[L0N1, L2N3]]"))
    assert found.targets == ("L0N1+L2N3",)
    assert found.values == (-3.0, 0.0, 2.5)
