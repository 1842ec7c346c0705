"""The Try tab: one prompt, any clamps, baseline and clamped text side by side as they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import clamps as rows_of_clamps
from clampsweep.explorer import fields, form, history, importing, pages, prompt_fields
from clampsweep.explorer import steering_fields as steering
from clampsweep.explorer.beginnings import first_clamp
from clampsweep.explorer.clamps import Rows, fresh
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.export import Runs
from clampsweep.explorer.fields import Fields
from clampsweep.explorer.form import PRIVATE, RUNS, html
from clampsweep.explorer.jobs import Job
from clampsweep.explorer.marking import message
from clampsweep.explorer.prompt_picker import Kept
from clampsweep.explorer.running import Outcome, so_far, try_out
from clampsweep.explorer.settings import Settings

_HEADS = (
    '<div class="cs-heads" aria-hidden="true"><span class="cs-on">on</span><span>layer</span>'
    "<span>neuron</span><span>operation</span><span>value</span></div>"
)


@dataclass(frozen=True)
class _Page:
    """The components of the tab that its events read and write."""

    model: gr.Dropdown
    status: gr.HTML
    fields: Fields
    rows: gr.State
    run: gr.Button
    said: gr.HTML
    texts: gr.HTML
    details: gr.HTML
    history: history.History

    @property
    def outputs(self) -> list[Any]:
        """What a run writes to, in the order of what `_follow` yields."""
        return [self.said, self.texts, self.details, self.status, self.history.changed,
                self.history.runs]  # fmt: skip

    @property
    def form(self) -> list[Any]:
        """What a run's settings are put into by Use."""
        undo = self.fields.prompt.undo
        return [self.model, self.rows, *self.fields.components, undo.kept, undo.button]


Connect = Callable[[Fields, Sequence[Any]], None]  # takes this tab's fields, cells of the rows


def build(desk: Desk, model: gr.Dropdown, status: gr.HTML, results: Path, connect: Connect) -> None:
    """Make the tab.

    Args:
        desk: Config, models, jobs.
        model: The page's choice of the model.
        status: The page's line about it.
        results: Where the workflow writes, to import clamps from.
        connect: Lets the Sweep tab take what the form holds.
    """
    rows = gr.State(fresh([first_clamp(desk, desk.models[0])]))
    with gr.Column(elem_id="try", elem_classes="cs-keys"):
        prompt = prompt_fields.build(desk, "try", model, status, picker=True)
        html(f"<h3>Clamps</h3>{_HEADS}")
        drawn = gr.Column(elem_id="clamps")
        imports = importing.build(results)
        along = steering.build_folded(desk, "try")
        decoding = form.decoding("try", 50)
        run, stop = form.run_and_stop("try", "Run")
    said = html(message("Ready."), elem_id="try-said")
    texts, details = html(elem_id="try-texts"), html(elem_id="try-details")
    shared = Fields(prompt, decoding, along)
    page = _Page(model, status, shared, rows, run, said, texts, details, history.build(desk))
    with drawn:
        _draw(desk, page, imports, connect)
    stop.click(form.stopper(desk), queue=False, **PRIVATE)
    _take_up(desk, page)


def _draw(desk: Desk, page: _Page, imports: importing.Import, connect: Connect) -> None:
    """The rows of clamps; what reads them is set up anew with them."""

    @gr.render(inputs=page.rows)  # type: ignore[untyped-decorator]
    def draw(rows: Rows) -> None:
        cells = rows_of_clamps.draw(
            rows.clamps, page.rows, page.model, lambda name: desk.spec(name).n_layers,
            partial(first_clamp, desk),
        )  # fmt: skip
        imports.connect(page.rows, cells)
        connect(page.fields, cells)
        n = len(page.fields.components)

        def start(request: gr.Request, model: str, runs: Runs, *held: Any) -> Iterator[list[Any]]:
            try:
                clamps = rows_of_clamps.read_rows(held[n:])
                asked = desk.settings(model, clamps, **page.fields.asked(held[:n]))
            except UserError as error:
                yield [message(str(error), "alert"), *[gr.skip()] * 5]
                return
            yield from _follow(desk, asked, runs, request)

        inputs = [page.model, page.history.runs, *page.fields.components, *cells]
        page.run.click(start, inputs, page.outputs, **RUNS)


def _follow(desk: Desk, asked: Settings, runs: Runs, request: gr.Request) -> Iterator[list[Any]]:
    """Run, and show what comes of it as it comes."""

    def work(job: Job[Outcome]) -> Outcome:
        return try_out(desk.shelf.get(asked.model, job.tell), asked, job.tell)

    job = desk.start(str(request.session_hash), work)
    for told in job.follow():
        if isinstance(told, list):
            model = desk.shelf.get(asked.model)
            closes = [so_far(model, asked, one) for one in told]
            n = max(len(one.steps) for one in told)
            line = f"Running: {n} of at most {asked.decoding.max_new_tokens} tokens."
            yield [
                message(line, "note"),
                pages.texts(asked, closes),
                "",
                *[gr.skip()] * 3,
            ]
        else:
            yield [message(form.waiting(job), "note"), *[gr.skip()] * 5]
    if job.result is None:
        line = message(job.error, "alert") if job.error else message("Stopped.")
        status = message(desk.shelf.describe(asked.model))
        yield [line, *[gr.skip()] * 2, status, *[gr.skip()] * 2]
        return
    yield _shown(desk, job.result, runs)


def _shown(desk: Desk, outcome: Outcome, runs: Runs) -> list[Any]:
    """What is shown of a run that is over."""
    number = runs.add(outcome).number
    closes = outcome.texts
    asked = outcome.settings
    line = "Stopped" if outcome.stopped else "Done"
    return [
        message(f"{line}: run {number}. {pages.clamp_words(asked)}; {pages.how_words(asked)}."),
        pages.texts(asked, closes),
        pages.details(outcome),
        message(desk.shelf.describe(asked.model)),
        history.stamp(),
        runs,  # not new, but Gradio forgets what is never put out only when it ends
    ]


def _take_up(desk: Desk, page: _Page) -> None:
    """Use puts a run's settings into the form; Run again runs them."""
    prompt = page.fields.prompt

    def use(runs: Runs, held: str, kept: Kept, event: gr.EventData) -> list[Any]:
        entry = history.picked(runs, event)
        if entry is None:
            return [gr.skip()] * len(page.form)
        asked = entry.outcome.settings
        _, *undo = prompt.undo.put(asked.prompt, held, kept)
        return [asked.model, fresh(asked.rows), *fields.of_settings(asked), *undo]

    def again(runs: Runs, event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
        entry = history.picked(runs, event)
        if entry is not None:
            yield from _follow(desk, entry.outcome.settings, runs, request)

    listed, runs = page.history.listed, page.history.runs
    listed.use(use, [runs, prompt.text, prompt.undo.kept], page.form, **PRIVATE)
    listed.again(again, runs, page.outputs, **RUNS)
