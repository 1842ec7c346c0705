"""The list of the promptsets' prompts, and the way back to what stood in the box before.

Only a choice writes into the prompt's box. To open the list, to look through it and to leave it
change nothing: the list holds no value but in the moment of a choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.form import LAST, PRIVATE, html
from clampsweep.explorer.marking import message, shortened

_SHORT = 100  # characters of a prompt in the list

_SHOWN = 40  # characters of it on the button that puts it back


@dataclass(frozen=True)
class Kept:
    """What stood in the box before something was put there.

    Attributes:
        typed: What was typed; empty if nothing was.
        given: What was put there last, which is not to be kept as it is.
    """

    typed: str = ""
    given: str = ""

    def after(self, text: str, held: str) -> Kept:
        """What is kept once `text` has taken the place of `held`."""
        return Kept(self.typed if held in (self.given, "") else held, text)


@dataclass(frozen=True)
class Undo:
    """The button that puts back what was typed, and what is kept for it, a `gr.State` of `Kept`."""

    kept: gr.State
    button: gr.Button

    def put(self, text: str, held: str, kept: Kept) -> list[Any]:
        """What `text`, `kept` and `button` shall be once a text has taken the place of another."""
        return [text, new := kept.after(text, held), _offer(new)]


def build_undo(prefix: str, prompt: gr.Textbox, given: str) -> Undo:
    """Make the button; it is seen where there is something to put back.

    Args:
        prefix: Of its id.
        prompt: The box.
        given: What stands there to begin with.
    """
    kept = gr.State(Kept(given=given))
    button = gr.Button("", visible=False, size="sm", elem_id=f"{prefix}-undo")

    def swap(held: str, kept: Kept) -> list[Any]:
        new = Kept(held, kept.given)
        return [kept.typed, new, _offer(new)]

    button.click(swap, [prompt, kept], [prompt, kept, button], **PRIVATE)
    return Undo(kept, button)


def _offer(kept: Kept) -> Any:
    words = f"Put back: {shortened(kept.typed, _SHOWN)}"
    return gr.update(value=words, visible=bool(kept.typed.strip()))


def build(desk: Desk, prefix: str, prompt: gr.Textbox, undo: Undo) -> None:
    """Make the list, whose choice is written into the prompt's box.

    Args:
        desk: Has the promptsets.
        prefix: Of its ids.
        prompt: The box.
        undo: Keeps what stood there.
    """
    sets = desk.promptsets
    which = gr.Dropdown(sets, value=sets[0] if sets else None, label="Promptset", scale=1,
                        elem_id=f"{prefix}-promptset", min_width=140,
                        interactive=True)  # fmt: skip
    pick = gr.Dropdown(
        _listed(desk.prompts(sets[0])) if sets else [],
        value=None,
        label="Take a prompt of the set",
        elem_id=f"{prefix}-pick",
        min_width=240,
        scale=3,
        interactive=True,
    )
    said = html(elem_id=f"{prefix}-picked", visible=False)

    def choose_set(name: str) -> tuple[Any, Any]:
        try:
            return gr.update(choices=_listed(desk.prompts(name)), value=None), _told()
        except UserError as error:
            return gr.update(choices=[], value=None), _told(error)

    def choose(name: str, at: int | None, held: str, kept: Kept) -> list[Any]:
        if at is None:  # the list was emptied, not chosen from
            return [gr.skip()] * 5
        try:
            text = str(desk.prompts(name)["text"].iloc[at])
        except (UserError, IndexError) as error:
            return [*[gr.skip()] * 3, None, _told(error)]
        return [*undo.put(text, held, kept), None, _told()]

    which.change(choose_set, which, [pick, said], **LAST)
    # Not input, which Gradio fires whenever the list is left.
    inputs = [which, pick, prompt, undo.kept]
    pick.change(choose, inputs, [prompt, undo.kept, undo.button, pick, said], **LAST)


def _told(error: Exception | None = None) -> Any:
    """A fault in its place, or nothing, which takes no room."""
    if error is None:
        return gr.update(visible=False)
    return gr.update(value=message(str(error), "alert"), visible=True)


def _listed(prompts: pd.DataFrame) -> list[tuple[str, int]]:
    """Prompts with their places: a refused value would be shown as HTML by Gradio."""
    rows = zip(prompts["text"], prompts["prompt_id"], strict=True)
    return [
        (f"{shortened(str(text), _SHORT)} ({name})", at) for at, (text, name) in enumerate(rows)
    ]
