"""The prompt in the form: its box, how the model reads it, and the picker from the promptsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from clampsweep.explorer import prompt_picker
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import PRIVATE, html
from clampsweep.explorer.marking import quiet
from clampsweep.explorer.prompt_picker import Undo
from clampsweep.explorer.settings import Settings

_FORMATS = [("it stands (raw)", "raw"), ("a message of a chat", "chat")]


@dataclass(frozen=True)
class PromptFields:
    """The components that say what the model reads, and the way back to what was typed."""

    text: gr.Textbox
    kind: gr.Radio
    system: gr.Textbox
    undo: Undo

    @property
    def components(self) -> list[Any]:
        """Those that hold a value, in the order that `values` takes."""
        return [self.text, self.kind, self.system]


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
    beginning = str(desk.prompts(sets[0])["text"].iloc[0]) if sets else ""
    text = gr.Textbox(
        beginning,
        label="Prompt (Shift+Enter for a new line)",
        lines=2,
        max_lines=10,
        elem_id=f"{prefix}-prompt",
        interactive=True,
    )
    undo = prompt_picker.build_undo(prefix, text, beginning)
    with gr.Row(elem_classes="cs-row"):
        if picker:
            prompt_picker.build(desk, prefix, text, undo)
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
    return PromptFields(text, kind, system, undo)
