"""Errors a user can mend, and how a job reports them: one line, never a traceback.

Users of the library get `TypeError` and `ValueError` for what they gave wrongly.
"""

from __future__ import annotations

import errno
import logging
import math
import operator
import os
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_MOST = 2000  # characters of a message

_PROBE = 2**16  # bytes

INTERRUPTED = "Interrupted: what is finished is kept; the same command goes on from there"
"""What is said after Ctrl+C."""


class UserError(Exception):
    """A fault in the user's input or machine; its text is the one line that the user reads.

    It may quote anything: what does not print (line ends, codes that steer a terminal, marks that
    turn the writing round) stands in it as in a Python string, and a long quotation is cut.
    """

    def __init__(self, text: str):
        line = "".join(
            char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
        )
        super().__init__(line if len(line) <= _MOST else f"{line[:1500]} [...] {line[-400:]}")


def reason(error: BaseException) -> str:
    """What an exception of another library says, as the beginning of one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def whole(what: str, given: object, least: int, most: int | None = None) -> int:
    """A whole number that a caller of the library gave, as Python's own.

    Args:
        what: Its name, as the message begins.
        given: What was given.
        least: The smallest that is allowed.
        most: The largest; None if there is none.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is out of range.
    """
    try:
        if isinstance(given, bool):
            raise TypeError
        found = operator.index(given)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{what}: got {shown(given)}; write a whole number") from None
    if found < least or (most is not None and found > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{what}: got {found}; allowed: {allowed}")
    return found


def whole_numbers(given: Any) -> list[int] | None:
    """Whole numbers that a caller gave, as a list of Python's own; None if it is not of these."""
    given = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return None
    numbers = list(given)
    kinds = set(map(type, numbers))
    if kinds <= {int}:
        return numbers
    if bool in kinds or not all(hasattr(kind, "__index__") for kind in kinds):
        return None
    try:
        return [operator.index(number) for number in numbers]
    except TypeError:  # tensors that are no whole numbers
        return None


def number(what: str, given: object) -> float:
    """A number that a caller of the library gave, as Python's own; it may be infinite or nan.

    Args:
        what: Its name, as the message begins.
        given: What was given.

    Raises:
        TypeError: It is no number.
    """
    try:
        if isinstance(given, bool | str | bytes):
            raise TypeError
        return float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise TypeError(f"{what}: got {shown(given)}; write a number") from None


def finite(what: str, given: object) -> float:
    """The same, of numbers that are finite.

    Raises:
        TypeError: It is no number.
        ValueError: It is infinite, or not a number.
    """
    found = number(what, given)
    if not math.isfinite(found):
        raise ValueError(f"{what}: got {found}; write a finite number")
    return found


def shown(given: object) -> str:
    """What a caller gave, quoted in a few words of one line."""
    text = " ".join(repr(given).split())
    return text if len(text) <= 60 else f"{text[:50]} ... ({type(given).__name__})"


def explain_os_error(error: OSError, path: Path | str, action: str) -> UserError:
    """One-line `UserError` for a failed file operation, with the remedy.

    Args:
        error: What the operating system said.
        path: The file that was being handled.
        action: What was being done, as in "write".
    """
    full = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "your share of the disk is full"}
    if error.errno in full:
        return UserError(
            f"{path}: cannot {action}: {full[error.errno]}; free some space and run again, "
            "finished work is kept"
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        must_be = "readable" if action == "read" else "writable"
        return UserError(
            f"{path}: cannot {action}: {error.strerror}; make it {must_be} for you and run again, "
            "finished work is kept"
        )
    return UserError(f"{path}: cannot {action}: {error.strerror or error}")


def check_writable(folder: Path | str) -> None:
    """Try to write a few bytes into a folder, or into that above it if it is not there.

    Raises:
        UserError: The operating system refused: the disk is full, read-only or not yours.
    """
    place = Path(folder) if Path(folder).is_dir() else Path(folder).parent
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(_PROBE))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise explain_os_error(error, folder, "write") from error


def check_not_read_only(folder: Path | str) -> None:
    """Refuse a folder that is there and cannot be written to.

    Raises:
        UserError: It is on a read-only disk, or not yours.
    """
    if Path(folder).exists() and not os.access(folder, os.W_OK):
        raise UserError(
            f"{folder}: read-only; make it writable for you and run again, finished work is kept"
        )


class _Log(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Let the line go: a full disk of logs costs a log, not a result."""


def _interrupt(*_: object) -> None:
    """Interrupt this job; what ends with it, such as a progress bar, has no more to say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise KeyboardInterrupt


@contextmanager
def reported(log: Path | str) -> Iterator[None]:
    """Run a job's body: log to `log` and to stderr; end a `UserError` in one line and exit code 1.

    An interruption (Ctrl+C) ends it with code 130, and with a line in the log only. Other
    exceptions pass through with their traceback (also written to the log): they are bugs. Where no
    log can be written, stderr has it all.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as jobs are started
        signal.signal(signal.SIGINT, _interrupt)
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    with suppress(OSError):
        Path(log).parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_Log(log, mode="w"))
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "huggingface_hub", "transformers", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        yield
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it may be sent again
        logging.getLogger().removeHandler(handlers[0])
        logging.info(INTERRUPTED)
        sys.exit(130)
    except UserError as error:
        logging.error("error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            logging.exception("unexpected error")
            raise
        logging.error("error: %s", explain_os_error(error, error.filename or "a file", "write"))
        sys.exit(1)
    except Exception:
        logging.exception("unexpected error: this is a bug in clampsweep, please report it")
        raise
