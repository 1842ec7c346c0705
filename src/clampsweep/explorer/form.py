"""Parts of the form that tabs share: how tokens are chosen, which positions, run and stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from clampsweep.explorer.desk import Desk
from clampsweep.explorer.jobs import Job
from clampsweep.explorer.settings import SCOPES, Settings
from clampsweep.explorer.typed import show_stop_strings

PRIVATE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}

# A run stops the one before it in its browser tab, and none is dropped; tabs wait in `jobs`.
RUNS: dict[str, Any] = {**PRIVATE, "concurrency_limit": None, "trigger_mode": "multiple"}

# Of quick choices the last counts; not for events with data: Gradio then repeats the first's.
LAST: dict[str, Any] = {**PRIVATE, "trigger_mode": "always_last"}

# Each is answered, in their order: of quick clicks that name what was clicked.
EACH: dict[str, Any] = {**PRIVATE, "concurrency_limit": 1, "trigger_mode": "multiple"}

_METHODS = [("greedy", "greedy"), ("sampling", "sample")]


@dataclass(frozen=True)
class DecodingFields:
    """The components that say how tokens are chosen, and which positions a clamp changes."""

    method: gr.Radio
    max_new_tokens: gr.Number
    temperature: gr.Number
    top_k: gr.Textbox
    top_p: gr.Textbox
    seed: gr.Number
    scope: gr.Dropdown
    positions: gr.Textbox
    stop_strings: gr.Textbox

    @property
    def components(self) -> list[Any]:
        """All of them, in the order that `values` takes."""
        return list(vars(self).values())


def decoding(prefix: str, max_new_tokens: int) -> DecodingFields:
    """Make these components.

    Args:
        prefix: Of their ids.
        max_new_tokens: To begin with.
    """

    def field(name: str, label: str, min_width: int, shown: bool = True) -> dict[str, Any]:
        return {"label": label, "elem_id": f"{prefix}-{name}", "min_width": min_width,
                "visible": shown, "interactive": True}  # fmt: skip

    def cut(name: str, label: str) -> gr.Textbox:  # an empty gr.Number that is hidden becomes 0
        return gr.Textbox(placeholder="all", max_lines=1, **field(name, label, 90, shown=False))

    with gr.Row(elem_classes="cs-row"):
        method = gr.Radio(_METHODS, value="greedy", **field("method", "Tokens are chosen by", 190))
        tokens = gr.Number(max_new_tokens, **field("tokens", "Most new tokens", 110))
        scope = gr.Dropdown([*SCOPES, "positions"], value="all",
                            **field("scope", "Positions changed (scope)", 150))  # fmt: skip
        which = field("positions", "Which positions, from 0", 150, shown=False)
        positions = gr.Textbox(placeholder="0, 3", **which)
        made = DecodingFields(
            method,
            tokens,
            gr.Number(1.0, **field("temperature", "Temperature", 110, shown=False)),
            cut("top-k", "Top k"),
            cut("top-p", "Top p"),
            gr.Number(0, **field("seed", "Seed", 110, shown=False)),
            scope,
            positions,
            gr.Textbox(placeholder=r"none; \n is a line end", max_lines=5,
                       **field("stop-strings", "Stop strings, one a line", 230)),
        )  # fmt: skip
    _show_what_counts(made)
    return made


def _show_what_counts(made: DecodingFields) -> None:
    """Hide what the method and the scope have no use for."""
    drawn = [made.temperature, made.top_k, made.top_p, made.seed]
    made.method.change(
        lambda chosen: [gr.update(visible=chosen == "sample")] * len(drawn),
        made.method,
        drawn,
        **PRIVATE,
    )
    made.scope.change(
        lambda chosen: gr.update(visible=chosen == "positions"),
        made.scope,
        made.positions,
        **PRIVATE,
    )


def values(method: str, tokens: float | None, *rest: Any) -> dict[str, Any]:
    """What the components hold, as `Desk.settings` takes it."""
    temperature, top_k, top_p, seed, scope, positions, strings = rest
    names = ("method", "max_new_tokens", "temperature", "top_k", "top_p", "stop_strings")
    entry = dict(zip(names, (method, tokens, temperature, top_k, top_p, strings), strict=True))
    return {"decoding": entry, "scope": scope, "positions": positions, "seed": seed}


def of_settings(settings: Settings) -> list[Any]:
    """What the components shall hold, in the order of `Decoding.components`."""
    one, listed = settings.decoding, settings.scope[:1].isdigit()
    return [
        one.method,
        one.max_new_tokens,
        one.temperature,
        "" if one.top_k is None else str(one.top_k),
        "" if one.top_p is None else str(one.top_p),
        settings.seed,
        "positions" if listed else settings.scope,
        settings.scope if listed else "",
        show_stop_strings(one.stop_strings),
    ]


def html(value: str = "", **more: Any) -> gr.HTML:
    """A piece of the page that the style sheets of this folder dress."""
    return gr.HTML(str(value), apply_default_css=False, **more)


def stopper(desk: Desk) -> Callable[[gr.Request], None]:
    """What a Stop button does: it stops the work of its browser tab."""

    def stop(request: gr.Request) -> None:
        desk.stop(str(request.session_hash))

    return stop


def waiting(job: Job[Any]) -> str:
    """What is said of a job that makes no text yet."""
    if isinstance(job.progress, str):
        return job.progress
    return "Waiting: the model is busy." if job.waiting else "Starting."


def run_and_stop(prefix: str, label: str) -> tuple[gr.Button, gr.Button]:
    """The two buttons; Enter and Esc press them (explorer.js)."""
    with gr.Row(elem_classes="cs-row"):
        run = gr.Button(
            f"{label} (Enter)", variant="primary", scale=0, min_width=200, elem_id=f"{prefix}-run"
        )
        stop = gr.Button("Stop (Esc)", scale=0, min_width=140, elem_id=f"{prefix}-stop")
    return run, stop
