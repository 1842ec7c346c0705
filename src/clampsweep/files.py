"""Files that are whole or not there, and belong to one place in `results`.

A file is written beside its place, flushed to the disk, and renamed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clampsweep.errors import UserError, explain_os_error


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
