"""The plane that vectors are seen in: its basis, the groups of texts, the thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from clampsweep.errors import UserError
from clampsweep.names import Neuron, parse_neuron

PROMPT_FACTORS = ("type", "level", "core")

MAX_GROUPS = 100  # of a factor: 4,950 pairs

PromptGroup = Mapping[str, str | int]


@dataclass(frozen=True)
class Srm:
    """The plane that vectors are seen in, and how texts are grouped.

    Attributes:
        where: File and key, as messages begin.
        basis: Names of two neurons, or two groups of prompts such as `{"type": "declarative"}`.
        group_by: Factors, each of type, level, core and clamp.
        thresholds: Of the projection of unit vectors, each between 0 and 1.
    """

    where: str
    basis: tuple[str, str] | tuple[PromptGroup, PromptGroup]
    group_by: tuple[str, ...]
    thresholds: tuple[float, ...]

    @property
    def neurons(self) -> tuple[Neuron, ...]:
        """The two neurons of the basis; none if groups of prompts span the plane."""
        return tuple(parse_neuron(part) for part in self.basis if isinstance(part, str))

    @property
    def prompt_groups(self) -> tuple[PromptGroup, ...]:
        """The two groups of prompts of the basis; none if neurons span the plane."""
        return tuple(part for part in self.basis if not isinstance(part, str))

    @property
    def title(self) -> str:
        """The plane in words, such as `plane of L29N1233 and L29N1512`."""
        parts = [part if isinstance(part, str) else describe(part) for part in self.basis]
        return f"plane of {' and '.join(parts)}"

    def as_parameter(self, sweep: str) -> dict[str, Any]:
        """Fields as a rule's parameter, without the config file's name."""
        return {**asdict(self), "where": f"sweeps.{sweep}.srm"}


def describe(group: PromptGroup) -> str:
    """A group of prompts in words, such as `type declarative, level 3`."""
    return ", ".join(f"{factor} {value}" for factor, value in group.items())


def fault_of(neuron: Neuron, layers: Sequence[int], changed: set[Neuron]) -> str | None:
    """What is wrong with a neuron of the basis in a sweep, or None.

    Args:
        neuron: The neuron.
        layers: Layers that the sweep changes; empty if they are not known yet.
        changed: Neurons that the sweep changes.
    """
    if layers and neuron.layer not in layers:
        return (
            f"'{neuron}' is in layer {neuron.layer}, of which there are no vectors; the sweep "
            f"changes {_layers(layers)}"
        )
    if neuron in changed:
        return (
            f"'{neuron}' is changed by the sweep itself, so what it does there says nothing of the "
            "texts; name another"
        )
    return None


def several_layers(layers: Sequence[int]) -> str:
    """Why groups of prompts in several layers span no plane."""
    return (
        f"the sweep changes {_layers(layers)}, and groups of prompts span a plane in one layer "
        "only; name two neurons, or sweep the layers one by one"
    )


def _layers(layers: Sequence[int]) -> str:
    return f"layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))}"


def check_vectors(srm: Srm, layers: Sequence[int], changed: set[Neuron]) -> None:
    """Check the basis against what a sweep has changed, where neurons were selected.

    Args:
        srm: The key.
        layers: Layers with vectors, ascending.
        changed: Neurons that the sweep changed.

    Raises:
        UserError: A neuron is in another layer or was changed; groups of prompts in several layers.
    """
    for place, neuron in enumerate(srm.neurons):
        fault = fault_of(neuron, layers, changed)
        if fault:
            raise UserError(f"{srm.where}.basis[{place}]: {fault}")
    if srm.prompt_groups and len(layers) > 1:
        raise UserError(f"{srm.where}.basis: {several_layers(layers)}")


def check_prompts(srm: Srm, prompts: pd.DataFrame) -> None:
    """Check that the prompts have the factors, and each group of the basis a prompt.

    Args:
        srm: The key.
        prompts: A `PROMPTS` table.

    Raises:
        UserError: A factor has no values, or a group no prompts.
    """
    for place, factor in enumerate(srm.group_by):
        if factor in PROMPT_FACTORS and prompts[factor].isna().all():
            raise UserError(
                f"{srm.where}.group_by[{place}]: no prompt has a {factor}; leave {factor!r} out"
            )
        n = prompts[factor].nunique() if factor in PROMPT_FACTORS else 0
        if n > MAX_GROUPS:
            raise UserError(
                f"{srm.where}.group_by[{place}]: the prompts have {n:,} values of {factor}, and "
                f"each pair is tested; at most {MAX_GROUPS} can be; leave {factor!r} out"
            )
    for place, group in enumerate(srm.prompt_groups):
        found = pd.Series(True, prompts.index)
        for factor, value in group.items():
            found &= prompts[factor].eq(value).fillna(False)
        if not found.any():
            known = "; ".join(
                f"{factor}: {', '.join(map(str, prompts[factor].dropna().unique())) or 'none'}"
                for factor in group
            )
            raise UserError(
                f"{srm.where}.basis[{place}]: no prompt has {describe(group)}; there are {known}"
            )
