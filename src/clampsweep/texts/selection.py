"""Statistics of every neuron over baseline texts, and the choice of targets by them. No torch."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.files import check_place, place, write_text
from clampsweep.names import Neuron, parse_target
from clampsweep.tables import Column, Schema
from clampsweep.texts.directions import Steering
from clampsweep.texts.request import Selection

log = logging.getLogger(__name__)

_ORDER = {
    "consistent": ("mean_over_sd", False),
    "highest_mean": ("mean", False),
    "lowest_mean": ("mean", True),
    "lowest_sd": ("sd", True),
}


def select(stats: pd.DataFrame, selection: Selection) -> tuple[str, ...]:
    """Names of the neurons that a selection chooses, best first.

    `consistent` ranks by |mean| / sd over the generated positions.

    Raises:
        UserError: Every baseline is empty.
    """
    check_positions(stats)
    pool = stats if selection.layer is None else stats[stats["layer"] == selection.layer]
    column, ascending = _ORDER[selection.select]
    best = pool.sort_values(column, ascending=ascending, kind="stable").head(selection.top)
    pairs = zip(best["layer"].tolist(), best["neuron"].tolist(), strict=True)
    return tuple(str(Neuron(layer, index)) for layer, index in pairs)


def write_selection(
    stats: Path, targets: Sequence[str] | Selection, operation: str, output: Path
) -> None:
    """Write the targets of a sweep, and each one's mean for operation `mean`, as JSON.

    Args:
        stats: The sweep's `neuron_stats`.
        targets: Names, or how to select them.
        operation: The sweep's.
        output: `{"targets": [...], "means": [...]}`.
    """
    frame = tables.read(stats, NEURON_STATS)
    names = select(frame, targets) if isinstance(targets, Selection) else tuple(targets)
    log.info("targets: %s", ", ".join(names))
    write_selected(names, operation, frame, output)


@dataclass(frozen=True)
class Selected:
    """What a checkpoint names.

    Attributes:
        targets: The targets.
        means: For `mean`: each one's.
        directions: For `steer`: those that targets name, where the checkpoint has made them.
        values: Of each target, values that it runs with beside the request's; empty: none at all.
    """

    targets: tuple[str, ...]
    means: tuple[float | None, ...]
    directions: tuple[Steering, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()


def check_positions(stats: pd.DataFrame) -> None:
    """Refuse statistics of no position at all: nothing follows from them.

    Args:
        stats: A `NEURON_STATS` table.

    Raises:
        UserError: Every baseline is empty.
    """
    if not stats["n_positions"].any():
        raise UserError(
            "every baseline text is empty, so that no neuron has statistics to choose by or a mean "
            "to be set to; name neurons and values, without matching by activation"
        )


def write_selected(
    names: Sequence[str],
    operation: str,
    stats: pd.DataFrame,
    output: Path,
    values: Mapping[str, Sequence[float]] = MappingProxyType({}),
) -> None:
    """Write targets, and each one's mean for operation `mean`, as JSON.

    Args:
        names: The targets; single neurons for `mean`.
        operation: The sweep's.
        stats: A `NEURON_STATS` table.
        output: Where; `read_selected` reads it.
        values: Values that some of the targets run with beside the sweep's, by target.

    Raises:
        UserError: A mean is needed, and every baseline is empty.
    """
    means: list[float | None] = [None] * len(names)
    if operation == "mean":
        check_positions(stats)
        table = stats.set_index(["layer", "neuron"])["mean"]
        means = [float(table[one.layer, one.index]) for (one,) in map(parse_target, names)]
    more = tuple(tuple(values.get(name, ())) for name in names) if any(values.values()) else ()
    _write(Selected(tuple(names), tuple(means), values=more), output)


def write_directions(directions: Sequence[Steering], names: Sequence[str], output: Path) -> None:
    """Write targets that a study steers along, and the directions that it has made, as JSON.

    Args:
        directions: The directions.
        names: The targets: names of these, or of random ones that take their place.
        output: Where; `read_selected` reads it.
    """
    _write(Selected(tuple(names), (None,) * len(names), tuple(directions)), output)


def _write(selected: Selected, output: Path) -> None:
    content: dict[str, object] = {
        "targets": list(selected.targets),
        "means": list(selected.means),
        "place": place(output),
    }
    if selected.directions:
        content["directions"] = {one.target: list(one.vector) for one in selected.directions}
    if selected.values:
        content["values"] = [list(each) for each in selected.values]
    write_text(json.dumps(content), output)


def read_selected(path: Path | str) -> Selected:
    """What `write_selected` wrote.

    Raises:
        UserError: The file is damaged, or copied from another sweep.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        check_place(Path(path), content["place"])
        vectors = content.get("directions", {})
        made = [Steering(name, tuple(vector)) for name, vector in vectors.items()]
        more = tuple(tuple(map(float, each)) for each in content.get("values", ()))
        return Selected(tuple(content["targets"]), tuple(content["means"]), tuple(made), more)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged selection file; delete it and run again") from error


NEURON_STATS = Schema(
    "neuron_stats",
    {
        "layer": Column("int", "layer"),
        "neuron": Column("int", "index in the layer"),
        "n_prompts": Column("int", "number of baseline texts"),
        "n_positions": Column("int", "number of generated positions"),
        "mean": Column("float", "mean post-activation over positions; null if none", null=True),
        "sd": Column("float", "standard deviation over positions (n - 1)", null=True),
        "min": Column("float", "smallest value", null=True),
        "max": Column("float", "largest value", null=True),
        "share_positive": Column("float", "share of positions above 0, in 0..1", null=True),
        "mean_over_sd": Column("float", "|mean| / sd; null where sd is 0", null=True),
        "w_out_norm": Column("float", "norm of what one unit of it adds to the residual stream"),
    },
    key=("layer", "neuron"),
)
