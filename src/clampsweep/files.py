"""Files that are whole or not there, belong to one place in `results`, and are made by one job.

A file is written beside its place, flushed to the disk, and renamed. Of jobs that would make the
same file, a lock file lets one at a time.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from clampsweep.errors import UserError, explain_os_error

log = logging.getLogger(__name__)


def place(path: Path) -> str | None:
    """Where in `results` a file is, such as `s/rates.parquet`; None if elsewhere or in scratch."""
    folders = path.parts[:-1]
    if "results" not in folders or ".scratch" in folders:
        return None
    return "/".join(path.parts[len(folders) - folders[::-1].index("results") :])


def check_place(path: Path, made_for: object) -> None:
    """Refuse a file that was copied from another place in `results`: its rows are of other texts.

    Args:
        path: Where it is.
        made_for: What `place` was when it was written, None if not known.

    Raises:
        UserError: It is not there.
    """
    if made_for is not None and place(path) not in (None, made_for):
        raise UserError(
            f"{path}: a copy of what belongs in results/{made_for}; delete it and run again"
        )


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, moved to `path` when the block ends well, removed otherwise.

    Raises:
        UserError: The operating system refused, for instance because the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except OSError as error:
        raise explain_os_error(error, path, "write") from error
    finally:
        if beside.exists():
            beside.unlink()


def write_text(text: str, path: Path | str) -> None:
    """Write a text file in UTF-8, atomically.

    Raises:
        UserError: The operating system refused, for instance because the disk is full.
    """
    with atomic(Path(path)) as beside:
        beside.write_text(text, encoding="utf-8")


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
