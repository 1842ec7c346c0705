"""The Sweep tab: one neuron or direction, all values at once; a slider goes through the texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import form, pages, prompt_fields, sweep_fields, sweep_pages, taker
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.fields import Fields
from clampsweep.explorer.form import EACH, LAST, PRIVATE, RUNS, html
from clampsweep.explorer.jobs import Job
from clampsweep.explorer.marking import message
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.sweeping import Swept, sweep_values
from clampsweep.explorer.taker import Taker
from clampsweep.explorer.typed import read_values

_PLACE = "Which value, by its place in the list"

_PRESSED = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-at]');
  if (button) trigger('pick', {at: Number(button.dataset.at)});
});
"""


def build(desk: Desk, model: gr.Dropdown, status: gr.HTML) -> Taker:
    """Make the tab; return what lets it take from Try.

    Args:
        desk: Config, models, jobs.
        model: The page's choice of the model.
        status: The page's line about it.
    """
    with gr.Column(elem_id="sweep", elem_classes="cs-keys"):
        taking = taker.build(desk, model)
        prompt = prompt_fields.build(desk, "sweep", model, status)
        change = sweep_fields.build(desk, model)
        fields = Fields(prompt, form.decoding("sweep", 50), change.steering)
        run, stop = form.run_and_stop("sweep", "Sweep")
    said = html(message("Ready."), elem_id="sweep-said")
    slider = gr.Slider(
        0,
        1,
        step=1,
        label=_PLACE,
        visible=False,
        elem_id="sweep-slider",
        interactive=True,
        buttons=[],
    )
    pair = html(elem_id="sweep-pair")
    knobs = html(elem_id="sweep-strip", js_on_load=_PRESSED)
    measures = html(elem_id="sweep-measures")
    shown = [pair, knobs, measures]
    swept = gr.State(None)
    asked = change.components
    n = len(asked)

    def start(request: gr.Request, name: str, *held: Any) -> Iterator[list[Any]]:
        try:
            settings, values = _settings(desk, name, held[:n], fields.asked(held[n:]))
        except UserError as error:
            yield [message(str(error), "alert"), *[gr.skip()] * 6]
            return
        yield from _follow(desk, settings, values, request)

    run.click(
        start,
        [model, *asked, *fields.components],
        [said, slider, *shown, swept, status],
        **RUNS,
    )
    stop.click(form.stopper(desk), queue=False, **PRIVATE)
    slider.input(_show, [swept, slider], shown, **LAST)
    knobs.pick(_pick, swept, [slider, *shown], **EACH)
    return Taker(desk, model, fields, change, *taking)


def _settings(
    desk: Desk, model: str, held: tuple[Any, ...], asked: dict[str, Any]
) -> tuple[Settings, list[float]]:
    """What the form asks for, checked.

    Raises:
        UserError: Something is missing or out of range.
    """
    change, values = sweep_fields.read(held, asked["steer"]), read_values(held[4])
    widest = max(values, key=abs)  # what is checked of a clamp holds for the others then
    asked["steer"] = replace(change.steer, on=change.what == "direction", multiple=widest)
    return desk.settings(model, sweep_fields.clamps_of(change, widest), **asked), values


def _follow(
    desk: Desk, asked: Settings, values: list[float], request: gr.Request
) -> Iterator[list[Any]]:
    """Run, and show how far it is, then the texts."""

    def work(job: Job[Swept]) -> Swept:
        return sweep_values(desk.shelf.get(asked.model, job.tell), asked, values, job.tell)

    job = desk.start(str(request.session_hash), work)
    for told in job.follow():
        if isinstance(told, float):
            line = f"Running: {len(values)} values and the baseline, {told:.0%} of the tokens."
        else:
            line = form.waiting(job)
        yield [message(line, "note"), *[gr.skip()] * 6]
    status = message(desk.shelf.describe(asked.model))
    if job.result is None:
        line = message(job.error, "alert") if job.error else message("Stopped.")
        yield [line, *[gr.skip()] * 5, status]
        return
    swept, at = job.result, _start_at(job.result)
    slider = gr.update(
        minimum=0, maximum=max(1, len(values) - 1), value=at, visible=len(values) > 1
    )
    how = pages.how_words(asked)
    line = f"Done: {sweep_pages.swept_words(asked)}, {len(values)} values; {how}."
    yield [message(line), slider, *_show(swept, at), swept, status]


def _start_at(swept: Swept) -> int:
    """The value nearest to 0 whose text differs from the baseline; else the first."""
    differ = [
        at for at, said in enumerate(swept.texts) if said.token_ids != swept.baseline.token_ids
    ]
    return min(differ, key=lambda at: abs(swept.values[at]), default=0)


def _show(swept: Swept | None, at: float) -> list[Any]:
    """A value's text beside the baseline, the strip with it outlined, what was measured."""
    if swept is None:
        return [gr.skip()] * 3
    at = min(int(at), len(swept.texts) - 1)
    return [
        sweep_pages.chosen(swept, at),
        sweep_pages.strip(swept, at),
        sweep_pages.chosen_measures(swept, at),
    ]


def _pick(swept: Swept | None, event: gr.EventData) -> list[Any]:
    return [gr.skip() if swept is None else event.at, *_show(swept, event.at)]
