"""Snakemake, as make starts it: interrupted in its first second too, it ends without a traceback.

What Snakemake imports takes that second; the rest is `interrupts`, whoever starts Snakemake.
"""

from __future__ import annotations

import os
import signal
import sys


def _end(*_: object) -> None:
    """End at once, as nothing has begun."""
    from clampsweep.errors import INTERRUPTED

    print(f"\n{INTERRUPTED}", file=sys.stderr, flush=True)
    os._exit(130)


if __name__ == "__main__":
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    from snakemake.cli import main

    sys.argv[0] = "snakemake"  # as its head shows it
    main()
