"""Clamps from the tables that the workflow wrote: swept targets, controls, consistent neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.explorer.clamps import fresh, read_rows
from clampsweep.explorer.form import LAST, PRIVATE, html
from clampsweep.explorer.marking import message
from clampsweep.explorer.settings import OPERATIONS, ClampSetting
from clampsweep.names import OWN, parse_target, short_names
from clampsweep.studies.bcr.rates import RATES
from clampsweep.texts.control_table import CONTROLS
from clampsweep.texts.selection import NEURON_STATS

_MOST = 200  # neurons of the statistics that are offered


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


def build(results: Path) -> Import:
    """Clamps from a table that the workflow wrote; `Import.connect` lets its button add them."""
    with gr.Accordion("Import clamps from a results table", open=False, elem_id="import") as fold:
        table = gr.Dropdown([], value=None, label="Table", elem_id="import-table",
                            interactive=True)  # fmt: skip
        which = gr.Dropdown([], multiselect=True, label="Its clamps", elem_id="import-clamps",
                            interactive=True)  # fmt: skip
        add = gr.Button("Add these clamps", size="sm", elem_id="import-add")
        said = html(elem_id="import-said")

    def read(name: str | None) -> dict[str, list[ClampSetting]]:
        found = importable(results)
        if name not in found:
            raise UserError(f"{name or 'no table'}: not there; choose another")
        return read_table(found[name])

    def show(name: str | None) -> tuple[Any, str]:
        if name is None:
            return gr.update(choices=[], value=[]), ""
        try:
            labels = list(read(name))
        except UserError as error:
            return gr.update(choices=[], value=[]), message(str(error), "alert")
        return gr.update(choices=labels, value=[]), message(f"{len(labels)} to choose from.")

    fold.expand(lambda: gr.update(choices=list(importable(results))), None, table, **PRIVATE)
    table.change(show, table, [which, said], **LAST)  # input fires when the list is left, too
    return Import(table, which, add, said, read)


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
    the form's rows lack, such as `steer`, and random directions are left out.

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
    found, shown = {}, short_names(rates["target"].unique())
    for row in rates.drop_duplicates(["target", "operation", "value", "scope"]).itertuples():
        value = None if pd.isna(row.value) else float(row.value)  # type: ignore[arg-type]
        operation = "set" if row.operation == "mean" else str(row.operation)
        if operation in OPERATIONS:
            target, used = str(row.target), "" if value is None else f" {value:+g}"
            found[f"{shown[target]} {row.operation}{used}"] = _clamps(target, operation, value)
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
    return [
        ClampSetting(one.layer, one.index, operation, value if one.value is None else one.value)
        for one in neurons
    ]
