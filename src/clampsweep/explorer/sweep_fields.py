"""The form of the Sweep tab but for prompt and decoding: what is swept, and what is held."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.explorer import steering_fields
from clampsweep.explorer.beginnings import first_clamp, first_values
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import PRIVATE
from clampsweep.explorer.settings import ClampSetting
from clampsweep.explorer.steering import SteerSetting
from clampsweep.explorer.steering_fields import SteeringFields
from clampsweep.explorer.taking import Change

_SWEPT = [("a neuron", "neuron"), ("a direction (steering)", "direction")]


@dataclass(frozen=True)
class SweepFields:
    """The components; `held` is a `gr.State` of the clamps that `holding` offers by their place."""

    what: gr.Radio
    layer: gr.Number
    neuron: gr.Number
    operation: gr.Dropdown
    values: gr.Textbox
    held: gr.State
    holding: gr.CheckboxGroup
    neuron_row: gr.Row
    direction_row: gr.Column
    steering: SteeringFields

    @property
    def components(self) -> list[Any]:
        """Those that hold a value, but for the steering's."""
        return list(vars(self).values())[:7]

    @property
    def outputs(self) -> list[Any]:
        """What `show` writes to."""
        own = [self.layer, self.neuron, self.operation, self.held, self.holding]
        along = [self.steering.file, self.steering.name, self.steering.layer, self.steering.random]
        return [self.what, *own, *along, self.values, self.neuron_row, self.direction_row]


def read(held: Sequence[Any], steer: SteerSetting) -> Change:
    """What the components hold."""
    what, layer, neuron, operation, _, clamps, places = held
    return Change(what, layer, neuron, operation, steer, tuple(clamps[at] for at in places))


def show(desk: Desk, model: str, new: Change, before: Change) -> list[Any]:
    """What `SweepFields.outputs` shall be for a change.

    Args:
        desk: Has the values to begin with, and the files of directions.
        model: Its name.
        new: The change.
        before: The one that the components hold.
    """
    steered = new.what == "direction"
    neuron = [gr.skip()] * 3 if steered else [new.layer, new.neuron, new.operation]
    names = [(str(one), place) for place, one in enumerate(new.held)]
    places = [place for _, place in names]
    holding = gr.update(choices=names, value=places, visible=bool(names))
    same = new.held == before.held  # those that were switched off stay, to be switched on
    held = [gr.skip()] * 2 if same else [new.held, holding]
    along = _along(desk, new.steer) if steered else [gr.skip()] * 4
    fitting = [gr.skip()] * 3 if new.what == before.what else _fitting(desk, model, new.what)
    return [new.what, *neuron, *held, *along, *fitting]


def _along(desk: Desk, steer: SteerSetting) -> list[Any]:
    """The direction; its file may have been uploaded in the other tab."""
    offered = [(one, one) for one in desk.config.direction_files]
    if steer.file and steer.file not in desk.config.direction_files:
        offered.append((Path(steer.file).name, steer.file))
    file = gr.update(choices=offered, value=steer.file)
    return [file, steer.name, steer.layer, steer.random]


def _fitting(desk: Desk, model: str, what: str) -> list[Any]:
    """Values to begin with for what is swept, and the row that it needs."""
    steered = what == "direction"
    label = "Multiples, with commas between" if steered else "Values, with commas between"
    values = gr.update(value=_listed(first_values(desk, model, steered=steered)), label=label)
    return [values, gr.update(visible=not steered), gr.update(visible=steered)]


def build(desk: Desk, model: gr.Dropdown) -> SweepFields:
    """Make the components.

    Args:
        desk: Config, models, jobs.
        model: The page's choice of the model.
    """
    first = first_clamp(desk, desk.models[0])

    def field(what: str, label: str, min_width: int) -> dict[str, Any]:
        return {"label": label, "elem_id": f"sweep-{what}", "min_width": min_width,
                "interactive": True}  # fmt: skip

    what = gr.Radio(_SWEPT, value="neuron", **field("what", "Sweep", 160))
    with gr.Row(elem_classes="cs-row") as neuron_row:
        layer = gr.Number(first.layer, **field("layer", "Layer", 90))
        neuron = gr.Number(first.neuron, **field("neuron", "Neuron", 90))
        operation = gr.Dropdown(
            ["set", "add", "scale"], value="set", **field("operation", "Operation", 110)
        )
    with gr.Column(visible=False) as direction_row:
        along = steering_fields.build(desk, "sweep", swept=True)
    values = gr.Textbox(
        _listed(first_values(desk, desk.models[0])),
        **field("values", "Values, with commas between", 280),
    )
    holding = gr.CheckboxGroup(
        [], visible=False, **field("held", "Held beside it, in all texts but the baseline", 160)
    )
    held = gr.State(())
    made = SweepFields(
        what, layer, neuron, operation, values, held, holding, neuron_row, direction_row, along
    )
    what.input(
        lambda kind, name: _fitting(desk, name, kind),
        [what, model],
        [values, neuron_row, direction_row],
        **PRIVATE,
    )
    return made


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def clamps_of(change: Change, value: float) -> list[ClampSetting]:
    """The clamps of a sweep's settings: the one that is swept, if one is, then those held."""
    swept = ClampSetting(change.layer, change.neuron, change.operation, value)
    return [*([swept] if change.what == "neuron" else []), *change.held]
