"""What the environment says of matplotlib is not heard; a file that ends it is one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clampsweep.errors import UserError
from clampsweep.figures.environment import plain_matplotlib

SCRIPT = """
from clampsweep.figures.environment import plain_matplotlib
plain_matplotlib()
import matplotlib
print(matplotlib.rcParams["backend"], matplotlib.rcParams["lines.linestyle"])
"""


def imported(folder, **environment):
    """Backend and a setting of a matplotlib that is imported in a folder and an environment."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


@pytest.mark.parametrize(
    "backend", ["module://matplotlib_inline.backend_inline", "no_such_backend", "TkAgg"]
)
def test_the_backend_is_agg_whatever_the_environment_says(tmp_path, backend):
    assert imported(tmp_path, MPLBACKEND=backend) == ["agg", "-"]


@pytest.mark.parametrize("content", [b"lines.linestyle: :\n", b"\xff\xfe\n"])
def test_a_settings_file_that_the_environment_names_is_not_read(tmp_path, content):
    (tmp_path / "mine").write_bytes(content)
    assert imported(tmp_path, MATPLOTLIBRC=str(tmp_path / "mine")) == ["agg", "-"]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MPLBACKEND", "MATPLOTLIBRC"):
        monkeypatch.setenv(name, "")


def test_a_settings_file_here_that_matplotlib_cannot_read_is_one_line(here):
    Path("matplotlibrc").write_bytes(b"\xff\xfe\n")
    with pytest.raises(UserError, match=r"^matplotlibrc: matplotlib cannot read it .*; delete it"):
        plain_matplotlib()


def test_a_settings_file_here_that_matplotlib_can_read_is_let_be(here):
    Path("matplotlibrc").write_text("lines.linestyle: :\n")
    plain_matplotlib()
