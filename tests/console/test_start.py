"""What Snakemake is called with, looked at before it does so itself."""

from __future__ import annotations

import sys

import pytest

from clampsweep.console import interrupts, locks, start
from clampsweep.errors import UserError


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Function that begins as Snakemake does when it was called with some arguments."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(interrupts, "listen", lambda: None)
    (tmp_path / "good.yaml").write_text("run: [s]\n")
    (tmp_path / "bad.yaml").write_text("run:\n\t- s\n")

    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["snakemake", *arguments])
        start.begin()

    return run


@pytest.mark.parametrize("option", ["--configfile", "--configfiles"])
def test_a_config_file_that_is_not_yaml_or_not_there_is_one_line(begin, option):
    with pytest.raises(SystemExit, match=r"^error: bad\.yaml, line 2, column 1: .* write spaces"):
        begin("-n", option, "good.yaml", "bad.yaml", "--quiet")
    with pytest.raises(SystemExit, match=r"^error: gone\.yaml: cannot read .* No such file"):
        begin(option, "gone.yaml", "-j2")


def test_good_files_and_arguments_that_only_look_like_files_are_no_fault(begin):
    begin("-j2", "results/s/rates.parquet", "--configfile", "good.yaml")
    begin("--config", "run=[gone.yaml]", "--cores", "2")
    begin()


def test_only_unlocking_is_refused_while_a_run_is_at_work(begin, monkeypatch):
    def refuse(folder):
        raise UserError("another run")

    monkeypatch.setattr(locks, "check_no_run", refuse)
    begin("-j2")
    with pytest.raises(SystemExit, match=r"^error: another run"):
        begin("--unlock")
