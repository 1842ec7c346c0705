"""The prompt in the form: its box, how the model reads it, and the picker from the promptsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import LAST, PRIVATE, html
from clampsweep.explorer.marking import message, quiet
from clampsweep.explorer.settings import Settings

_FORMATS = [("it stands (raw)", "raw"), ("a message of a chat", "chat")]


@dataclass(frozen=True)
class PromptFields:
    """The components that say what the model reads."""

    text: gr.Textbox
    kind: gr.Radio
    system: gr.Textbox

    @property
    def components(self) -> list[Any]:
        """All of them, in the order that `values` takes."""
        return list(vars(self).values())


def values(text: str, kind: str, system: str) -> dict[str, Any]:
    """What the components hold, as `Desk.settings` takes it."""
    chat = {"system_prompt": system} if kind == "chat" and system else {}
    return {"prompt": text, "prompt_format": {"prompt_format": kind, **chat}}


def of_settings(settings: Settings) -> list[Any]:
    """What the components shall hold, in their order."""
    how = settings.prompt_format
    return [settings.prompt, how.kind, how.system or ""]


def build(
    desk: Desk, prefix: str, model: gr.Dropdown, status: gr.HTML, *, picker: bool = False
) -> PromptFields:
    """Make these components.

    Args:
        desk: Config, models, jobs.
        prefix: Of their ids.
        model: The page's choice of the model.
        status: The page's line about it, which changes when it has been loaded.
        picker: Whether prompts can be picked from the promptsets.
    """
    sets = desk.promptsets
    text = gr.Textbox(
        str(desk.prompts(sets[0])["text"].iloc[0]) if sets else "",
        label="Prompt (Shift+Enter for a new line)",
        lines=2,
        max_lines=10,
        elem_id=f"{prefix}-prompt",
        interactive=True,
    )
    with gr.Row(elem_classes="cs-row"):
        if picker:
            _picker(desk, prefix, text)
        kind = gr.Radio(_FORMATS, value="raw", label="The model reads it as", scale=2,
                        min_width=340, elem_id=f"{prefix}-format", interactive=True)  # fmt: skip
    said = html(elem_id=f"{prefix}-chat", visible=False)
    system = gr.Textbox(label="System prompt (empty: none of yours)", max_lines=10, visible=False,
                        elem_id=f"{prefix}-system", interactive=True)  # fmt: skip

    def offer(name: str) -> tuple[Any, Any]:
        takes = desk.shelf.takes_chats(name)
        if takes:
            return gr.update(interactive=True), gr.update(visible=False)
        if takes is None:
            why = f"Whether {name} has a chat template is known once it is loaded."
            return gr.update(interactive=True), gr.update(value=quiet(why), visible=True)
        why = f"The tokenizer of {name} has no chat template, so prompts are read as they stand."
        told = gr.update(value=quiet(why), visible=True)
        return gr.update(value="raw", interactive=False), told

    gr.on([model.change, status.change], offer, model, [kind, said], **PRIVATE)
    kind.change(lambda chosen: gr.update(visible=chosen == "chat"), kind, system, **PRIVATE)
    return PromptFields(text, kind, system)


def _picker(desk: Desk, prefix: str, prompt: gr.Textbox) -> None:
    """Make the picker from the promptsets, which writes into the prompt's box."""
    sets = desk.promptsets
    table = desk.prompts(sets[0]) if sets else None
    which = gr.Dropdown(sets, value=sets[0] if sets else None, label="Promptset", scale=1,
                        elem_id=f"{prefix}-promptset", min_width=140,
                        interactive=True)  # fmt: skip
    pick = gr.Dropdown(
        [] if table is None else _numbered(table),
        value=None if table is None else 0,
        label="Prompt of the set",
        elem_id=f"{prefix}-pick",
        min_width=240,
        scale=3,
        interactive=True,
    )
    said = html(elem_id=f"{prefix}-picked", visible=False)

    def choose_set(name: str) -> tuple[Any, Any]:
        try:
            return gr.update(choices=_numbered(desk.prompts(name)), value=None), _told()
        except UserError as error:
            return gr.update(choices=[], value=None), _told(error)

    def choose(name: str, at: int) -> tuple[Any, Any]:
        try:
            return str(desk.prompts(name)["text"].get(at, "")), _told()
        except UserError as error:
            return gr.skip(), _told(error)

    which.change(choose_set, which, [pick, said], **LAST)
    pick.input(choose, [which, pick], [prompt, said], **LAST)


def _told(error: UserError | None = None) -> Any:
    """A fault in its place, or nothing, which takes no room."""
    if error is None:
        return gr.update(visible=False)
    return gr.update(value=message(str(error), "alert"), visible=True)


def _numbered(prompts: pd.DataFrame) -> list[tuple[str, int]]:
    """Names of prompts with their places: a refused value would be shown as HTML by Gradio."""
    return [(str(name), at) for at, name in enumerate(prompts["prompt_id"])]
