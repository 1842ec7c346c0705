"""What an entry changes: neurons by name, neurons by how to select them, directions of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.config.found import names_a_finding, parse_found
from clampsweep.config.limits import beyond
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN, Direction, Neuron, parse_neuron, target_name
from clampsweep.texts import directions
from clampsweep.texts.directions import Steering, Stored
from clampsweep.texts.found import Found
from clampsweep.texts.request import Selection


def parse_targets(
    checker: Checker, key: Key, entry: list[Any] | Mapping[str, Any], model: ModelSpec
) -> tuple[str, ...] | Selection | Found:
    """Names of the neurons to change, how to select them, or the finding that names them.

    Raises:
        UserError: A name or the selection does not fit the model.
    """
    if isinstance(entry, Mapping) and not model.d_mlp:
        raise checker.fault(key, _no_neurons(model))
    if isinstance(entry, Mapping) and names_a_finding(entry):
        return parse_found(checker, key, entry, model)
    if isinstance(entry, Mapping):
        checker.check(entry, "config/selection", key)
        layer = entry["layer"]
        if isinstance(layer, str) and layer not in ("last", "all"):
            raise checker.fault((*key, "layer"), f"got {layer!r}; allowed: last, all or a layer")
        if isinstance(layer, int) and not 0 <= layer < model.n_layers:
            raise checker.fault(
                (*key, "layer"),
                f"got {layer}; {model.name} has layers 0-{model.n_layers - 1}",
            )
        number = {"last": model.n_layers - 1, "all": None}.get(layer, layer)
        most = model.d_mlp * (model.n_layers if number is None else 1)
        if entry["top"] > most:
            raise checker.fault((*key, "top"), f"got {entry['top']}; there are {most} neurons")
        return Selection(entry["select"], number, entry["top"])
    return parse_target_names(checker, key, entry, model)


def parse_target_names(
    checker: Checker, key: Key, entry: Sequence[Any], model: ModelSpec | None = None
) -> tuple[str, ...]:
    """Names of targets, those that are changed together joined by `+`, with their own values.

    Raises:
        UserError: A name is none, stands twice, or does not fit the model, if one is given.
    """
    checker.check(entry, "common/neuron_names", key)
    found: list[str] = []
    for at, item in enumerate(entry):
        names = [item] if isinstance(item, str) else item
        if not isinstance(item, str):
            part = "valued_neurons" if isinstance(item, Mapping) else "joint_neurons"
            checker.check(item, f"common/{part}", (*key, at))
        neurons = [_neuron(checker, (*key, at), name, model) for name in names]
        if len(set(neurons)) < len(neurons):
            raise checker.fault((*key, at), f"{item!r} names a neuron twice; remove one")
        if isinstance(item, Mapping):
            neurons = [
                replace(neuron, value=_own(checker, (*key, at, name), value, model))
                for neuron, (name, value) in zip(neurons, item.items(), strict=True)
            ]
        target = target_name(tuple(neurons))
        if target in found:
            raise checker.fault((*key, at), f"{target!r} stands in the list twice; remove one")
        found.append(target)
    return tuple(found)


def _own(checker: Checker, key: Key, value: float, model: ModelSpec | None) -> float:
    """A neuron's own value."""
    number = checker.finite(key, value)
    if model is not None and (why := beyond(number, model)):
        raise checker.fault(key, why)
    return number


def _neuron(checker: Checker, key: Key, name: str, model: ModelSpec | None) -> Neuron:
    try:
        neuron = parse_neuron(name)
    except ValueError as error:
        raise checker.fault(key, str(error)) from error
    if neuron.value is not None:
        raise checker.fault(key, f"{name!r}: write a neuron's value as {{L3N5: 2.5}}")
    if neuron.direction != OWN:
        raise checker.fault(key, f"{name!r} names a random direction; write 'controls' for these")
    if model is None:
        return neuron
    if not model.d_mlp:
        raise checker.fault(key, f"{name!r} names a neuron; {_no_neurons(model)}")
    for what, plural, number, limit in (
        ("layer", "layers", neuron.layer, model.n_layers),
        ("neuron", "neurons", neuron.index, model.d_mlp),
    ):
        if number >= limit:
            raise checker.fault(
                key, f"{name!r} names {what} {number}; {model.name} has {plural} 0-{limit - 1}"
            )
    return neuron


def direction_files(content: Any) -> Iterator[str]:
    """Files of directions that a config names, those of each entry where they stand."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == "directions" and isinstance(value, Mapping) and "file" in value:
                yield str(value["file"])
            yield from direction_files(value)


def _no_neurons(model: ModelSpec) -> str:
    return f"{model.name} has no neurons (d_mlp: 0); choose a model with an MLP"


def parse_directions(
    checker: Checker, key: Key, entry: Mapping[str, Any], model: ModelSpec
) -> tuple[Steering, ...]:
    """The directions of an entry: those of a file, by name, each after its layers.

    Raises:
        UserError: There is no such file or name in it, or no layer to steer after.
    """
    checker.check(entry, "config/directions", key)
    path = Path(entry["file"])
    if not path.is_file():
        raise checker.fault((*key, "file"), f"got {entry['file']!r}; no such file")
    try:
        stored = directions.read(path)
    except UserError as error:
        raise checker.fault((*key, "file"), str(error)) from error
    known = {one.name: one for one in stored}
    for at, name in enumerate(entry.get("names", ())):
        checker.choose((*key, "names", at), name, known, "direction")
    for at, layer in enumerate(entry.get("layers", ())):
        if layer >= model.n_layers:
            allowed = f"{model.name} has layers 0-{model.n_layers - 1}"
            raise checker.fault((*key, "layers", at), f"got {layer}; {allowed}")
    found = []
    for name in entry.get("names", known):
        mine = [one for one in stored if one.name == name]
        found += _after_layers(checker, key, name, mine, entry.get("layers"), model)
    return tuple(found)


def _after_layers(
    checker: Checker,
    key: Key,
    name: str,
    stored: Sequence[Stored],
    layers: Sequence[int] | None,
    model: ModelSpec,
) -> list[Steering]:
    """A direction after each layer that is asked for, or each that its file has it for."""
    anywhere = next((one.vector for one in stored if one.layer is None), None)
    by_layer = {one.layer: one.vector for one in stored if one.layer is not None}
    if layers is None and anywhere is not None:
        why = f"which {name!r} needs: its file names no layer for it"
        raise checker.fault(key, f"lacks the key 'layers', {why}")
    found = []
    for layer in sorted(by_layer) if layers is None else layers:
        vector = by_layer.get(layer, anywhere)
        if vector is None or layer >= model.n_layers:
            there = ", ".join(map(str, by_layer))
            raise checker.fault(
                key,
                f"{name!r} after layer {layer}: its file has it for layers {there}, and "
                f"{model.name} has 0-{model.n_layers - 1}; write some of these as 'layers'",
            )
        found.append(Steering(str(Direction(layer, name)), tuple(vector.tolist())))
    return found
