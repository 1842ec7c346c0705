"""Ctrl+C in a real run, as a terminal sends it: to Snakemake and its jobs at once."""

from __future__ import annotations

import os
import signal

import pytest
from harness import Project

from clampsweep.errors import INTERRUPTED
from patience import wait_for

pytestmark = pytest.mark.usefixtures("cold")
PROMPTS = "results/s/prompts.parquet"
# Added to a project's copy of the library: a job is at work as long as there is a file `rest`.
REST = """
import os
import time

_write = write


def write(*arguments):
    while os.path.exists("rest"):
        open("at_work", "w").close()
        time.sleep(0.01)
    return _write(*arguments)
"""


def test_ctrl_c_is_a_line_and_leaves_neither_a_lock_nor_a_job(fresh: Project) -> None:
    fresh.append("src/clampsweep/tables.py", REST)
    (fresh.folder / "rest").touch()
    with fresh.start(PROMPTS) as running:
        wait_for((fresh.folder / "at_work").exists, "no job is at work")
        unlocked = fresh.run("--unlock")
        before = running.log.read_text()
        os.killpg(running.process.pid, signal.SIGINT)
        run = running.wait()
    assert unlocked.code != 0
    assert unlocked.errors()[0].startswith("error: another run is at work in this folder, process ")
    assert run.code != 0
    assert run.output.removeprefix(before) == f"\n{INTERRUPTED}\n"
    assert fresh.path("logs/prompts/s.log").read_text().endswith(f"{INTERRUPTED}\n")
    assert not list(fresh.folder.glob(".snakemake/locks/*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(running.process.pid, 0)
