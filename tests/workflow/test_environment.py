"""What a shell or a notebook leaves in the environment does not reach the jobs."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from harness import REPO, Project

FIGURE = "results/s/figures/states.png"
NOWHERE = "/dev/null/home"  # no folder, and none can be made, not even by root


@pytest.mark.usefixtures("cold")
def test_figures_do_not_heed_a_notebooks_backend_nor_a_settings_file_nor_need_a_home(
    finished: Project, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    plain = finished.path(FIGURE).read_bytes()
    finished.path(FIGURE).unlink()
    (finished.folder / "matplotlibrc").write_text("text.usetex: True\nsavefig.bbox: tight\n")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # Snakemake's own need
    run = finished.run(FIGURE).checked()
    assert set(run.rules) == {"figures"}
    assert finished.path(FIGURE).read_bytes() == plain


def test_a_settings_file_that_matplotlib_cannot_read_is_one_line_before_any_job(
    fresh: Project,
) -> None:
    (fresh.folder / "matplotlibrc").write_bytes(b"\xff\xfe\n")
    run = fresh.run("-n")
    assert run.code != 0
    (error,) = run.errors()
    assert error.startswith("error: matplotlibrc: matplotlib cannot read it")


@pytest.mark.parametrize(
    ("home", "cache"),
    [({"HOME": NOWHERE}, f"{REPO}/.snakemake/cache"), ({}, f"{REPO}/.snakemake/cache"),
     ({"HOME": "{tmp}"}, ""), ({"HOME": NOWHERE, "XDG_CACHE_HOME": "{tmp}"}, "{tmp}")],
    ids=["not writable", "none", "writable", "cache elsewhere"],
)  # fmt: skip
def test_make_keeps_snakemakes_cache_here_where_there_is_no_home_for_it(tmp_path, home, cache):
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    environment = {k: v for k, v in os.environ.items() if k not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {name: value.format(tmp=tmp_path) for name, value in home.items()}
    said = subprocess.check_output(
        ["make", "-s", "--eval", "said: ; @echo $$XDG_CACHE_HOME", "said"],
        cwd=REPO, env=environment, text=True,
    )  # fmt: skip
    assert said.strip() == cache.format(tmp=tmp_path)
