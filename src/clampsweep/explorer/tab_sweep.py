"""The Sweep tab: one neuron or direction, all values at once; a slider goes through the texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import form, pages, prompt_fields, steering_fields, sweep_pages
from clampsweep.explorer.beginnings import first_clamp, first_values
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.fields import Fields
from clampsweep.explorer.form import EACH, LAST, PRIVATE, RUNS, html
from clampsweep.explorer.jobs import Job
from clampsweep.explorer.marking import message
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.explorer.steering_fields import SteeringFields
from clampsweep.explorer.sweeping import Swept, sweep_values
from clampsweep.explorer.typed import read_values

_SWEPT = [("a neuron", "neuron"), ("a direction (steering)", "direction")]

_PLACE = "Which value, by its place in the list"

_PRESSED = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-at]');
  if (button) trigger('pick', {at: Number(button.dataset.at)});
});
"""


def build(desk: Desk, model: gr.Dropdown, status: gr.HTML) -> None:
    """Make the tab.

    Args:
        desk: Config, models, jobs.
        model: The page's choice of the model.
        status: The page's line about it.
    """
    with gr.Column(elem_id="sweep", elem_classes="cs-keys"):
        prompt = prompt_fields.build(desk, "sweep", model, status)
        asked, along = _form(desk, model)
        fields = Fields(prompt, form.decoding("sweep", 30), along)
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


def _form(desk: Desk, model: gr.Dropdown) -> tuple[list[Any], SteeringFields]:
    """What is swept: a neuron, by layer, place and operation, or a direction; and its values."""
    first = first_clamp(desk, desk.models[0])
    what = gr.Radio(_SWEPT, value="neuron", label="Sweep", elem_id="sweep-what",
                    interactive=True)  # fmt: skip
    with gr.Row(elem_classes="cs-row") as neuron_row:
        layer = gr.Number(
            first.layer, label="Layer", elem_id="sweep-layer", min_width=90, interactive=True
        )
        neuron = gr.Number(
            first.neuron, label="Neuron", elem_id="sweep-neuron", min_width=90, interactive=True
        )
        operation = gr.Dropdown(
            ["set", "add", "scale"],
            value="set",
            label="Operation",
            elem_id="sweep-operation",
            min_width=110,
            interactive=True,
        )
    with gr.Column(visible=False) as direction_row:
        along = steering_fields.build(desk, "sweep", swept=True)
    beginning = _listed(first_values(desk, desk.models[0]))
    values = gr.Textbox(beginning, label="Values, with commas between", elem_id="sweep-values",
                        min_width=280, interactive=True)  # fmt: skip

    def choose(kind: str, name: str) -> list[Any]:
        steered = kind == "direction"
        label = "Multiples, with commas between" if steered else "Values, with commas between"
        new = gr.update(value=_listed(first_values(desk, name, steered=steered)), label=label)
        return [gr.update(visible=not steered), gr.update(visible=steered), new]

    what.input(choose, [what, model], [neuron_row, direction_row, values], **PRIVATE)
    return [what, layer, neuron, operation, values], along


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _settings(
    desk: Desk, model: str, held: tuple[Any, ...], asked: dict[str, Any]
) -> tuple[Settings, list[float]]:
    """What the form asks for, checked.

    Raises:
        UserError: Something is missing or out of range.
    """
    what, layer, neuron, operation, listed = held
    values = read_values(listed)
    widest = max(values, key=abs)  # what is checked of a clamp holds for the others then
    steered = what == "direction"
    clamps = [] if steered else [ClampSetting(layer, neuron, operation, widest)]
    asked["steer"] = replace(asked["steer"], on=steered, multiple=widest)
    return desk.settings(model, clamps, **asked), values


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
    (swept_one,), how = asked.changes, pages.how_words(asked)
    line = f"Done: {swept_one.name} {swept_one.operation}, {len(values)} values; {how}."
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
