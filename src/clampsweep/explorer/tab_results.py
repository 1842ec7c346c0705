"""The Results tab: what the workflow wrote, to look at and to read."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import (
    marking,
    results,
    results_figure,
    results_filters,
    results_pages,
    results_verdicts,
)
from clampsweep.explorer.file_names import file_name
from clampsweep.explorer.form import EACH, PRIVATE
from clampsweep.studies.bcr.figures.draw import FIGURES
from clampsweep.studies.bcr.view import Tables

_NONE_YET = (
    "No results yet. Run make reproduce in a terminal (about 15 minutes), or, for a first look, "
    "make reproduce CONFIG=config/quick.yaml. Then press Refresh."
)

_TITLES = {
    "rescue_vs_harm": "Dose curve: texts rescued and harmed",
    "improvement_rate": "Dose curve: share of collapsed texts rescued",
    "controls": "Neuron beside its controls",
    "states": "State of every text",
    "text_metrics": "Text metrics by clamp",
    "natural_range": "Clamps and the natural range",
    "first_divergence": "First difference from the baseline",
}

_LAST: dict[str, Any] = {"trigger_mode": "always_last"}  # of quick choices the last is kept

# One at a time: matplotlib's settings are the process's.
_DRAWING: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "minimal",
    "concurrency_limit": 1,
    "concurrency_id": "results-figure",
}

_ON_CELL = Path(__file__).with_name("results_grid.js").read_text(encoding="utf-8")

_INTO_VIEW = """
watch('value', () => element.querySelector('.cs-pair')?.scrollIntoView({block: 'nearest'}));
"""


@dataclass(frozen=True)
class _Parts:
    """The tab's components; `opened` holds the tables of a sweep, `shown` what is chosen of it."""

    opened: gr.State
    shown: gr.State
    sweep: gr.Dropdown
    refresh: gr.Button
    filters: list[gr.Dropdown]
    status: gr.HTML
    kind: gr.Dropdown
    picture: gr.HTML
    detector: gr.Dropdown
    grid: gr.HTML
    reading: gr.HTML
    verdicts: gr.HTML


def build(folder: Path, tab: gr.Tab) -> None:
    """Put the content into the tab.

    Args:
        folder: Where the workflow writes its results.
        tab: The tab, open; nothing is read before it is selected.
    """
    parts = _layout()
    listed, read = functools.partial(_listed, folder), functools.partial(_read, folder)
    fields = [parts.opened, parts.detector, *parts.filters, parts.status]
    there = [parts.sweep, parts.status]
    tab.select(listed, parts.sweep, there, **PRIVATE)
    again = parts.refresh.click(listed, parts.sweep, there, **PRIVATE)
    _then_select(parts, again.then(read, parts.sweep, fields, **PRIVATE).then)
    # Not input, which Gradio fires twice for a pointer, nor select, which it does not for a key.
    _then_select(parts, parts.sweep.change(read, parts.sweep, fields, **_LAST, **PRIVATE).then)
    for one in parts.filters:
        _then_select(parts, functools.partial(one.input, **_LAST))
    texts, drawn = [parts.grid, parts.reading], [parts.shown, parts.kind]
    parts.detector.change(_grid, [parts.shown, parts.detector], texts, **_LAST, **PRIVATE)
    parts.kind.change(_figure, drawn, parts.picture, **_LAST, **_DRAWING)
    parts.grid.select(_reading, parts.shown, parts.reading, **EACH)


def _then_select(parts: _Parts, when: Callable[..., Any]) -> None:
    """Select anew what is shown; then verdicts and grid, and last the figure: it takes a second."""
    chosen = when(_select, [parts.opened, *parts.filters], [parts.shown, parts.status], **PRIVATE)
    told = chosen.then(_verdicts, parts.shown, parts.verdicts, **PRIVATE)
    seen = told.then(_grid, [parts.shown, parts.detector], [parts.grid, parts.reading], **PRIVATE)
    seen.then(_figure, [parts.shown, parts.kind], parts.picture, **_DRAWING)


