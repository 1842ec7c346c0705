"""What a run of the explorer is asked for, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from clampsweep.config.limits import beyond
from clampsweep.errors import UserError
from clampsweep.explorer.steering import NOTHING, Steered, SteerSetting
from clampsweep.models.spec import ModelSpec
from clampsweep.names import Neuron
from clampsweep.operations import VALUED
from clampsweep.texts.request import RAW, Decoding, PromptFormat
from clampsweep.words import signed

OPERATIONS = ("set", "add", "scale", "zero")

SCOPES = ("all", "prompt", "generated", "last", "last_cached")


@dataclass(frozen=True)
class ClampSetting:
    """One row of the form: what is done to one neuron.

    Attributes:
        layer: Layer, from 0; None where nothing is written.
        neuron: Index in the layer.
        operation: One of `OPERATIONS`.
        value: Activation units for set and add, a factor for scale; not looked at for zero.
        on: Whether it counts.
    """

    layer: int | None
    neuron: int | None
    operation: str = "set"
    value: float | None = 0.0
    on: bool = True

    @property
    def place(self) -> Neuron:
        """The neuron, of a clamp that was checked."""
        return Neuron(int(self.layer or 0), int(self.neuron or 0))

    @property
    def name(self) -> str:
        """The neuron's name, of a clamp that was checked."""
        return str(self.place)

    def at(self, value: float) -> ClampSetting:
        """The same with another value."""
        return replace(self, value=value)

    @property
    def used(self) -> float | None:
        """The value where the operation takes one."""
        return self.value if self.operation in VALUED else None

    def __str__(self) -> str:
        """In words, `L29N1479 set +50`."""
        words = "" if self.used is None else f" {signed(self.used)}"
        return f"L{self.layer}N{self.neuron} {self.operation}{words}"


@dataclass(frozen=True)
class Settings:
    """All that decides a run's texts.

    Attributes:
        model: Name in the config.
        prompt: The prompt.
        clamps: The rows that are on.
        scope: As in a config: a name, or positions such as `0,3`.
        decoding: How tokens are chosen.
        seed: Of sampling.
        rows: The rows of the form, those that are off too.
        steering: What is steered along beside the clamps; None for nothing.
        steer_row: The form's row of it, on or off.
        prompt_format: How the prompt reaches the model.
    """

    model: str
    prompt: str
    clamps: tuple[ClampSetting, ...]
    scope: str
    decoding: Decoding
    seed: int = 0
    rows: tuple[ClampSetting, ...] = ()
    steering: Steered | None = None
    steer_row: SteerSetting = NOTHING
    prompt_format: PromptFormat = RAW

    @property
    def changes(self) -> tuple[ClampSetting | Steered, ...]:
        """The clamps, and the steering if there is any."""
        return (*self.clamps, *(() if self.steering is None else (self.steering,)))

    @property
    def swept(self) -> ClampSetting | Steered:
        """What a sweep changes, all else held: the steering, or the first clamp."""
        return self.clamps[0] if self.steering is None else self.steering

    @property
    def held(self) -> tuple[ClampSetting, ...]:
        """Clamps that a sweep holds."""
        return self.clamps[1:] if self.steering is None else self.clamps

    def at(self, value: float) -> Settings:
        """The same with what is swept at another value."""
        if self.steering is not None:
            return replace(self, steering=self.steering.at(value))
        return replace(self, clamps=(self.clamps[0].at(value), *self.clamps[1:]))

    @property
    def draws(self) -> int | None:
        """The seed where something is drawn."""
        return self.seed if self.decoding.method == "sample" else None

    def as_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        clamps = [
            {"layer": c.layer, "neuron": c.neuron, "operation": c.operation, "value": c.used}
            for c in self.clamps
        ]
        steered = {} if self.steering is None else {"steering": self.steering.as_json()}
        return {
            "model": self.model,
            "prompt": self.prompt,
            **self.prompt_format.as_json(),
            "clamps": clamps,
            **steered,
            "scope": self.scope,
            "decoding": self.decoding.as_json(),
            "seed": self.draws,
        }


def check_clamps(rows: Sequence[ClampSetting], spec: ModelSpec) -> tuple[ClampSetting, ...]:
    """The rows that are on, each naming a neuron of the model and no neuron twice.

    Raises:
        UserError: A row does not; it says which row, and what is allowed.
    """
    seen: dict[Neuron, int] = {}
    for number, row in enumerate(rows, 1):
        if not row.on:
            continue
        _check_row(number, row, spec)
        if row.place in seen:
            raise UserError(
                f"clamps {seen[row.place]} and {number} both change {row.place}; switch one off"
            )
        seen[row.place] = number
    return tuple(row for row in rows if row.on)


def _check_row(number: int, row: ClampSetting, spec: ModelSpec) -> None:
    for what, got, limit in (
        ("layer", row.layer, spec.n_layers),
        ("neuron", row.neuron, spec.d_mlp),
    ):
        allowed = f"{spec.name} has {what}s 0-{limit - 1}" if limit else f"{spec.name} has none"
        if got is None:
            raise UserError(f"clamp {number}: the {what} is missing; {allowed}")
        if got != int(got) or not 0 <= got < limit:
            raise UserError(f"clamp {number}: got {what} {got:g}; {allowed}")
    if row.operation not in OPERATIONS:
        raise UserError(
            f"clamp {number}: got operation {row.operation!r}; allowed: {', '.join(OPERATIONS)}"
        )
    if row.operation in VALUED and (row.value is None or not math.isfinite(row.value)):
        raise UserError(f"clamp {number}: operation {row.operation} needs a value, a finite number")
    if row.operation in VALUED and (why := beyond(row.value or 0.0, spec)):
        raise UserError(f"clamp {number}: {why}")
