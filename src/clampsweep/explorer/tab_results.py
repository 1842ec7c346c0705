"""The Results tab: what the workflow wrote, to look at and to read."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import marking, results, results_figure, results_pages
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

_ON_CELL = """
const cellOf = (event) => event.target.closest('button[data-key]');
const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
const hold = (cell) => {
  element.querySelectorAll('button[tabindex="0"]').forEach((one) => { one.tabIndex = -1; });
  cell.tabIndex = 0;
};
element.addEventListener('click', (event) => {
  const cell = cellOf(event);
  if (!cell) return;
  hold(cell);
  element.querySelectorAll('[aria-current]').forEach((one) => one.removeAttribute('aria-current'));
  cell.setAttribute('aria-current', 'true');
  trigger('select', {prompt: cell.dataset.prompt, key: cell.dataset.key});
});
element.addEventListener('keydown', (event) => {
  const step = steps[event.key], cell = cellOf(event);
  if (!step || !cell) return;
  event.preventDefault();
  const row = cell.closest('tr');
  const line = [row.previousElementSibling, row, row.nextElementSibling][step[0] + 1];
  const next = line?.children[cell.parentElement.cellIndex + step[1]]?.querySelector('button');
  if (!next) return;
  hold(next);
  next.focus();
});
"""

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
    texts, drawn = [parts.grid, parts.reading], [parts.shown, parts.kind, parts.sweep]
    parts.detector.change(_grid, [parts.shown, parts.detector], texts, **_LAST, **PRIVATE)
    parts.kind.change(_figure, drawn, parts.picture, **_LAST, **_DRAWING)
    parts.grid.select(_reading, parts.shown, parts.reading, **EACH)


def _then_select(parts: _Parts, when: Callable[..., Any]) -> None:
    """Select anew what is shown; then the grid, and last the figure, which takes a second."""
    chosen = when(_select, [parts.opened, *parts.filters], [parts.shown, parts.status], **PRIVATE)
    seen = chosen.then(_grid, [parts.shown, parts.detector], [parts.grid, parts.reading], **PRIVATE)
    seen.then(_figure, [parts.shown, parts.kind, parts.sweep], parts.picture, **_DRAWING)


def _layout() -> _Parts:
    opened, shown = gr.State(None), gr.State(None)
    with gr.Row(equal_height=False, elem_classes="cs-choices"):
        sweep = gr.Dropdown(label="Sweep", elem_id="results-sweep", min_width=160)
        refresh = gr.Button("Refresh", elem_id="results-refresh", scale=0, min_width=110, size="md")
        filters = [_filter(name) for name in ("targets", *results.FACTORS)]
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
    return _Parts(
        opened, shown, sweep, refresh, filters, status, kind, picture, detector, grid, reading
    )


def _filter(name: str) -> gr.Dropdown:
    return gr.Dropdown(
        label=f"{name.capitalize()} (none: all)",
        elem_id=f"results-{name}",
        multiselect=True,
        min_width=160,
    )


def _choices(names: Sequence[str]) -> list[tuple[str | int | float, str | int | float]]:
    """Choices whose values are numbers: gradio quotes a value that it refuses as HTML."""
    return [(name, place) for place, name in enumerate(names)]


def _picked(names: Sequence[str], places: Sequence[int] | None) -> tuple[str, ...]:
    return tuple(names[place] for place in places or () if place < len(names))


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
    """The sweeps there are, the current one kept if it still is there; a word if there is none."""
    names = results.sweeps(folder)
    value = current if current in names else next(iter(names), None)
    said = gr.skip() if names else str(marking.message(_NONE_YET))
    return gr.update(choices=names, value=value), said


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
        none = [gr.update(choices=[], value=None), *([gr.update(choices=[], value=[])] * 4)]
        return [None, *none, said]
    sweep = opened[0]
    detectors = gr.update(choices=_choices(sweep.detectors), value=0)
    words = [list(sweep.shown.values()), *_names(sweep)[1:]]
    filters = [gr.update(choices=_choices(names), value=[]) for names in words]
    return [sweep, detectors, *filters, said]


def _names(sweep: Tables) -> list[Sequence[str]]:
    """What each of the filters offers."""
    return [sweep.targets, *(results.factor_values(sweep, name) for name in results.FACTORS)]


def _select(opened: Tables | None, *places: list[int] | None) -> tuple[Tables | None, Any]:
    """What the filters leave of a sweep, and a line that says so."""
    if opened is None:
        return None, gr.skip()
    offered = zip(("targets", *results.FACTORS), _names(opened), places, strict=True)
    choice = results.Chosen(**{name: _picked(names, at) for name, names, at in offered})
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


def _figure(shown: Tables | None, name: str, sweep: str | None) -> str:
    if shown is None:
        return ""
    return _told(lambda: results_figure.figure(shown, name, f"{sweep}-{name}"))


def _reading(shown: Tables | None, event: gr.EventData) -> str:
    if shown is None:
        return ""
    return _told(lambda: results_pages.reading(shown, str(event.prompt), str(event.key)))
