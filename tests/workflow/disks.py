"""A small real disk for a test: a file system in memory that can be filled up or made read-only."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

_AS_ROOT = () if os.name == "posix" and os.geteuid() == 0 else ("sudo", "--non-interactive")


class Disk:
    """A mounted disk, until the block ends; the test is skipped where none can be mounted.

    Args:
        folder: Where; made if need be.
        size: As `mount` understands it, such as 12m.
    """

    def __init__(self, folder: Path, size: str):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        own = f"size={size},uid={os.geteuid()},gid={os.getegid()},mode=755"
        refused = _call("mount", "-t", "tmpfs", "-o", own, "tmpfs", str(folder))
        if refused:
            pytest.skip(f"needs root, or sudo, and leave to mount a small disk: {refused}")

    def fill(self, leave: int = 0) -> None:
        """Fill it up but for some bytes."""
        with (self.folder / ".filler").open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                file.truncate(max(0, os.fstat(file.fileno()).st_size - leave))

    def free(self) -> None:
        """Undo `fill`."""
        (self.folder / ".filler").unlink()

    def allow(self, writing: bool) -> None:
        """Make it read-only, or writable again."""
        assert not _call("mount", "-o", f"remount,{'rw' if writing else 'ro'}", str(self.folder))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take it away, with all that is on it."""
        assert not _call("umount", "--lazy", str(self.folder))

    def files(self) -> set[str]:
        """All files on it, hidden ones too, but for the filler."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found if path.name != ".filler"}


def _call(*command: str) -> str:
    """Run a command as root; why it failed, empty if it did not."""
    try:
        done = subprocess.run([*_AS_ROOT, *command], capture_output=True, text=True, check=False)
    except FileNotFoundError as missing:
        return str(missing)
    return (done.stderr.strip() or "refused") if done.returncode else ""
