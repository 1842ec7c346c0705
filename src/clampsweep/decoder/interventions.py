"""What an intervention is: operation x scope x neurons. `layer_edits` carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from clampsweep.errors import finite, shown, whole
from clampsweep.names import Neuron

SCOPES = ("all", "prompt", "generated", "last", "last_cached", "indices")

_SCOPES_ALLOWED = f"allowed: {', '.join(SCOPES[:-1])}, or positions from 0, such as '0,3'"

_VALUED = ("set", "add", "scale", "mean")


@dataclass(frozen=True)
class Scope:
    """Positions that an intervention changes (docs/definitions.md, section 5).

    Attributes:
        name: `all`, `prompt`, `generated`, `last`, `last_cached`, or `indices`.
        indices: Absolute positions, counted from 0; only for `indices`.
    """

    name: str
    indices: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the name, and that positions are there where they belong."""
        if self.name not in SCOPES:
            raise ValueError(f"scope: got {shown(self.name)}; {_SCOPES_ALLOWED}")
        if (self.name == "indices") != bool(self.indices):
            raise ValueError(
                f"scope {self.name!r} with positions {self.indices}; {_SCOPES_ALLOWED}"
            )
        checked = tuple(whole("scope: position", at, 0) for at in self.indices)
        object.__setattr__(self, "indices", checked)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Scope that a config or table cell names: a name, or indices such as `0,3`.

        Raises:
            TypeError: It is no text.
            ValueError: It is neither.
        """
        if not isinstance(text, str):
            raise TypeError(f"scope: got {shown(text)}; {_SCOPES_ALLOWED}")
        parts = [part.strip() for part in text.split(",")]
        if all(part.isdecimal() for part in parts):
            return cls("indices", tuple(int(part) for part in parts))
        if text == "indices":
            raise ValueError(f"scope: got {text!r}; {_SCOPES_ALLOWED}")
        return cls(text)

    @property
    def reruns_newest(self) -> bool:
        """Whether only the newest position is changed, earlier ones being computed unchanged."""
        return self.name == "last"

    def covers(
        self, positions: Int[Tensor, " pos"], n_prompt: int | Int[Tensor, " pos"]
    ) -> Bool[Tensor, " pos"]:
        """Which of the positions fed in one forward pass are changed.

        Args:
            positions: Absolute positions fed, ascending; the last one is the newest.
            n_prompt: Prompt length in tokens, of all or of each position's text.
        """
        match self.name:
            case "all":
                return torch.ones_like(positions, dtype=torch.bool)
            case "prompt":
                return positions < n_prompt
            case "generated":
                return positions >= n_prompt
            case "last":
                return positions == positions[-1]
            case "last_cached":
                return positions >= n_prompt - 1
            case "indices":
                return torch.isin(positions, torch.tensor(self.indices, device=positions.device))
        raise ValueError(f"unknown scope {self.name!r}")


@dataclass(frozen=True)
class Edit:
    """A change of one neuron's post-activation: a becomes gain * a + shift, or a donor's value.

    If the neuron has a random direction, its activation stays as it is, and what the change would
    have added to what W_out gives is added there along that direction, with the same length.

    Attributes:
        neuron: The neuron.
        gain: Factor of the natural value, 0 to discard it.
        shift: What is added, in activation units.
        donor: For resampling: the neuron's values in another run, by position (repeated cyclically
            where that run is shorter); replaces the value.
    """

    neuron: Neuron
    gain: float = 0.0
    shift: float = 0.0
    donor: tuple[float, ...] = ()

    @property
    def layer(self) -> int:
        """Layer of the neuron."""
        return self.neuron.layer


def edit(
    neuron: Neuron, operation: str, value: float | None = None, donor: Sequence[float] = ()
) -> Edit:
    """Edit that an operation stands for: set, add, scale, mean, resample or zero.

    Args:
        neuron: The neuron.
        operation: Its name; `mean` takes the mean as `value`.
        value: Activation units for set, add and mean, a factor for scale, else None.
        donor: The neuron's values in the donor run, by position; for resample.

    Raises:
        TypeError: The neuron is none, or the value no number.
        ValueError: Unknown operation; its value or donor is missing, not finite, or one that the
            operation does not take; the neuron has a value of its own, and it is another.
    """
    _check_operation(neuron, operation, value, donor)
    if operation == "resample":
        return Edit(neuron, donor=tuple(finite("donor", v) for v in donor))
    if operation == "zero":
        return Edit(neuron)
    amount = finite(f"value of operation {operation!r}", value)
    if operation == "scale":
        return Edit(neuron, gain=amount)
    return Edit(neuron, gain=1.0 if operation == "add" else 0.0, shift=amount)


def _check_operation(
    neuron: Neuron, operation: str, value: float | None, donor: Sequence[float]
) -> None:
    """Refuse what does not go together."""
    if not isinstance(neuron, Neuron):
        raise TypeError(f"neuron: got {shown(neuron)}; write Neuron(11, 373)")
    if operation not in (*_VALUED, "zero", "resample"):
        steer = "; to steer, write a Steer" if operation == "steer" else ""
        raise ValueError(
            f"unknown operation {shown(operation)}; allowed: {', '.join(_VALUED)}, zero, "
            f"resample{steer}"
        )
    if operation in _VALUED and value is None:
        raise ValueError(f"operation {operation!r} needs a value")
    if operation not in _VALUED and value is not None:
        raise ValueError(f"operation {operation!r} takes no value; leave out {shown(value)}")
    if operation == "resample" and not len(donor):
        raise ValueError("resample needs the donor's values")
    if operation != "resample" and len(donor):
        raise ValueError(f"operation {operation!r} takes no donor; leave it out")
    if value is not None and neuron.value not in (None, value):
        raise ValueError(f"{neuron} has a value of its own; got {shown(value)}, write one of them")
