"""Work on models beside the page: one job at a time, told to stop, its progress looked at."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from clampsweep.errors import UserError
from clampsweep.explorer.inspection import Stopped

log = logging.getLogger(__name__)

_Result = TypeVar("_Result")

_LOOK = 0.05  # seconds between two looks at a job

_PAUSE = 0.15  # seconds between two that are shown: drawing takes time from the model


class Worker:
    """The one thread that works on models: several would each bring threads of their own to torch.

    It does the jobs of all browser tabs in their order.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job[Any]] = SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def start(self, work: Callable[[Job[_Result]], _Result]) -> Job[_Result]:
        """A job that begins when those before it are over."""
        job = Job(work)
        self._jobs.put(job)
        return job

    def _run(self) -> None:
        while True:
            self._jobs.get().run()


class Job(Generic[_Result]):
    """A piece of work.

    Attributes:
        progress: What the work last told of itself, None before.
        error: What went wrong, in a line; None if nothing did.
        result: What came out, once it is over; None if it was stopped before or failed.
    """

    def __init__(self, work: Callable[[Job[_Result]], _Result]):
        self.progress: object = None
        self.error: str | None = None
        self.result: _Result | None = None
        self._work, self._lock = work, threading.Lock()
        self._begun, self._changed = threading.Event(), threading.Event()
        self._stop, self._over = threading.Event(), threading.Event()

    def stop(self) -> None:
        """Ask the work to end where it is; if it has not begun, it is over."""
        with self._lock:
            self._stop.set()
            if self.waiting:
                self._over.set()

    @property
    def waiting(self) -> bool:
        """Whether it has not begun yet."""
        return not self._begun.is_set()

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
            self._begun.wait(_LOOK)
            yield None
            while not self._over.is_set():
                if self._changed.wait(_LOOK):
                    self._changed.clear()
                    yield self.progress
                    time.sleep(_PAUSE)
        finally:
            self.stop()
            self._over.wait()

    def run(self) -> None:
        """Do the work, unless it was stopped before; called by the worker."""
        with self._lock:
            if self.stopped:
                return
            self._begun.set()
        try:
            self.result = self._work(self)
        except Stopped:
            pass
        except UserError as error:
            self.error = str(error)
        except Exception as error:
            log.exception("unexpected error in the explorer")
            self.error = f"unexpected error, a bug in clampsweep: {error!r}; the terminal has more"
        finally:
            self._over.set()
