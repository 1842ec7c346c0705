"""Jobs that would make the same file do so one after the other."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.files import alone
from patience import PATIENCE, wait_for


def _hold(lock: Path, log: Path, seconds: float) -> None:
    """In a process of its own: when the lock was had and given back."""
    with alone(lock):
        with log.open("a") as file:
            file.write(f"{time.monotonic()} in\n")
        time.sleep(seconds)
        with log.open("a") as file:
            file.write(f"{time.monotonic()} out\n")


def test_of_several_jobs_each_has_the_lock_alone_and_it_leaves_no_file(tmp_path: Path) -> None:
    lock, log = tmp_path / "b.lock", tmp_path / "log"
    jobs = [multiprocessing.Process(target=_hold, args=(lock, log, 0.05)) for _ in range(6)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert [line.split()[1] for line in log.read_text().splitlines()] == ["in", "out"] * len(jobs)
    assert not lock.exists()


def test_a_killed_jobs_lock_is_free_and_the_next_says_that_it_waited(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, log = tmp_path / "b.lock", tmp_path / "log"
    job = multiprocessing.Process(target=_hold, args=(lock, log, PATIENCE))
    job.start()
    wait_for(log.exists, "the job does not get the lock")
    waits = "another job does the same work; waiting until it ends"

    def kill(record: logging.LogRecord) -> bool:
        if waits in record.getMessage():
            os.kill(job.pid or 0, signal.SIGKILL)
        return True

    monkeypatch.setattr(logging.getLogger(alone.__module__), "filters", [kill])
    with caplog.at_level("INFO"), alone(lock):
        job.join(timeout=PATIENCE)
        assert job.exitcode == -signal.SIGKILL
    assert waits in caplog.text
    assert not lock.exists()


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"b\.lock: cannot lock: "), alone(tmp_path / "file/b.lock"):
        pass
