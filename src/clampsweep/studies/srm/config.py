"""The key `srm` of a sweep, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from clampsweep.config.checker import Checker, Key
from clampsweep.config.contract import Context
from clampsweep.names import Neuron, layers_in, neurons_in, parse_neuron
from clampsweep.studies.srm.plane import Srm, fault_of, several_layers
from clampsweep.texts.request import Selection, TextRequest


@dataclass(frozen=True)
class SrmEntry:
    """One entry of `sweeps` that has the key `srm`: its texts, and the plane they are seen in."""

    name: str
    texts: TextRequest
    plane: Srm

    @property
    def title(self) -> str:
        """What the entry is, in a line, for figures and reports."""
        return f"{self.texts.title}; {self.plane.title}"


def parse(context: Context) -> SrmEntry | None:
    """The key `srm` of an entry of `sweeps`, checked; None if it has none.

    Raises:
        UserError: The first fault, one line.
    """
    if "srm" not in context.entry or context.request is None:
        return None
    checker, key, entry = context.checker, (*context.key, "srm"), context.entry["srm"]
    request = context.request
    _check_basis(checker, (*key, "basis"), entry["basis"], request)
    plane = Srm(
        where=checker.where(key),
        basis=tuple(entry["basis"]),
        group_by=tuple(entry["group_by"]),
        thresholds=tuple(
            checker.finite((*key, "thresholds", place), threshold)
            for place, threshold in enumerate(entry["thresholds"])
        ),
    )
    return SrmEntry(context.name, request, plane)


def _check_basis(checker: Checker, key: Key, basis: list[Any], request: TextRequest) -> None:
    """Refuse a basis that is no plane, or one in which the request has no vectors."""
    targets, layers = _changed(request)
    kinds = {isinstance(part, str) for part in basis}
    if len(kinds) > 1:
        raise checker.fault(key, "give two neurons, or two groups of prompts, not one of each")
    if kinds == {True}:
        changed = {neuron.bare for name in targets for neuron in neurons_in(name)}
        _check_neurons(checker, key, basis, changed, layers, request.model.d_mlp)
        return
    for place, part in enumerate(basis):
        checker.check(part, "srm/prompts", (*key, place))
    if len(layers) > 1:
        raise checker.fault(key, several_layers(layers))


class _Changed(NamedTuple):
    """Targets and layers that texts change, each empty where they are selected later."""

    targets: Sequence[str]
    layers: Sequence[int]


def _changed(request: TextRequest) -> _Changed:
    """What a request changes."""
    if isinstance(request.targets, Selection):
        layer = request.targets.layer
        return _Changed((), [] if layer is None else [layer])
    targets = request.targets if isinstance(request.targets, tuple) else ()
    layers = {layer for name in targets for layer in layers_in(name)}
    return _Changed(targets, sorted(layers))


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
        checker.check(name, "common/neuron_name", at)
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
