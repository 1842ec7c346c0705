"""The key `srm` of a sweep, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clampsweep.config.checker import Checker, Key
from clampsweep.names import Neuron, parse_neuron, parse_target
from clampsweep.studies.srm.plane import Srm, _several_layers, fault_of


def parse(
    checker: Checker,
    key: Key,
    entry: Mapping[str, Any],
    targets: Sequence[str],
    layers: Sequence[int],
    d_mlp: int,
) -> Srm:
    """The checked key.

    Args:
        checker: Knows the schema, and which file a key came from.
        key: Where the entry stands.
        entry: What the config says.
        targets: What the sweep changes; empty if it is selected later.
        layers: The layers of the targets; empty if they are selected later.
        d_mlp: Neurons per layer.

    Raises:
        UserError: The first fault, one line.
    """
    checker.check(entry, "srm", key)
    at = (*key, "basis")
    basis = entry["basis"]
    kinds = {isinstance(part, str) for part in basis}
    if len(kinds) > 1:
        raise checker.fault(at, "give two neurons, or two groups of prompts, not one of each")
    if kinds == {True}:
        changed = {neuron for name in targets for neuron in parse_target(name)}
        _check_neurons(checker, at, basis, changed, layers, d_mlp)
    else:
        for place, part in enumerate(basis):
            checker.check(part, "srm_prompts", (*at, place))
        if len(layers) > 1:
            raise checker.fault(at, _several_layers(layers))
    return Srm(
        where=checker.where(key),
        basis=tuple(basis),
        group_by=tuple(entry["group_by"]),
        thresholds=tuple(
            checker.finite((*key, "thresholds", place), threshold)
            for place, threshold in enumerate(entry["thresholds"])
        ),
    )


def _check_neurons(
    checker: Checker,
    key: Key,
    basis: Sequence[str],
    changed: set[Neuron],
    layers: Sequence[int],
    d_mlp: int,
) -> None:
    for place, name in enumerate(basis):
        at = (*key, place)
        checker.check(name, "neuron_name", at)
        neuron = parse_neuron(name)
        if neuron.index >= d_mlp:
            raise checker.fault(at, f"{name!r}: the model has neurons 0-{d_mlp - 1} in a layer")
        fault = fault_of(neuron, layers, changed)
        if fault:
            raise checker.fault(at, fault)
    first, second = (parse_neuron(name) for name in basis)
    if first == second:
        raise checker.fault(key, f"{basis[0]!r} and {basis[1]!r} are one neuron; name two")
    if first.layer != second.layer:
        raise checker.fault(
            key, f"{first} and {second} are in two layers; name two neurons of one layer"
        )
