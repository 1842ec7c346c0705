"""The rows of clamps in the form: added, duplicated, removed, spread over layers, imported."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.explorer.form import PRIVATE
from clampsweep.explorer.marking import message
from clampsweep.explorer.settings import OPERATIONS, ClampSetting
from clampsweep.names import OWN, parse_target
from clampsweep.studies.bcr.rates import RATES
from clampsweep.texts.control_table import CONTROLS
from clampsweep.texts.selection import NEURON_STATS

_WIDTH = 5  # components of a row that hold something

_MOST = 200  # neurons of the statistics that are offered

_STAMPS = itertools.count()


@dataclass(frozen=True)
class Rows:
    """Clamps to be drawn; the stamp makes them new even where they are those drawn last."""

    clamps: tuple[ClampSetting, ...]
    stamp: int


def fresh(clamps: Iterable[ClampSetting]) -> Rows:
    """Rows that are drawn anew, whatever has been typed into those before."""
    return Rows(tuple(clamps), next(_STAMPS))


def read_rows(cells: Sequence[Any]) -> list[ClampSetting]:
    """The clamps that a form's components hold, row by row: on, layer, neuron, operation, value."""
    return [
        ClampSetting(layer, neuron, operation, None if value is None else float(value), bool(on))
        for on, layer, neuron, operation, value in (
            cells[start : start + _WIDTH] for start in range(0, len(cells), _WIDTH)
        )
    ]


def draw(
    clamps: Sequence[ClampSetting],
    rows: gr.State,
    model: gr.Dropdown,
    n_layers: Callable[[str], int],
    first: Callable[[str], ClampSetting],
) -> list[Any]:
    """Make a row of components for each clamp, with its buttons; return what holds the values.

    Args:
        clamps: What they hold to begin with.
        rows: Takes the rows as they are after a button; whoever draws them draws anew.
        model: The model in use.
        n_layers: Number of layers of a model, by name.
        first: A model's clamp to begin with.
    """
    cells: list[Any] = []
    buttons = []
    for number, one in enumerate(clamps, 1):
        with gr.Row(elem_classes="cs-clamp", elem_id=f"clamp-{number}"):
            cells += _cells(number, one)
            labels = ("All layers", "Duplicate", "Remove")
            buttons.append([_button(label, number) for label in labels])
    for at, (spread, twice, gone) in enumerate(buttons):
        _on(
            spread,
            cells,
            rows,
            lambda had, name, at=at: spread_over(had, at, n_layers(name)),
            model,
        )
        _on(twice, cells, rows, lambda had, at=at: [*had[: at + 1], had[at], *had[at + 1 :]])
        _on(gone, cells, rows, lambda had, at=at: had[:at] + had[at + 1 :])
    with gr.Row(elem_classes="cs-row"):
        add = gr.Button("Add a clamp", size="sm", scale=0, min_width=120, elem_id="clamps-add")
        clear = gr.Button("Clear", size="sm", scale=0, min_width=90, elem_id="clamps-clear")
    _on(add, cells, rows, lambda had, name: [*had, _next(had) if had else first(name)], model)
    _on(clear, cells, rows, lambda had: [])
    return cells


def _cells(number: int, one: ClampSetting) -> list[Any]:
    def name(what: str) -> dict[str, Any]:
        return {"label": f"Clamp {number}: {what}", "show_label": False, "container": False,
                "elem_id": f"clamp-{number}-{what}", "interactive": True}  # fmt: skip

    return [
        gr.Checkbox(one.on, scale=0, min_width=44, elem_classes="cs-on", **name("on")),
        gr.Number(one.layer, min_width=70, **name("layer")),
        gr.Number(one.neuron, min_width=80, **name("neuron")),
        gr.Dropdown(list(OPERATIONS), value=one.operation, min_width=90, filterable=False,
                    **name("operation")),
        gr.Number(one.value, min_width=80, **name("value")),
    ]  # fmt: skip


def _button(label: str, number: int) -> gr.Button:
    word = label.lower().replace(" ", "-")
    return gr.Button(label, size="sm", scale=0, min_width=84, elem_id=f"clamp-{number}-{word}")


def _on(button: gr.Button, cells: Sequence[Any], rows: gr.State, change: Callable[..., list[Any]],
        *more: Any) -> None:  # fmt: skip
    """Let a button replace the rows by what `change` makes of them as they stand."""

    def pressed(*held: Any) -> Rows:
        return fresh(change(read_rows(held[: len(cells)]), *held[len(cells) :]))

    button.click(pressed, [*cells, *more], rows, **PRIVATE)


