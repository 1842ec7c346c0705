"""Work on a model beside the page: one job at a time, told to stop, its progress looked at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from clampsweep.errors import UserError
from clampsweep.inspection import Stopped

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")
_LOOK = 0.05  # seconds between two looks at a job
_PAUSE = 0.15  # seconds between two that are shown: drawing takes time from the model

_ONE_AT_A_TIME = threading.Lock()


class Job(Generic[_Result]):
    """A piece of work in a thread of its own; jobs of all browser tabs run one after another.

    Attributes:
        progress: What the work last told of itself, None before.
        waiting: Whether another tab's job is at work.
        error: What went wrong, in a line; None if nothing did.
    """

    def __init__(self, work: Callable[[Job[_Result]], _Result]):
        self.progress: object = None
        self.waiting = True
        self.error: str | None = None
        self._result: _Result | None = None
        self._work, self._stop, self._changed = work, threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask the work to end where it is."""
        self._stop.set()

    @property
    def stopped(self) -> bool:
        """Whether it was asked to."""
        return self._stop.is_set()

    def tell(self, progress: object) -> None:
        """Say how far the work is; to be called by it.

        Raises:
            Stopped: The work was asked to end.
        """
        self.progress = progress
        self._changed.set()
        if self.stopped:
            raise Stopped

    def follow(self) -> Iterator[object]:
        """What the work tells, as it goes on, None first; it ends if nobody follows any more."""
        try:
            yield None
            while self._thread.is_alive():
                if self._changed.wait(_LOOK):
                    self._changed.clear()
                    yield self.progress
                    time.sleep(_PAUSE)
        finally:
            self.stop()
            self._thread.join()

    @property
    def result(self) -> _Result | None:
        """What came out, once it is over; None if it was stopped before or failed."""
        return self._result

    def _run(self) -> None:
        while not _ONE_AT_A_TIME.acquire(timeout=_LOOK):
            if self.stopped:
                return
        try:
            self.waiting = False
            if not self.stopped:
                self._result = self._work(self)
        except Stopped:
            pass
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("unexpected error in the explorer")
            self.error = f"unexpected error, a bug in clampsweep: {error!r}; the terminal has more"
        finally:
            _ONE_AT_A_TIME.release()
