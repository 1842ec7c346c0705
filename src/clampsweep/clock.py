"""File times that lie ahead of the clock, because it was moved back.

Snakemake refuses a new file that is older than what it was made from, and removes it. So such times
are set to now, before it looks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

_TOLERANCE = 60 * 10**9  # ns; less is taken for the difference of two machines' clocks

_STEP = 1000  # ns; what tells two times apart


def set_back(places: Iterable[Path | str]) -> int:
    """Number of files whose time lay ahead; it is now, and which is newer than which is kept.

    Nothing is changed unless one lies ahead by more than a minute.

    Args:
        places: Files, and folders with all that is in them.
    """
    now = time.time_ns()
    ahead = {path: at for path, at in _times(places) if at > now}
    if max(ahead.values(), default=now) <= now + _TOLERANCE:
        return 0
    order = {at: rank for rank, at in enumerate(sorted(set(ahead.values()), reverse=True))}
    for path, at in ahead.items():
        with suppress(OSError):  # not ours: Snakemake will name it
            os.utime(path, ns=(now, now - order[at] * _STEP))
    return len(ahead)


def _times(places: Iterable[Path | str]) -> Iterator[tuple[Path, int]]:
    """Files and the times of their last change, ns."""
    for place in map(Path, places):
        for path in [place, *place.rglob("*")] if place.is_dir() else [place]:
            with suppress(OSError):
                if path.is_file():
                    yield path, path.stat().st_mtime_ns
