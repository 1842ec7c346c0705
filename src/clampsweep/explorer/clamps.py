"""The rows of clamps in the form: added, duplicated, removed, spread over layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from clampsweep.explorer.form import PRIVATE
from clampsweep.explorer.settings import OPERATIONS, ClampSetting

_WIDTH = 5  # components of a row that hold something

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
