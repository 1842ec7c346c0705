"""How long tests wait: one time for all, so long that no machine is too slow or too busy."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 300  # seconds, for what takes a few at most


def wait_for(true: Callable[[], object], otherwise: str) -> None:
    """Wait until something is true; fail with some words if it never is."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, otherwise
        time.sleep(0.01)
