"""Ctrl+C, in processes of their own: a line, no traceback, and no process that stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from clampsweep.errors import INTERRUPTED
from patience import PATIENCE

SRC = Path(__file__).parents[2] / "src"
LISTEN = """
import subprocess, sys, time
from clampsweep.console import interrupts
interrupts.listen()
"""
RUN_JOB = """
job = subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE)
try:
    job.stdout.readline()
    print("ready", flush=True)
    time.sleep(1000)
finally:
    print("the job's code:", job.wait(), file=sys.stderr)
"""
REPORTED = """
import sys, time
from clampsweep.errors import reported
with reported("job.log"):
    try:
        print("ready", flush=True)
        time.sleep(1000)
    finally:
        print("a progress bar", file=sys.stderr)
"""


class Ended(NamedTuple):
    """How a process ended, and what it wrote on stderr."""

    code: int
    said: str


@pytest.fixture
def interrupted(tmp_path: Path) -> Callable[..., Ended]:
    """Function from arguments of Python: SIGINT to its process group once it is ready."""

    def run(*arguments: str, ignored: bool = False, alone: bool = False) -> Ended:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{SRC}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=(lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)) if ignored else None,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            (os.kill if alone else os.killpg)(process.pid, signal.SIGINT)
            said = process.communicate(timeout=PATIENCE)[1]
        return Ended(process.returncode, said)

    return run


def test_an_interrupted_process_says_a_line_and_ends_by_the_signal(interrupted):
    ended = interrupted("-c", f"{LISTEN}\nprint('ready', flush=True)\ntime.sleep(1000)")
    assert ended == (-signal.SIGINT, f"\n{INTERRUPTED}\n")


def test_what_snakemake_says_afterwards_is_not_shown_but_other_faults_are(interrupted):
    after = """
from snakemake.logging import logger
logger.addHandler(__import__("logging").StreamHandler())
logger.error("shown")
try:
    print("ready", flush=True)
    time.sleep(1000)
finally:
    logger.error("not shown")
    raise ValueError("a bug")
"""
    ended = interrupted("-c", LISTEN + after)
    assert ended.said.startswith(f"shown\n\n{INTERRUPTED}\nTraceback")
    assert ended.said.endswith("ValueError: a bug\n") and "not shown" not in ended.said


def test_an_interruption_while_snakemake_prints_is_not_lost(interrupted):
    # As in snakemake.logging, whose `emit` swallows it.
    printing = """
def emit():
    try:
        print("ready", flush=True)
        time.sleep(0.3)
    except KeyboardInterrupt:
        pass
emit()
time.sleep(1000)
"""
    ended = interrupted("-c", LISTEN + printing)
    assert ended == (-signal.SIGINT, f"\n{INTERRUPTED}\n")


def test_jobs_that_do_not_listen_are_ended_too(interrupted):
    deaf = "interrupts.PATIENCE = 0; command = \"trap '' INT; echo ready; exec sleep 1000\""
    ended = interrupted("-c", LISTEN + deaf + RUN_JOB)
    assert ended.said == f"\n{INTERRUPTED}\nthe job's code: {-signal.SIGKILL}\n"


def test_jobs_are_interrupted_where_the_signal_came_to_snakemake_alone(interrupted, tmp_path):
    (tmp_path / "job.py").write_text(REPORTED)
    command = f"command = interrupts.JOBS_PREFIX + '{sys.executable} job.py'"
    shell = RUN_JOB.replace('"sh"', '"bash"')
    ended = interrupted("-c", LISTEN + command + shell, alone=True)
    assert ended.said == f"\n{INTERRUPTED}\nthe job's code: 130\n"


@pytest.mark.parametrize("ignored", [True, False], ids=["as Snakemake starts it", "by itself"])
def test_an_interrupted_job_ends_with_a_line_in_its_log_only(interrupted, tmp_path, ignored):
    said = "" if ignored else "a progress bar\n"
    assert interrupted("-c", REPORTED, ignored=ignored) == (130, said)
    log = (tmp_path / "job.log").read_text()
    assert log.endswith(f"{INTERRUPTED}\n") and len(log.splitlines()) == 1


def test_an_interruption_while_snakemake_is_imported_is_a_line(interrupted, tmp_path):
    (tmp_path / "snakemake").mkdir()
    (tmp_path / "snakemake/__init__.py").touch()
    (tmp_path / "snakemake/cli.py").write_text(
        "import time\nprint('ready', flush=True)\ntime.sleep(1000)"
    )
    assert interrupted("-m", "clampsweep.console") == (130, f"\n{INTERRUPTED}\n")
