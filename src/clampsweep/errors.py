"""Errors a user can mend, and how a job reports them: one line, never a traceback."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """A fault in the user's input or machine; its text is the one line that the user reads."""


def explain_os_error(error: OSError, path: Path | str, action: str) -> UserError:
    """One-line `UserError` for a failed file operation, with the remedy.

    Args:
        error: What the operating system said.
        path: The file that was being handled.
        action: What was being done, as in "write".
    """
    if error.errno == errno.ENOSPC:
        return UserError(
            f"{path}: cannot {action}: the disk is full; free some space and run again, "
            "finished work is kept"
        )
    return UserError(f"{path}: cannot {action}: {error.strerror or error}")


@contextmanager
def reported(log: Path | str) -> Iterator[None]:
    """Run a job's body: log to `log` and to stderr; end a `UserError` in one line and exit code 1.

    Other exceptions pass through with their traceback (also written to the log): they are bugs.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    handlers: list[logging.Handler] = [logging.FileHandler(log, mode="w"), logging.StreamHandler()]
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(message)s", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    for chatty in ("httpx", "httpcore", "huggingface_hub", "transformers", "matplotlib"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        yield
    except UserError as error:
        logging.error("error: %s", error)
        sys.exit(1)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            logging.exception("unexpected error")
            raise
        logging.error("error: %s", explain_os_error(error, error.filename or "results", "write"))
        sys.exit(1)
    except Exception:
        logging.exception("unexpected error: this is a bug in clampsweep, please report it")
        raise
