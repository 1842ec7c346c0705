"""Steering in the explorer: a direction of a file, where and how often it is added, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clampsweep.config.checker import Checker
from clampsweep.config.limits import beyond
from clampsweep.config.targets import parse_directions
from clampsweep.decoder.steering import Steer
from clampsweep.errors import UserError
from clampsweep.generation.changes import steer
from clampsweep.models.spec import ModelSpec
from clampsweep.names import OWN, parse_direction
from clampsweep.texts import directions
from clampsweep.texts.directions import Steering
from clampsweep.words import counted, signed


@dataclass(frozen=True)
class SteerSetting:
    """What the form holds: a direction, and how much of it is added.

    Attributes:
        on: Whether it counts.
        file: Path of a file of directions; None where none is chosen.
        name: Of a direction in it.
        layer: Layer after which it is added, from 0.
        random: Number of the random direction of the same length that takes its place (a control);
            OWN for none.
        multiple: How many times it is added.
    """

    on: bool = False
    file: str | None = None
    name: str | None = None
    layer: float | None = None
    random: int = OWN
    multiple: float | None = 1.0


NOTHING = SteerSetting()


@dataclass(frozen=True)
class Steered:
    """Steering that a run does, checked.

    Attributes:
        along: The direction that the file holds; its target names a random one that takes its
            place.
        multiple: How many times it is added.
    """

    along: Steering
    multiple: float

    operation = "steer"

    @property
    def name(self) -> str:
        """The target, `L15@refusal`."""
        return self.along.target

    @cached_property
    def step(self) -> Steer:
        """What the decoder adds."""
        return steer(self.name, np.array(self.along.vector), self.multiple)

    @property
    def length(self) -> float:
        """Length of what is added at a position, in units of the residual stream."""
        return float(abs(self.multiple) * np.linalg.norm(self.step.vector))

    def at(self, multiple: float) -> Steered:
        """The same with another multiple."""
        return Steered(self.along, multiple)

    def as_json(self) -> dict[str, Any]:
        """Target, multiple, and the digest of the direction that the file holds."""
        return {"direction": self.name, "multiple": self.multiple, "digest": self.along.digest}

    def __str__(self) -> str:
        """In words, `L15@refusal steer +2`."""
        return f"{self.name} steer {signed(self.multiple)}"


def check_steering(one: SteerSetting, spec: ModelSpec, checker: Checker) -> Steered | None:
    """The steering that the form asks for; None if it is switched off.

    Args:
        one: What the form holds.
        spec: The model.
        checker: Knows the schema.

    Raises:
        UserError: Something is missing, not in the file, or out of range.
    """
    if not one.on:
        return None
    if one.file is None:
        raise UserError("steering: no file of directions; upload one, or switch steering off")
    if not one.name:
        layers_by_name(one.file)  # its own fault, if it has one
        raise UserError("steering: no direction is chosen; choose one, or switch steering off")
    if one.layer is None or one.layer != int(one.layer) or one.layer < 0:
        got = "the layer is missing" if one.layer is None else f"got layer {one.layer:g}"
        raise UserError(f"steering: {got}; {spec.name} has layers 0-{spec.n_layers - 1}")
    if one.multiple is None or not math.isfinite(one.multiple):
        raise UserError("steering: the multiple is missing; write a finite number")
    entry = {"file": one.file, "names": [one.name], "layers": [int(one.layer)]}
    try:
        (found,) = parse_directions(checker, ("steering",), entry, spec)
    except UserError as error:
        raise UserError(_without_folder(str(error), one.file)) from error
    longest = max(map(abs, found.vector))
    if why := beyond(one.multiple * longest, spec):
        raise UserError(f"steering: {why} (multiple times direction)")
    place = replace(parse_direction(found.target), random=one.random)
    return Steered(Steering(str(place), found.vector), one.multiple)


def _without_folder(text: str, file: str) -> str:
    """A message that names an uploaded file as its owner calls it."""
    path = Path(file)
    return text.replace(f"{path.parent}/", "") if path.is_absolute() else text


def layers_by_name(file: str) -> dict[str, list[int]]:
    """Names of the directions of a file, and the layers it has each for; no layer means any.

    Raises:
        UserError: It is no file of directions.
    """
    try:
        stored = directions.read(Path(file))
    except UserError as error:
        raise UserError(_without_folder(str(error), file)) from error
    if not stored:
        raise UserError(f"{Path(file).name}: holds no direction; choose another file")
    found: dict[str, list[int]] = {}
    for one in stored:
        found.setdefault(one.name, []).extend([] if one.layer is None else [one.layer])
    return found


def layers_in_words(layers: Sequence[int]) -> str:
    """For which layers a file has a direction."""
    if not layers:
        return "for any layer"
    if list(layers) == list(range(layers[0], layers[-1] + 1)) and len(layers) > 1:
        return f"for layers {layers[0]}-{layers[-1]}"
    return f"for {counted(len(layers), 'layer')}: {', '.join(map(str, layers))}"
