"""Processes that compare answers by math-verify; one that hangs or dies costs its own pair alone.

math-verify's own time limit is an alarm, which threads cannot have, and which counts a busy
machine's delays as an answer's. Each process here gets processor time, and is started anew if it
ends.
"""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, NamedTuple

from clampsweep.studies.backtracking import math_worker

WORKER = Path(math_worker.__file__)

STALLED = 60  # seconds on the clock per second of processor time, for a process that only waits

STARTING = 600.0  # seconds in which a process is to be ready


class Verdict(NamedTuple):
    """Whether a pair is equal; None if it could not be found out, and why not."""

    correct: bool | None
    error: str | None


def installed() -> bool:
    """Whether math-verify is there."""
    return find_spec("math_verify") is not None


def verify(pairs: Sequence[tuple[str, str]], workers: int, timeout: float) -> list[Verdict]:
    """Compare answers with right answers, each pair on its own.

    Args:
        pairs: Answer and right answer, each as it stands in a box.
        workers: Most processes at once.
        timeout: Seconds of processor time for a pair.
    """
    found: dict[int, Verdict] = {}
    todo = deque(enumerate(pairs))
    pool = [_Worker(timeout) for _ in range(min(workers, len(pairs)))]
    try:
        while len(found) < len(pairs):
            for worker in pool:
                if worker.at is None and todo:
                    worker.take(*todo.popleft())
            found |= _answered([worker for worker in pool if worker.at is not None])
    finally:
        for worker in pool:
            worker.end()
    return [found[at] for at in range(len(pairs))]


def _answered(busy: Sequence[_Worker]) -> dict[int, Verdict]:
    """Verdicts that have come, after waiting for the next one or for the next deadline."""
    wait = min(worker.deadline for worker in busy) - time.monotonic()
    ready, _, _ = select.select([worker.said for worker in busy], [], [], max(wait, 0))
    late = time.monotonic()
    found = {}
    for worker in busy:
        if worker.at is not None and (worker.said in ready or worker.deadline <= late):
            at = worker.at
            found[at] = worker.verdict(worker.said in ready)
    return found


class _Worker:
    """A process, started when it is needed, and the pair that it is at."""

    def __init__(self, timeout: float):
        self.timeout = timeout
        self.at: int | None = None
        self.deadline = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def said(self) -> IO[bytes]:
        """What the process says."""
        return _pipe(self._running().stdout)

    def take(self, at: int, pair: tuple[str, str]) -> None:
        """Begin with a pair."""
        self.at = at
        given = _pipe(self._running().stdin)
        self.deadline = time.monotonic() + self.timeout * STALLED
        with suppress(BrokenPipeError):  # that it ended is seen when its verdict is read
            given.write(json.dumps(pair).encode() + b"\n")

    def verdict(self, ready: bool) -> Verdict:
        """The verdict on the pair that it is at; of a process that ended or is late, an error."""
        self.at = None
        line = self.said.readline() if ready else b""
        if not line:
            return Verdict(None, self._ended(late=not ready))
        said = json.loads(line)
        if isinstance(said, str):
            return Verdict(None, f"math-verify: {said}")
        return Verdict(bool(said), None)

    def end(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER), str(self.timeout)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
            said = _pipe(self._process.stdout)
            if select.select([said], [], [], STARTING)[0]:
                said.readline()
        return self._process

    def _ended(self, late: bool) -> str:
        """Why there is no verdict; the process is gone."""
        code = None if late else self._running().wait()
        self.end()
        if late or code == -signal.SIGPROF:
            return f"math-verify took more than {self.timeout:g} s"
        return f"math-verify ended with code {code}"


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    if end is None:
        raise RuntimeError("a process was started without pipes")
    return end
