"""Writing files whole or not at all; what a table is told of it is in `test_tables.py`."""

from __future__ import annotations

import subprocess
import sys

import pytest

from clampsweep import files


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.txt"


def test_a_crash_in_the_block_leaves_the_old_file_and_nothing_else(path):
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic(path) as beside:
        beside.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_an_interrupt_leaves_the_old_file_and_nothing_else(path):
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.atomic(path) as beside:
        beside.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_is_whole_until_the_block_ends(path):
    path.write_text("old")
    with files.atomic(path) as beside:
        beside.write_text("new")
        assert beside.parent == path.parent
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_killed_writer_leaves_the_old_file_whole(path):
    path.write_text("old")
    script = (
        "import os, signal, sys; from pathlib import Path; from clampsweep import files\n"
        "with files.atomic(Path(sys.argv[1])) as beside:\n"
        "    beside.write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    assert path.read_text() == "old"
