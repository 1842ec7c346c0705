"""What the form starts with: a clamp, a direction and values, from the config's own entries."""

from __future__ import annotations

from clampsweep.explorer.desk import Desk
from clampsweep.explorer.settings import ClampSetting
from clampsweep.explorer.steering import SteerSetting
from clampsweep.names import neurons_in, parse_direction
from clampsweep.operations import VALUED


def first_clamp(desk: Desk, model: str) -> ClampSetting:
    """A clamp to begin with: the neuron of the config's sweep of the model, if it names one."""
    for one in desk.requests:
        named = one.targets if isinstance(one.targets, tuple) else ()
        if one.model.name == model and (neurons := neurons_in(next(iter(named), None))):
            first = neurons[0]
            done = ("set", 10.0) if first.value is None else (one.operation, first.value)
            return ClampSetting(first.layer, first.index, *done)
    return ClampSetting(desk.spec(model).n_layers - 1, 0, "set", 10.0)


def first_steering(desk: Desk, model: str) -> SteerSetting:
    """A direction to begin with, off: that of the config's sweep of the model, if any."""
    files = desk.config.direction_files
    for one in desk.requests:
        if one.model.name == model and one.directions:
            place = parse_direction(one.directions[0].target)
            return SteerSetting(file=files[0], name=place.name, layer=place.layer)
    middle = desk.spec(model).n_layers // 2
    return SteerSetting(file=next(iter(files), None), layer=middle)


def first_values(desk: Desk, model: str, *, steered: bool = False) -> list[float]:
    """Values to sweep to begin with: those of the config's sweep of the model, if any.

    Args:
        desk: Has the config.
        model: Its name.
        steered: Whether they are multiples of a direction, or values of a neuron.
    """
    for one in desk.requests:
        found = [value for value in one.values if value is not None]
        alike = one.operation in VALUED and (one.operation == "steer") == steered
        if one.model.name == model and alike and found:
            return found
    if steered:
        return [-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 4.0]
    return [-50.0, -10.0, -5.0, 0.0, 5.0, 10.0, 50.0]
