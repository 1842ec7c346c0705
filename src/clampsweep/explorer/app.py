"""The page: the model and its state, and the three tabs."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from clampsweep.errors import UserError
from clampsweep.explorer import tab_results, tab_sweep, tab_try
from clampsweep.explorer.desk import Desk
from clampsweep.explorer.direct import no_proxy
from clampsweep.explorer.form import PRIVATE, html
from clampsweep.explorer.marking import message

_HERE = Path(__file__).parent

_SYSTEM = ["system-ui", "sans-serif"]


def page(desk: Desk, results: Path) -> Any:
    """The whole page, a `gr.Blocks`.

    Args:
        desk: Config, models, jobs.
        results: The folder that the workflow writes to.
    """
    with gr.Blocks(
        title="clampsweep explorer", analytics_enabled=False, delete_cache=(3600, 86400)
    ) as blocks:
        html("<h1>clampsweep explorer</h1>")
        model, status = _model(desk)
        with gr.Tabs():
            first = gr.Tab("Try", id="try-tab")
            with gr.Tab("Sweep here", id="sweep-tab") as second:
                taker = tab_sweep.build(desk, model, status)
            with gr.Tab("Results", id="results-tab") as last:
                tab_results.build(results, last)
            with first:
                tab_try.build(desk, model, status, results, partial(taker.connect, second))
        blocks.unload(_leaver(desk))
    return blocks


def _model(desk: Desk) -> tuple[gr.Dropdown, gr.HTML]:
    """The choice of the model, and the line that says how it is."""
    with gr.Row(elem_classes="cs-row"):
        model = gr.Dropdown(desk.models, value=desk.models[0], label="Model", elem_id="model",
                            scale=1, min_width=200, interactive=True)  # fmt: skip
        status = html(elem_id="status", scale=4, min_width=400)
    look = gr.Timer(1)

    def describe(name: str) -> tuple[str, Any]:
        loading = desk.shelf.busy is not None
        return message(desk.shelf.busy or desk.shelf.describe(name)), gr.Timer(active=loading)

    look.tick(describe, model, [status, look], **PRIVATE)
    model.change(describe, model, [status, look], **PRIVATE)
    return model, status


def _leaver(desk: Desk) -> Any:
    """What happens when a browser tab is closed: its work stops."""

    def leave(request: gr.Request) -> None:
        desk.leave(str(request.session_hash))

    return leave


def preload(desk: Desk) -> None:
    """Begin to load the first model, beside the page; the status line says how that goes."""
    desk.worker.start(lambda job: desk.shelf.get(desk.models[0]))


def serve(blocks: Any, host: str, port: int | None, browser: bool) -> str:
    """Serve the page until `close`; return its address.

    Args:
        blocks: The page.
        host: Address to bind to; 127.0.0.1 is this machine only.
        port: None for the first free one from 7860.
        browser: Whether to open a browser.

    Raises:
        UserError: The port is taken.
    """
    styles = sorted(_HERE.glob("*.css"))
    try:
        with no_proxy():  # Gradio asks its own page whether it is there
            found = blocks.queue().launch(
                server_name=host,
                server_port=port,
                inbrowser=browser,
                share=False,
                quiet=True,
                prevent_thread_lock=True,
                ssr_mode=False,
                footer_links=[],
                theme=gr.themes.Default(font=_SYSTEM, font_mono=["ui-monospace", "monospace"]),
                css_paths=styles,
                js=(_HERE / "explorer.js").read_text(encoding="utf-8"),
            )
    except OSError as error:
        where = f"{host}, port {port or 'from 7860'}"
        raise UserError(
            f"{where}: taken, or not yours; give others by --host and --port"
        ) from error
    return str(found[1])
