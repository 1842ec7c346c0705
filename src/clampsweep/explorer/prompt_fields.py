"""The prompt in the form: its box, and the picker from the promptsets."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import LAST, html
from clampsweep.explorer.marking import message


def box(prefix: str, text: str) -> gr.Textbox:
    """The prompt box; Enter runs (explorer.js)."""
    return gr.Textbox(
        text,
        label="Prompt (Shift+Enter for a new line)",
        lines=2,
        max_lines=10,
        elem_id=f"{prefix}-prompt",
        interactive=True,
    )


def picked(desk: Desk) -> gr.Textbox:
    """The prompt box, and the picker from the promptsets."""
    sets = desk.promptsets
    table = desk.prompts(sets[0]) if sets else None
    prompt = box("try", "" if table is None else str(table["text"].iloc[0]))
    with gr.Row(elem_classes="cs-row"):
        which = gr.Dropdown(sets, value=sets[0] if sets else None, label="Promptset",
                            elem_id="try-promptset", min_width=140, scale=1,
                            interactive=True)  # fmt: skip
        pick = gr.Dropdown(
            [] if table is None else _numbered(table),
            value=None if table is None else 0,
            label="Prompt of the set",
            elem_id="try-pick",
            min_width=240,
            scale=3,
            interactive=True,
        )

    said = html(elem_id="try-picked")

    def choose_set(name: str) -> tuple[Any, str]:
        try:
            return gr.update(choices=_numbered(desk.prompts(name)), value=None), ""
        except UserError as error:
            return gr.update(choices=[], value=None), message(str(error), "alert")

    def choose(name: str, at: int) -> tuple[Any, str]:
        try:
            return str(desk.prompts(name)["text"].get(at, "")), ""
        except UserError as error:
            return gr.skip(), message(str(error), "alert")

    which.change(choose_set, which, [pick, said], **LAST)
    pick.input(choose, [which, pick], [prompt, said], **LAST)
    return prompt


def _numbered(prompts: pd.DataFrame) -> list[tuple[str, int]]:
    """Names of prompts with their places: a refused value would be shown as HTML by Gradio."""
    return [(str(name), at) for at, name in enumerate(prompts["prompt_id"])]
