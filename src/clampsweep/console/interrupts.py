"""Ctrl+C: a run that is interrupted says so in a line, ends its jobs and then keeps quiet.

What Snakemake itself would print, a traceback of each job and of its own, says nothing that helps.
Its course is as ever: it ends its jobs, removes what they had not finished, and gives up its lock.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import FrameType, TracebackType

import psutil
from snakemake.logging import logger

from clampsweep.errors import INTERRUPTED

PATIENCE = 10  # seconds that jobs have to end by themselves
JOBS_PREFIX = "set -euo pipefail; trap '' INT; "
"""How the shell commands of jobs begin: until a job can take an interruption (`errors.reported`),
while Python itself starts, it ignores it; it is sent again."""


def listen() -> None:
    """From now on an interruption of this process is as this module has it."""
    if threading.current_thread() is not threading.main_thread():
        return  # Python lets no other set this
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, _interrupted):
        signal.signal(signal.SIGINT, _interrupted)
        sys.excepthook = _without_traceback


def _interrupted(number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_code.co_name == "emit":  # Snakemake's printing swallows what is raised in it
            again = (threading.main_thread().ident, number)  # wakes it where it waits, too
            threading.Timer(0.05, signal.pthread_kill, again).start()
            return
        frame = frame.f_back
    signal.signal(signal.SIGINT, lambda *_: None)  # the rest is clearing up, which must go on
    print(f"\n{INTERRUPTED}", file=sys.stderr, flush=True)
    for handler in logger.handlers:
        if not isinstance(handler, logging.FileHandler):
            handler.addFilter(lambda record: False)
    jobs = psutil.Process().children()  # not what Snakemake starts from here on, such as scancel
    threading.Thread(target=_end, args=(jobs,), daemon=True).start()
    raise KeyboardInterrupt


def _end(jobs: Sequence[psutil.Process]) -> None:
    """Interrupt jobs, and what they started, until they have ended; kill those that do not."""
    for second in range(10**6):
        time.sleep(1)  # they may have ended by what the terminal sent them
        for job in jobs:
            with suppress(psutil.NoSuchProcess):
                for process in (*job.children(recursive=True), job):
                    process.send_signal(signal.SIGINT if second < PATIENCE else signal.SIGKILL)


def _without_traceback(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
