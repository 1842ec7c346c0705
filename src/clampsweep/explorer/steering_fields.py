"""Steering in the form: a file of directions, which of them, after which layer, how often."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer.beginnings import first_steering
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import LAST, PRIVATE, html
from clampsweep.explorer.marking import message, quiet
from clampsweep.explorer.settings import Settings
from clampsweep.explorer.steering import SteerSetting, layers_by_name, layers_in_words
from clampsweep.names import OWN

_N_RANDOM = 20  # as many as a sweep's controls are by default

_ALONG = [("itself", OWN), *((f"random {number}", number) for number in range(_N_RANDOM))]

_NO_FILE = (
    "Upload a safetensors file or a Parquet table of directions (config/README.md: Steering)."
)


@dataclass(frozen=True)
class SteeringFields:
    """The components that say what is steered along, in the order of `SteerSetting`."""

    on: gr.Checkbox
    file: gr.Dropdown
    name: gr.Dropdown
    layer: gr.Number
    random: gr.Dropdown
    multiple: gr.Number

    @property
    def components(self) -> list[Any]:
        """All of them."""
        return list(vars(self).values())


def values(*held: Any) -> dict[str, Any]:
    """What the components hold, as `Desk.settings` takes it."""
    return {"steer": SteerSetting(*held)}


def of_settings(settings: Settings) -> list[Any]:
    """What the components shall hold."""
    return list(astuple(settings.steer_row))


def build(desk: Desk, prefix: str, *, swept: bool = False) -> SteeringFields:
    """Make these components.

    Args:
        desk: Config, models, jobs.
        prefix: Of their ids.
        swept: Whether the multiples stand elsewhere, and it is always on.
    """
    offered, first = list(desk.config.direction_files), first_steering(desk, desk.models[0])
    chosen = _choose(first.file, first.name, first.layer)

    def field(what: str, label: str, min_width: int = 110) -> dict[str, Any]:
        return {"elem_id": f"{prefix}-steer-{what}", "label": label, "min_width": min_width,
                "interactive": True}  # fmt: skip

    with gr.Row(elem_classes="cs-row"):
        on = gr.Checkbox(swept, visible=not swept, scale=1, elem_classes="cs-steer",
                         **field("on", "Steer", 80))  # fmt: skip
        file = gr.Dropdown([(one, one) for one in offered], value=first.file, scale=4,
                           **field("file", "File of directions", 240))  # fmt: skip
        which = gr.Dropdown(chosen.names, value=chosen.name, allow_custom_value=True, scale=2,
                            **field("name", "Direction", 130))  # fmt: skip
        layer = gr.Number(chosen.layer, scale=1, **field("layer", "After layer", 90))
        random = gr.Dropdown(_ALONG, value=OWN, scale=2, **field("random", "Along", 120))
        multiple = gr.Number(1.0, visible=not swept, scale=1, **field("multiple", "Multiple", 90))
    with gr.Row(elem_classes="cs-row cs-middle"):
        upload = gr.UploadButton("Upload directions", file_types=[".safetensors", ".parquet"],
                                 size="sm", scale=0, min_width=140,
                                 elem_id=f"{prefix}-steer-upload")  # fmt: skip
        said = html(chosen.said, elem_id=f"{prefix}-steer-said", scale=4, min_width=240)
    uploads = gr.State([])

    def take(path: str, had: list[str]) -> tuple[Any, list[str]]:
        found = [*had, path]
        choices = [*offered, *((Path(one).name, one) for one in found)]
        return gr.update(choices=choices, value=path), found

    def look(path: str | None, name: str | None, layer: float | None) -> list[Any]:
        found = _choose(path, name, layer)
        # What stays is not sent: something else may have been typed meanwhile.
        new: dict[str, Any] = {} if found.name == name else {"value": found.name}
        after = gr.skip() if found.layer == layer else found.layer
        return [gr.update(choices=found.names, **new), after, found.said]

    upload.upload(take, [upload, uploads], [file, uploads], **PRIVATE)
    fields = SteeringFields(on, file, which, layer, random, multiple)
    for one in (file, which):
        one.change(look, [file, which, layer], [which, layer, said], **LAST)
    return fields


def build_folded(desk: Desk, prefix: str) -> SteeringFields:
    """The same under a heading, open where there are directions, or as soon as it is on."""
    files = bool(desk.config.direction_files)
    with gr.Accordion("Steering: add a direction to the residual stream", open=files,
                      elem_id=f"{prefix}-steer") as fold:  # fmt: skip
        made = build(desk, prefix)
    made.on.change(lambda on: gr.update(open=True) if on else gr.skip(), made.on, fold, **PRIVATE)
    return made


class _Choice(NamedTuple):
    """Names of a file's directions, one of them, a layer that it is for, and a line on it."""

    names: list[str]
    name: str | None
    layer: float | None
    said: str


def _choose(file: str | None, name: str | None, layer: float | None) -> _Choice:
    """What was chosen, where the file has it; else what it has."""
    if file is None:
        return _Choice([], None, layer, quiet(_NO_FILE))
    try:
        known = layers_by_name(file)
    except UserError as error:
        return _Choice([], None, layer, message(str(error), "alert"))
    name = name if name in known else next(iter(known))
    layers = known[name]
    if layers and layer not in layers:
        layer = layers[len(layers) // 2]
    return _Choice(list(known), name, layer, quiet(f"{name} is {layers_in_words(layers)}."))
