"""The event by which Sweep here takes from Try: when its tab is opened, or by a button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from clampsweep.explorer import sweep_fields
from clampsweep.explorer.clamps import read_rows
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.fields import Fields
from clampsweep.explorer.form import PRIVATE, html
from clampsweep.explorer.marking import message
from clampsweep.explorer.steering import SteerSetting
from clampsweep.explorer.sweep_fields import SweepFields
from clampsweep.explorer.taking import PARTS, Form, change_of, merged
from clampsweep.words import listed


@dataclass(frozen=True)
class Taker:
    """What takes: the sweep's form, which `connect` lets take from Try's.

    Attributes:
        desk: Config, models, jobs.
        model: The page's choice of the model.
        fields: The sweep's prompt, decoding and steering.
        change: What is swept.
        said: Where it is said what was taken.
        all: The button that takes what was set there too.
        taken: What was taken the last time, a `gr.State` of `Form` or None.
    """

    desk: Desk
    model: gr.Dropdown
    fields: Fields
    change: SweepFields
    said: gr.HTML
    all: gr.Button
    taken: gr.State

    def connect(self, tab: gr.Tab, fields: Fields, cells: Sequence[Any]) -> None:
        """Let the sweep's form take when its tab is opened, or the button pressed.

        Args:
            tab: The tab.
            fields: Try's.
            cells: Of its rows of clamps.
        """
        own, n = [*self.fields.components, *self.change.components], len(fields.components)
        inputs = [self.model, self.taken, *fields.components, *cells, *own]
        outputs = [
            self.taken, self.said, self.all, *self.fields.prompt.components,
            *self.fields.decoding.components, *self.change.outputs,
        ]  # fmt: skip

        def take(model: str, taken: Form | None, *held: Any) -> list[Any]:
            rows, mine = read_rows(held[n : -len(own)]), held[-len(own) :]
            tried = _form(fields, held[:n], change_of(rows, _steer(fields, held[:n])))
            change = sweep_fields.read(mine[n:], _steer(self.fields, mine[:n]))
            form, new, stays = merged(tried, _form(self.fields, mine[:n], change), taken)
            changed = sweep_fields.show(self.desk, model, form.change or change, change)
            return [new, _told(tried, stays), gr.update(visible=bool(stays)), *form.prompt,
                    *form.decoding, *changed]  # fmt: skip

        how = {**PRIVATE, "queue": False}
        tab.select(take, inputs, outputs, **how)
        self.all.click(lambda model, _, *held: take(model, None, *held), inputs, outputs, **how)


def build(desk: Desk, model: gr.Dropdown) -> tuple[gr.HTML, gr.Button, gr.State]:
    """Make the line on what was taken, the button and what is remembered."""
    with gr.Row(elem_classes="cs-row cs-middle"):
        said = html(elem_id="sweep-taken", scale=4, min_width=240)
        everything = gr.Button("Take all of it from Try", visible=False, size="sm", scale=0,
                               min_width=180, elem_id="sweep-take")  # fmt: skip
    return said, everything, gr.State(None)


def _steer(fields: Fields, held: Sequence[Any]) -> SteerSetting:
    return SteerSetting(*held[-len(fields.steering.components) :])


def _form(fields: Fields, held: Sequence[Any], change: Any) -> Form:
    """A form, from what the components of its fields hold, and its change."""
    first = len(fields.prompt.components)
    last = first + len(fields.decoding.components)
    return Form(tuple(held[:first]), change, tuple(held[first:last]))


def _told(tried: Form, stays: Sequence[str]) -> str:
    """What was taken, and what was not."""
    parts = zip(PARTS, tried, strict=True)
    took = [name for name, one in parts if one is not None and name not in stays]
    line = f"From Try: {listed(took)}." if took else ""
    if stays:
        line += f" As set here, other than in Try: {listed(stays)}."
    return str(message(line.strip()))
