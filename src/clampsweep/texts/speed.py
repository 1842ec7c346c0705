"""How fast texts are made on this machine: as earlier ones were.

A line for each part of a batch that was decoded stands in `logs/speed.jsonl`, for estimates only:
no result depends on it, and without it the first estimate is a guess. No torch here.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np

from clampsweep.texts.cost import Load, Size

log = logging.getLogger(__name__)

FILE = Path("logs/speed.jsonl")

_NEWEST = 8  # parts of a kind that count
_BYTES = 200_000  # of the file's end that are read

_GUESS = 1.55  # decoding against small products in numpy, texts that end early included: measured


@dataclass(frozen=True)
class Pace:
    """How long a part took.

    Attributes:
        batch: Its batch.
        model: The model's identity.
        device: `cpu` or `cuda`.
        threads: CPU threads.
        layer: Lowest layer that was changed; None of baselines.
        sampled: Whether tokens were drawn.
        flops: `Load.flops`.
        seconds: From its start to its tables on the disk.
    """

    batch: str
    model: str
    device: str
    threads: int
    layer: int | None
    sampled: bool
    flops: float
    seconds: float


class Seconds(NamedTuple):
    """How long something takes, and whether that is a guess; None where nobody knows."""

    seconds: float | None
    guessed: bool = False

    def __add__(self, other: object) -> Seconds:
        """Both, one after the other."""
        if not isinstance(other, Seconds):
            return NotImplemented
        unknown = self.seconds is None or other.seconds is None
        total = None if unknown else (self.seconds or 0) + (other.seconds or 0)
        return Seconds(total, self.guessed or other.guessed)

    def over(self, n: int) -> Seconds:
        """The share of one of so many jobs."""
        return self._replace(seconds=self.seconds and self.seconds / n)


def note(path: Path, pace: Pace) -> None:
    """Add a pace to a file of them; where it cannot be written, it is lost."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(pace)) + "\n")
    except OSError as error:
        log.info("how long this took is not noted: %s", error)


def read(path: Path) -> list[Pace]:
    """The paces of a file, the newest last; damaged lines are left out."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [pace for line in lines if (pace := _parse(line))]


def rate(paces: Sequence[Pace], model: str, load: Load, device: str, threads: int) -> float | None:
    """FLOPs per second, the median of the newest parts that are most like a load; None if none is.

    Args:
        paces: What was measured.
        model: The model's identity.
        load: What will be decoded.
        device: `cpu`, `cuda`, or `auto` for any.
        threads: CPU threads of a job.
    """
    here = [pace for pace in paces if device in ("auto", pace.device)]
    same = [pace for pace in here if pace.model == model]
    kind = (load.layer, load.sampled)
    for group in ([pace for pace in same if (pace.layer, pace.sampled) == kind], same, here):
        if group:
            return median(
                pace.flops / pace.seconds * (threads / pace.threads if pace.device == "cpu" else 1)
                for pace in group[-_NEWEST:]
            )
    return None


@cache
def guess(threads: int) -> float:
    """FLOPs per second that decoding may reach on this machine's CPU, in a fifth of a second.

    Args:
        threads: CPU threads of a job.
    """
    # So small that numpy uses one thread: what other programs do then matters little.
    a, b = np.ones((200, 64, 64), np.float32), np.ones((64, 64), np.float32)
    fastest = float("inf")
    for _ in range(40):
        start = time.perf_counter()
        a @ b
        fastest = min(fastest, time.perf_counter() - start)
        time.sleep(0.003)
    return _GUESS * 2 * a.size * 64 / fastest * min(threads, os.cpu_count() or 1)


def time_of(
    wanted: Iterable[tuple[str, Load, Size]], paces: Sequence[Pace], device: str, threads: int
) -> Seconds:
    """How long some texts take to decode.

    Args:
        wanted: The identity of a model, a load of it, and its sizes.
        paces: What was measured here.
        device: `cpu`, `cuda` or `auto`; with nothing measured only a CPU's speed can be guessed.
        threads: CPU threads of a job.
    """
    total, guessed = 0.0, False
    for model, load, size in wanted:
        measured = rate(paces, model, load, device, threads)
        if measured is None and device != "cpu":
            return Seconds(None)
        guessed = guessed or measured is None
        total += load.flops(size) / (measured or guess(threads))
    return Seconds(total, guessed)


def duration(seconds: float) -> str:
    """A time in words: `about 40 s`, `about 12 minutes`, `about 3.5 hours`."""
    if seconds < 90:
        return f"about {max(1, seconds):.0f} s"
    if seconds < 2 * 3600:
        return f"about {seconds / 60:.0f} minutes"
    return f"about {seconds / 3600:.1f} hours"


def _parse(line: str) -> Pace | None:
    """A line of the file; None if it is damaged."""
    try:
        pace = Pace(**json.loads(line))
        return pace if min(pace.flops, pace.seconds, pace.threads) > 0 else None
    except (ValueError, TypeError):
        return None