def _layout() -> _Parts:
    opened, shown = gr.State(None), gr.State(None)
    with gr.Row(equal_height=False, elem_classes="cs-choices"):
        sweep = gr.Dropdown(label="Sweep", elem_id="results-sweep", min_width=300)
        refresh = gr.Button("Refresh", elem_id="results-refresh", scale=0, min_width=110, size="md")
        filters = [results_filters.make(name) for name in results_filters.NAMES]
    status = gr.HTML(label="What is shown", elem_id="results-status", js_on_load=None)
    with gr.Tabs(elem_id="results-views"):
        with gr.Tab("Figures", elem_id="results-figures"):
            names = sorted(FIGURES, key=[*_TITLES, *FIGURES].index)
            kind = gr.Dropdown(
                [(_TITLES.get(name, name.replace("_", " ")), name) for name in names],
                value=names[0],
                label="Figure",
                elem_id="results-figure",
            )
            picture = gr.HTML(label="Figure", elem_id="results-picture", js_on_load=None)
        with gr.Tab("Texts", elem_id="results-texts"):
            detector = gr.Dropdown(label="Collapse detector", elem_id="results-detector")
            grid = gr.HTML(
                label="Prompts by clamps",
                elem_id="results-grid",
                js_on_load=_ON_CELL,
                apply_default_css=False,
            )
            reading = gr.HTML(label="Reading", elem_id="results-reading", js_on_load=_INTO_VIEW)
        with gr.Tab("Verdicts", elem_id="results-conclusions"):
            verdicts = gr.HTML(
                label="Verdicts",
                elem_id="results-verdicts",
                js_on_load=None,
                apply_default_css=False,
            )
    return _Parts(
        opened, shown, sweep, refresh, filters, status, kind, picture, detector, grid, reading,
        verdicts,
    )  # fmt: skip


def _told(make: Callable[[], str]) -> str:
    """The HTML that is made, or what went wrong, as an alert in its place."""
    try:
        return str(make())
    except UserError as fault:
        return str(marking.message(str(fault), "alert"))
    except Exception:
        logging.exception("unexpected error")
        said = (
            "unexpected error: this is a bug in clampsweep, please report it; the terminal has it"
        )
        return str(marking.message(said, "alert"))


def _listed(folder: Path, current: str | None) -> tuple[dict[str, Any], Any]:
    """The sweeps, newest first, the current one kept if still there; a word if there is none."""
    made = results.sweeps(folder)
    value = current if current in made else next(iter(made), None)
    said = gr.skip() if made else str(marking.message(_NONE_YET))
    choices = [(f"{name}, made {time:%Y-%m-%d %H:%M}", name) for name, time in made.items()]
    return gr.update(choices=choices, value=value), said


def _read(folder: Path, name: str | None) -> list[Any]:
    """A sweep's tables; the choices of detector and filters that it has; what went wrong."""
    opened: list[Tables] = []

    def read() -> str:
        if name is None:
            return marking.message(_NONE_YET)
        opened.append(results.read(folder, name))
        return ""

    said = _told(read)
    if not opened:
        none = [
            gr.update(choices=[], value=None),
            *([gr.update(choices=[], value=[])] * len(results_filters.NAMES)),
        ]
        return [None, *none, said]
    sweep = opened[0]
    detectors = gr.update(choices=results_filters.numbered(sweep.detectors), value=0)
    filters = results_filters.offer(sweep)
    return [sweep, detectors, *filters, said]


def _select(opened: Tables | None, *places: list[int] | None) -> tuple[Tables | None, Any]:
    """What the filters leave of a sweep, and a line that says so."""
    if opened is None:
        return None, gr.skip()
    choice = results_filters.choice(opened, places)
    found: list[Tables] = []

    def select() -> str:
        found.append(results.select(opened, choice))
        return results.note(opened, found[0])

    said = _told(select)
    return (found[0] if found else None), said


def _grid(shown: Tables | None, place: int | None) -> tuple[str, str]:
    """The grid of a detector; the reading pane is emptied, since its text may not be in it."""
    if shown is None or place is None or place >= len(shown.detectors):
        return "", ""
    hint = marking.message("Choose a cell to read its text beside the baseline.")
    return _told(lambda: results_pages.grid(shown, shown.detectors[place])), str(hint)


def _figure(shown: Tables | None, name: str) -> str:
    if shown is None:
        return ""
    return _told(lambda: results_figure.figure(shown, name, file_name(shown.title, name)))


def _verdicts(shown: Tables | None) -> str:
    return "" if shown is None else _told(lambda: results_verdicts.verdicts(shown))


def _reading(shown: Tables | None, event: gr.EventData) -> str:
    if shown is None:
        return ""
    return _told(lambda: results_pages.reading(shown, str(event.prompt), str(event.key)))
