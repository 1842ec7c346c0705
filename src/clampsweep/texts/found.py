"""Neurons that an earlier finding names: a table of roles and neurons, best first. No torch.

The study `universal` makes such a table (`un_roles.parquet`); any other with its columns will do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError, reason
from clampsweep.files import check_place
from clampsweep.names import Neuron
from clampsweep.texts.request import Named
from clampsweep.texts.selection import NEURON_STATS, write_selected

log = logging.getLogger(__name__)

CHECKPOINT = "find_neurons"
_NUMBERS = ("rank", "layer", "neuron")
_COLUMNS = ("role", *_NUMBERS)


@dataclass(frozen=True, kw_only=True)
class Found(Named):
    """Targets of an entry of `sweeps`: the best neurons of a role.

    Attributes:
        file: The table.
        role: The role.
        top: How many neurons.
    """

    file: str
    role: str
    top: int

    @classmethod
    def of(cls, entry: str, file: str, role: str, top: int) -> Found:
        """The targets of an entry, which the core's own checkpoint names."""
        return cls(CHECKPOINT, entry, top, file=file, role=role, top=top)


def read_roles(path: Path | str) -> pd.DataFrame:
    """The neurons of each role: columns role (text), rank (1 is best), layer, neuron.

    Whichever program wrote the table; its other columns are left out.

    Raises:
        UserError: It is no such table, or was copied from another place in `results`.
    """
    path = Path(path)
    check_place(path, tables.footer(path).get("place"))
    try:
        frame = pd.read_parquet(path)
        numbers = {name: frame[name].astype("int64") for name in _NUMBERS}
        if any((frame[name] != whole).any() for name, whole in numbers.items()):
            raise ValueError("rank, layer and neuron are whole numbers")
        found = pd.DataFrame({"role": frame["role"].astype(str), **numbers})
    except KeyError as error:
        said = f"lacks column {error}; a table of roles has {', '.join(_COLUMNS)}"
        raise UserError(f"{path}: {said}") from error
    except (OSError, ValueError, TypeError) as error:
        said = f"no table of roles ({', '.join(_COLUMNS)}): {reason(error)}; make it anew"
        raise UserError(f"{path}: {said}") from error
    for column in (["rank"], ["layer", "neuron"]):
        if (twice := found.duplicated(["role", *column])).any():
            row = found[twice].iloc[0]
            what = ", ".join(f"{name} {row[name]}" for name in column)
            raise UserError(f"{path}: role {row['role']!r} has {what} twice; make it anew")
    return found


def best(roles: pd.DataFrame, path: Path | str, role: str, top: int) -> list[Neuron]:
    """The best neurons of a role, best first.

    Args:
        roles: What `read_roles` read.
        path: From where, for messages.
        role: The role.
        top: How many.

    Raises:
        UserError: The table has no such role, or fewer neurons of it.
    """
    own = roles[roles["role"] == role].sort_values("rank")
    if own.empty:
        known = ", ".join(sorted(set(roles["role"]))) or "none"
        raise UserError(f"{path}: no neuron has the role {role!r}; roles in it: {known}")
    if len(own) < top:
        raise UserError(
            f"{path}: {len(own)} neurons have the role {role!r}, and top: {top} are asked for; "
            f"write top: {len(own)} or less"
        )
    chosen = own.head(top)
    pairs = zip(chosen["layer"].tolist(), chosen["neuron"].tolist(), strict=True)
    return [Neuron(layer, index) for layer, index in pairs]


def check_neurons(
    neurons: list[Neuron], path: Path | str, is_there: Callable[[Neuron], bool], model: str
) -> None:
    """Refuse neurons that a model has not: the table is of another one.

    Args:
        neurons: The neurons.
        path: The table that names them.
        is_there: Whether the model has a neuron.
        model: What the model has, as the message ends.

    Raises:
        UserError: It lacks one of them.
    """
    for neuron in neurons:
        if not is_there(neuron):
            raise UserError(f"{path}: names {neuron}, but {model}; take a table of this model")


def write_found(path: Path, role: str, top: int, operation: str, stats: Path, output: Path) -> None:
    """Write the best neurons of a role as the targets of a sweep, for its plan.

    Args:
        path: The table of roles.
        role: The role.
        top: How many neurons.
        operation: The sweep's; for `mean` each neuron has its own.
        stats: The sweep's `neuron_stats`.
        output: Where; `read_selected` reads it.

    Raises:
        UserError: The table does not name so many neurons of the role, or the model lacks one.
    """
    neurons = best(read_roles(path), path, role, top)
    frame = tables.read(stats, NEURON_STATS)
    there = set(zip(frame["layer"], frame["neuron"], strict=True))
    sizes = f"layers 0-{frame['layer'].max()} and neurons 0-{frame['neuron'].max()}"
    check_neurons(
        neurons, path, lambda one: (one.layer, one.index) in there, f"the sweep's model has {sizes}"
    )
    log.info("targets: %s", ", ".join(map(str, neurons)))
    write_selected([str(one) for one in neurons], operation, frame, output)
