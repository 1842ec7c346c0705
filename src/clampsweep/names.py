"""Names of neurons (`L11N373`), of joint targets (`L3N5+L11N373`) and of their hook points.

A control that sends a neuron's change along a random direction is named `L11N373R4`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

_NEURON = re.compile(r"L([0-9]+)N([0-9]+)(?:R([0-9]+))?")

OWN = -1


@dataclass(frozen=True, order=True)
class Neuron:
    """One MLP neuron: a coordinate of `blocks.<layer>.mlp.hook_post`, both counted from 0.

    Attributes:
        layer: Layer.
        index: Place in the layer.
        direction: Number of the random direction along which a change of the neuron is sent, in
            place of its own output direction and with the same length (a control); OWN if none.
    """

    layer: int
    index: int
    direction: int = OWN

    def __str__(self) -> str:
        """Name as in the literature, `L11N373`; `L11N373R4` with random direction 4."""
        random = "" if self.direction == OWN else f"R{self.direction}"
        return f"L{self.layer}N{self.index}{random}"


def parse_neuron(name: str) -> Neuron:
    """Neuron that a name such as `L11N373` stands for.

    Raises:
        ValueError: The name does not have that form.
    """
    match = _NEURON.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is not a neuron name; write L<layer>N<index>, such as L11N373")
    return Neuron(int(match[1]), int(match[2]), OWN if match[3] is None else int(match[3]))


def parse_target(name: str) -> tuple[Neuron, ...]:
    """Neurons of a target, in layer order: one, or several joined by `+`.

    Raises:
        ValueError: A part is no neuron name, or stands twice.
    """
    neurons = tuple(sorted(parse_neuron(part) for part in name.split("+")))
    if len(set(neurons)) < len(neurons):
        raise ValueError(f"{name!r} names a neuron twice")
    return neurons


def target_name(neurons: tuple[Neuron, ...]) -> str:
    """Name of the neurons that one intervention changes together, `L3N5+L11N373`."""
    return "+".join(str(neuron) for neuron in sorted(neurons))


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