def _next(had: Sequence[ClampSetting]) -> ClampSetting:
    """A row like the last one, but for its neuron."""
    return replace(had[-1], neuron=0, on=True)


def spread_over(clamps: Sequence[ClampSetting], at: int, n_layers: int) -> list[ClampSetting]:
    """The rows, with one of them replaced by the same in every layer, in their order."""
    one = clamps[at]
    every = [replace(one, layer=layer) for layer in range(n_layers)]
    return [*clamps[:at], *every, *clamps[at + 1 :]]


@dataclass(frozen=True)
class Import:
    """The components that choose clamps of a table, and how a table's clamps are read."""

    table: gr.Dropdown
    which: gr.Dropdown
    add: gr.Button
    said: gr.HTML
    read: Callable[[str | None], dict[str, list[ClampSetting]]]

    def connect(self, rows: gr.State, cells: Sequence[Any]) -> None:
        """Let the button add what is chosen to the rows, as the cells hold them."""

        def take(name: str | None, labels: list[str], *held: Any) -> tuple[Any, str]:
            try:
                found = self.read(name)
            except UserError as error:
                return gr.skip(), message(str(error), "alert")
            new = [one for label in labels for one in found.get(label, [])]
            return fresh([*read_rows(held), *new]), message(f"{len(new)} added.")

        self.add.click(take, [self.table, self.which, *cells], [rows, self.said], **PRIVATE)


def importable(results: Path) -> dict[str, Path]:
    """Tables in a results folder that name neurons, by what the form calls them."""
    found = {}
    for path in sorted(results.glob("*/rates.parquet")):
        found[f"{path.parent.name}: targets and their clamps"] = path
    for path in sorted(results.glob("*/controls/controls.parquet")):
        found[f"{path.parents[1].name}: control neurons"] = path
    for path in sorted(results.glob("*/neuron_stats.parquet")):
        found[f"{path.parent.name}: neurons most consistent over the baselines"] = path
    return found


def read_table(path: Path) -> dict[str, list[ClampSetting]]:
    """Clamps that a table names, by a label: of `rates`, `controls` or `neuron_stats`.

    Neurons of controls come with value 0, those of the statistics with their mean; operations that
    the form lacks, and random directions, are left out.

    Raises:
        UserError: The file is damaged or another table.
    """
    if path.name == "rates.parquet":
        return _of_rates(tables.read(path, RATES))
    if path.name == "controls.parquet":
        names = tables.read(path, CONTROLS)
        chosen = names[names["kind"] == "neuron"]["control"].drop_duplicates()
        return {str(name): _clamps(str(name), "set", 0.0) for name in chosen}
    if path.name == "neuron_stats.parquet":
        return _of_statistics(tables.read(path, NEURON_STATS))
    raise UserError(f"{path}: not a table of neurons; choose rates, controls or neuron_stats")


def _of_rates(rates: pd.DataFrame) -> dict[str, list[ClampSetting]]:
    found = {}
    for row in rates.drop_duplicates(["target", "operation", "value", "scope"]).itertuples():
        value = None if pd.isna(row.value) else float(row.value)  # type: ignore[arg-type]
        operation = "set" if row.operation == "mean" else str(row.operation)
        if operation in OPERATIONS:
            clamps = _clamps(str(row.target), operation, value)
            shown = "" if value is None else f" {value:+g}"
            found[f"{row.target} {row.operation}{shown}"] = clamps
    return {label: clamps for label, clamps in found.items() if clamps}


def _of_statistics(stats: pd.DataFrame) -> dict[str, list[ClampSetting]]:
    known = stats.dropna(subset=["mean", "mean_over_sd"])
    best = known.nlargest(_MOST, "mean_over_sd")
    return {
        f"L{row.layer}N{row.neuron} set {row.mean:+.3g} (its mean)": [
            ClampSetting(int(row.layer), int(row.neuron), "set", float(f"{row.mean:.6g}"))  # type: ignore[arg-type]
        ]
        for row in best.itertuples()
    }


def _clamps(target: str, operation: str, value: float | None) -> list[ClampSetting]:
    try:
        neurons = parse_target(target)
    except ValueError as error:
        raise UserError(f"{error}; the table is damaged, delete it and run again") from error
    if any(neuron.direction != OWN for neuron in neurons):
        return []
    return [ClampSetting(one.layer, one.index, operation, value) for one in neurons]
