"""Locks of a folder: which run holds one, and what to do where the run was killed."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

import psutil
from snakemake.logging import logger

from clampsweep.errors import UserError

KILLED = (
    "error: the folder is locked by a run that was killed, as none is at work in it on this "
    "machine; `make unlock` (or snakemake --unlock), then the same command goes on"
)

_NAMES = {"snakemake", "clampsweep.console"}  # what is called, as a program or a module


def runs_at_work(folder: Path) -> list[psutil.Process]:
    """The Snakemakes at work in a folder on this machine, but for this one and what started it."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _is_run(process, folder)
    ]


def _is_run(process: psutil.Process, folder: Path) -> bool:
    """Whether a process is a Snakemake, and not one of a Snakemake's jobs, in a folder."""
    try:
        command = process.cmdline()
        names = {Path(word).name for word in command[:4]}
        is_job = "--mode" in command
        return bool(_NAMES & names) and not is_job and Path(process.cwd()) == folder
    except (psutil.Error, OSError):
        return False  # it has ended, or is another user's


def check_no_run(folder: Path) -> None:
    """Refuse to go on where a run is at work in a folder.

    Raises:
        UserError: One is.
    """
    if runs := runs_at_work(folder):
        began = datetime.fromtimestamp(runs[0].create_time())
        raise UserError(
            f"another run is at work in this folder, process {runs[0].pid} since {began:%H:%M}; "
            "wait until it has ended, or end it (Ctrl+C where it runs)"
        )


def explain() -> None:
    """Let Snakemake say by these words that a folder is locked."""
    logger.addFilter(_in_plain_words)


def _in_plain_words(record: logging.LogRecord) -> bool:
    if getattr(record, "exception", None) == "LockException":
        record.msg = KILLED
        try:
            check_no_run(Path.cwd())
        except UserError as fault:
            record.msg = f"error: {fault}"
    return True
