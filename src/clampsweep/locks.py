"""A lock file: of the jobs that would make the same file, one at a time."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clampsweep.errors import explain_os_error

log = logging.getLogger(__name__)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a lock file, waiting while another job does; the lock ends with its process.

    Where the file system has no locks, the log says so and the job goes on without.

    Raises:
        UserError: The file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = _locked(path)
    except OSError as error:
        raise explain_os_error(error, path, "lock") from error
    try:
        yield
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        os.close(held)


def _locked(path: Path) -> int:
    """Descriptor of the lock file, locked, and still the file of that name."""
    while True:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(held, path)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(held), path.stat()):
                    return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)  # the job that had it removed it


def _lock(held: int, path: Path) -> None:
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        log.info("another job does the same work; waiting until it ends (%s)", path)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK):
            raise
        log.warning("%s: this file system has no locks; two jobs may do the same work", path)
        return
    fcntl.flock(held, fcntl.LOCK_EX)
