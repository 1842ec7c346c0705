"""The history of a browser tab: runs listed, taken up again, and exported."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import config_file, export, pages
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.export import Entry, Runs
from clampsweep.explorer.form import PRIVATE, html
from clampsweep.explorer.marking import message

# Buttons in the list tell which run they are of. Gradio knows the events that stand here in quotes.
_PRESSED = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-run]');
  if (!button) return;
  const named = {use: 'use', again: 'again', config: 'config', forget: 'forget'};
  trigger(named[button.dataset.action], {run: Number(button.dataset.run)});
});
"""


_STAMPS = itertools.count(1)


@dataclass(frozen=True)
class History:
    """The runs (a `gr.State` of `Runs`), what tells that they changed, and their list.

    The list's events are `use`, `again`, `config` and `forget`.
    """

    runs: gr.State
    changed: gr.State
    listed: gr.HTML


def stamp() -> int:
    """A value for `History.changed` that it has not had."""
    return next(_STAMPS)


def picked(runs: Runs, event: gr.EventData) -> Entry | None:
    """The run whose button was pressed."""
    return runs.get(int(event.run))


def build(desk: Desk) -> History:
    """Make the list, the downloads and the config file."""
    html("<h3>History of this browser tab</h3>")
    runs, changed = gr.State(Runs()), gr.State(0)
    listed = html(pages.history([]), elem_id="try-history", js_on_load=_PRESSED)
    with gr.Row(elem_classes="cs-row"):
        downloads = [
            gr.DownloadButton(f"Download all as {name}", interactive=False, size="sm",
                              elem_id=f"try-{name.lower()}")
            for name in ("JSON", "Parquet")
        ]  # fmt: skip
    said = html(elem_id="history-said")

    def show(had: Runs, request: gr.Request) -> list[Any]:  # a partial would get no request
        return _list(had, desk.downloads(str(request.session_hash)))

    changed.change(show, runs, [listed, *downloads, said], **PRIVATE)
    listed.forget(_forget, runs, changed, **PRIVATE)
    _build_config(desk, runs, listed)
    return History(runs, changed, listed)


def _list(runs: Runs, folder: Path) -> list[Any]:
    """The list and the two files, as they are now."""
    entries = list(runs.entries)
    shown, nothing = str(pages.history(entries)), gr.update(value=None, interactive=False)
    if not entries:
        return [shown, nothing, nothing, ""]
    try:
        files = export.save(entries, folder)
    except UserError as error:
        return [shown, nothing, nothing, message(str(error), "alert")]
    return [shown, *[gr.update(value=str(file), interactive=True) for file in files], ""]


def _forget(runs: Runs, event: gr.EventData) -> int:
    runs.forget(int(event.run))
    return stamp()


def _build_config(desk: Desk, runs: gr.State, listed: gr.HTML) -> None:
    """The config file of a run: shown, and saved where the workflow finds it."""
    with gr.Accordion(
        "Config file of a run, for the workflow", open=False, elem_id="config"
    ) as fold:
        code = gr.Code(
            "",
            language="yaml",
            label="Config",
            interactive=False,
            buttons=["copy"],  # alone it names a promptset that is not there
            elem_id="config-text",
        )
        save = gr.Button("Save it in the project", size="sm", elem_id="config-save")
        said = html(str(message("Press Config at a run in the history.")), elem_id="config-said")
    chosen = gr.State(None)

    def show(had: Runs, event: gr.EventData) -> list[Any]:
        entry = picked(had, event)
        if entry is None:
            return [gr.skip()] * 4
        settings = entry.outcome.settings
        opened = gr.update(open=True)
        try:
            text = config_file.config_text(settings, desk.spec(settings.model))
        except UserError as error:
            return [None, "", message(f"run {entry.number}: {error}", "alert"), opened]
        return [entry, text, message(f"Config file of run {entry.number}."), opened]

    def keep(entry: Entry | None) -> str:
        if entry is None:
            return message("Press Config at a run in the history first.", "alert")
        settings = entry.outcome.settings
        try:
            path = config_file.save_config(settings, desk.spec(settings.model), desk.root)
        except UserError as error:
            return message(str(error), "alert")
        return message(
            f"Saved. In the project: make reproduce CONFIG={path.relative_to(desk.root)}"
        )

    listed.config(show, runs, [chosen, code, said, fold], **PRIVATE)
    save.click(keep, chosen, said, **PRIVATE)
