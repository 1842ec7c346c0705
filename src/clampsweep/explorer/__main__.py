"""Start the explorer: `python -m clampsweep.explorer`, in the project's folder."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from clampsweep.errors import UserError
from clampsweep.explorer.direct import no_proxy
from clampsweep.figures.environment import plain_matplotlib

CONFIG = "config/config.yaml"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m clampsweep.explorer",
        description="See and try what a neuron does, in the browser. To be run in the project.",
    )
    parser.add_argument(
        "--configfile",
        nargs="*",
        default=[],
        metavar="FILE",
        help="config files laid over config/config.yaml, as with snakemake",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to (this machine)")
    parser.add_argument("--port", type=int, help="port (the first free one from 7860)")
    parser.add_argument("--no-browser", action="store_true", help="do not open a browser")
    return parser.parse_args()


def main() -> None:
    """Serve the explorer until it is interrupted.

    Raises:
        SystemExit: With 1 and one line, if something in the project is wrong.
    """
    arguments = _arguments()
    if not Path(CONFIG).is_file():
        sys.exit(f"error: {CONFIG}: no such file; run this in the project's folder")
    # Nothing leaves this machine: no usage statistics, no look for newer versions.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"}
    try:
        plain_matplotlib()
        with no_proxy():  # Gradio makes a client while it is imported
            from clampsweep.explorer.app import page, preload, serve
        from clampsweep.explorer.desk import Desk, read_config
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error}; run `make explore`, or pip install 'clampsweep[explorer]'")
    except UserError as error:
        sys.exit(f"error: {error}")
    try:
        desk = Desk(read_config([CONFIG, *arguments.configfile]), Path.cwd())
        blocks = page(desk, Path("results"))
        address = serve(blocks, arguments.host, arguments.port, not arguments.no_browser)
        preload(desk)
    except UserError as error:
        sys.exit(f"error: {error}")
    print(f"The explorer is at {address} (Ctrl+C ends it)", flush=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        blocks.close()
        desk.close()
        # Not by the usual end: a thread may be loading a model or running one, and torch aborts
        # the process if Python takes its ground away.
        os._exit(0)


if __name__ == "__main__":
    main()
