"""Names of neurons (`L11N373`), joint targets (`L3N5+L11N373`), directions and hook points.

A neuron of a joint target may have a value of its own: `L3N5=2.5+L11N373=-1`. A control that sends
a neuron's change along a random direction is named `L11N373R4`. A direction of the residual stream
after a layer is named `L15@refusal`, and a random one that takes its place `L15R4@refusal`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

_VALUE = r"(?:=(-?[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?))?"
_NEURON = re.compile(rf"L([0-9]+)N([0-9]+)(?:R([0-9]+))?{_VALUE}")
_DIRECTION = re.compile(r"L([0-9]+)(?:R([0-9]+))?@([A-Za-z0-9][A-Za-z0-9_.-]*)")
_SHORT = 24  # characters of a joint target's name that are shown in full

OWN = -1


@dataclass(frozen=True, order=True)
class Neuron:
    """One MLP neuron: a coordinate of `blocks.<layer>.mlp.hook_post`, both counted from 0.

    Attributes:
        layer: Layer.
        index: Place in the layer.
        direction: Number of the random direction along which a change of the neuron is sent, in
            place of its own output direction and with the same length (a control); OWN if none.
        value: What the operation uses for this neuron of a target, whatever the others have;
            None where all have the combination's.
    """

    layer: int
    index: int
    direction: int = OWN
    value: float | None = None

    @property
    def bare(self) -> Neuron:
        """The neuron without a value."""
        return replace(self, value=None)

    def __str__(self) -> str:
        """Name as in the literature, `L11N373`; `L11N373R4=2.5` with all that may follow."""
        random = "" if self.direction == OWN else f"R{self.direction}"
        own = "" if self.value is None else f"={_written(self.value)}"
        return f"L{self.layer}N{self.index}{random}{own}"


@dataclass(frozen=True, order=True)
class Direction:
    """A direction of the residual stream after a layer, `blocks.<layer>.hook_resid_post`.

    Attributes:
        layer: Layer.
        name: What it is called.
        random: Number of the random direction of the same length that takes its place (a control);
            OWN if none.
    """

    layer: int
    name: str
    random: int = OWN

    def __str__(self) -> str:
        """Name, `L15@refusal`; `L15R4@refusal` for random direction 4."""
        random = "" if self.random == OWN else f"R{self.random}"
        return f"L{self.layer}{random}@{self.name}"


def parse_neuron(name: str) -> Neuron:
    """Neuron that a name such as `L11N373` stands for.

    Raises:
        ValueError: The name does not have that form.
    """
    match = _NEURON.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(f"{name!r} is not a neuron name; write L<layer>N<index>, such as L11N373")
    value = None if match[4] is None else float(match[4])
    if value is not None and not math.isfinite(value):
        raise ValueError(f"{name!r} has a value that is not finite")
    return Neuron(int(match[1]), int(match[2]), OWN if match[3] is None else int(match[3]), value)


def parse_direction(name: str) -> Direction:
    """Direction that a name such as `L15@refusal` stands for.

    Raises:
        ValueError: The name does not have that form.
    """
    match = _DIRECTION.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError(
            f"{name!r} is not a direction's name; write L<layer>@<name>, such as L15@refusal"
        )
    return Direction(int(match[1]), match[3], OWN if match[2] is None else int(match[2]))


def plain_direction(target: str) -> str:
    """Name of the direction that a random one takes the place of, or of the direction itself."""
    return str(replace(parse_direction(target), random=OWN))


def is_direction(target: str) -> bool:
    """Whether a target's name is that of a direction."""
    return "@" in target


def parse_target(name: str) -> tuple[Neuron, ...]:
    """Neurons of a target, in layer order: one, or several joined by `+`.

    Raises:
        ValueError: A part is no neuron name, or stands twice, or some have values of their own.
    """
    if not isinstance(name, str):
        raise ValueError(f"{name!r} is not a target's name; write one text, such as L3N5+L11N373")
    neurons = tuple(sorted((parse_neuron(part) for part in name.split("+")), key=_place))
    if len({(one.layer, one.index, one.direction) for one in neurons}) < len(neurons):
        raise ValueError(f"{name!r} names a neuron twice")
    if len({one.value is None for one in neurons}) > 1:
        raise ValueError(f"{name!r} gives some neurons a value and some none")
    return neurons


def neurons_in(target: str | None) -> tuple[Neuron, ...]:
    """Neurons that a target consists of; none of a direction or a baseline."""
    return () if target is None or is_direction(target) else parse_target(target)


def layers_in(target: str | None) -> tuple[int, ...]:
    """Layers that a target is in, ascending; none of a baseline."""
    if target is not None and is_direction(target):
        return (parse_direction(target).layer,)
    return tuple(sorted({neuron.layer for neuron in neurons_in(target)}))


def target_name(neurons: tuple[Neuron, ...]) -> str:
    """Name of the neurons that one intervention changes together, `L3N5+L11N373`."""
    return "+".join(str(neuron) for neuron in sorted(neurons, key=_place))


def short_name(target: str) -> str:
    """A target's name for people: a long one as its first neuron and how many more there are."""
    first, *more = target.split("+")
    return f"{first} and {len(more)} more" if more and len(target) > _SHORT else target


def short_names(targets: Iterable[str]) -> dict[str, str]:
    """Short names by target; those that would be alike are numbered."""
    found: dict[str, str] = {}
    times: Counter[str] = Counter()
    for target in targets:
        short = short_name(target)
        times[short] += 1
        found[target] = short if times[short] == 1 else f"{short} ({times[short]})"
    return found


def _written(value: float) -> str:
    """A number in full; without the + of an exponent, since + joins names."""
    return repr(value).removesuffix(".0").replace("e+", "e")


def _place(neuron: Neuron) -> tuple[int, int, int]:
    return neuron.layer, neuron.index, neuron.direction


def hook_post(layer: int) -> str:
    """TransformerLens name of the MLP post-activation of a layer: the input of W_out."""
    return f"blocks.{layer}.mlp.hook_post"


RESID_PRE = "hook_resid_pre"  # residual stream before a layer
RESID_POST = "hook_resid_post"  # and after it
MLP_PRE = "mlp.hook_pre"  # what goes into the activation function; of a gated MLP, the gate
MLP_PRE_LINEAR = "mlp.hook_pre_linear"  # what a gated MLP multiplies the activated gate with
MLP_POST = "mlp.hook_post"  # input of W_out
PATTERN = "attn.hook_pattern"  # attention probabilities
HOOK_NAMES = (RESID_PRE, RESID_POST, MLP_PRE, MLP_PRE_LINEAR, MLP_POST, PATTERN)


class HookPoint(NamedTuple):
    """A place in a model by TransformerLens's name, such as `blocks.3.mlp.hook_post`.

    Attributes:
        layer: Layer, from 0.
        name: What of it: one of `HOOK_NAMES`.
    """

    layer: int
    name: str

    def __str__(self) -> str:
        """Full name, `blocks.3.mlp.hook_post`."""
        return f"blocks.{self.layer}.{self.name}"


def hook_points(name: str, layers: Iterable[int]) -> list[HookPoint]:
    """The hook points of one name in some layers."""
    return [HookPoint(layer, name) for layer in layers]
