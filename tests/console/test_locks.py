"""Which runs are at work in a folder, told from processes that only look like one."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clampsweep.console import locks
from clampsweep.errors import UserError

SLEEP = "import time; print('ready', flush=True); time.sleep(1000)"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Function that starts a Python by a command line in a folder, and returns its process id."""
    begun: list[subprocess.Popen[str]] = []
    for name in ("snakemake", "clampsweep.console", "other"):
        (tmp_path / name).write_text(SLEEP)
    (tmp_path / "elsewhere").mkdir()

    def run(*arguments: str, folder: str = ".") -> int:
        begun.append(
            subprocess.Popen(
                [sys.executable, *arguments],
                cwd=tmp_path / folder,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert begun[-1].stdout is not None
        begun[-1].stdout.readline()
        return begun[-1].pid

    yield run
    for process in begun:
        process.kill()
        process.communicate()


def test_a_run_is_found_in_its_folder_and_jobs_and_other_programs_are_not(start, tmp_path):
    runs = {start("snakemake", "-j2"), start("clampsweep.console", "--cores", "2")}
    start("snakemake", "--mode", "remote")
    start("other", "-j2", "--to", "snakemake")
    start("../snakemake", "-j2", folder="elsewhere")
    assert {process.pid for process in locks.runs_at_work(tmp_path)} == runs


def test_a_run_at_work_is_named_and_refused_and_a_killed_one_is_not(start, tmp_path):
    pid = start("snakemake", "-j2")
    with pytest.raises(UserError, match=f"^another run is at work .* process {pid} since .*; wait"):
        locks.check_no_run(tmp_path)
    os.kill(pid, 9)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    locks.check_no_run(tmp_path)


def test_snakemakes_own_words_on_a_lock_are_replaced_by_the_remedy(start, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(locks, "logger", logging.getLogger("of its own"))
    locks.explain()

    def said(exception: str) -> str:
        values = {"msg": "Directory cannot be locked ...", "exception": exception}
        record = logging.makeLogRecord(values)
        assert locks.logger.filter(record)
        return record.getMessage()

    assert said("WorkflowError") == "Directory cannot be locked ..."
    assert "`make unlock`" in said("LockException")
    pid = start("snakemake", "-j2")
    assert said("LockException").startswith(
        f"error: another run is at work in this folder, process {pid}"
    )
