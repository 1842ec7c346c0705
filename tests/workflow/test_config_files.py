"""Config files as jobs get them: what stands in them as clampsweep reads it, and overlays of it."""

from __future__ import annotations

import json
from pathlib import Path

from harness import TEXTS, Project

VALUES = "sweeps: {s: {values: [010, 0x1F, 1e2]}}"
"""To Snakemake itself these are 8, 31 and a text."""


def _planned(project: Project) -> set[float]:
    """Values in the pinned batches of a project."""
    batches = map(json.loads, map(Path.read_text, project.folder.glob("results/batches/*.json")))
    return {row["value"] for rows in batches for row in rows["combinations"]} - {None}


def test_a_number_with_a_leading_zero_is_decimal_in_every_job(finished: Project) -> None:
    finished.path("config").joinpath("mine.yaml").write_text(VALUES)
    finished.run(TEXTS, "--configfile", "config/mine.yaml").checked()
    assert set(finished.table("generations")["value"].dropna()) == {10.0, 31.0, 100.0}


def test_numbers_of_the_command_line_are_read_as_in_a_file(fresh: Project) -> None:
    fresh.run("-n", "--config", VALUES.replace(": ", "=", 1)).checked()
    assert _planned(fresh) == {10.0, 31.0, 100.0}


def test_a_file_without_run_gets_its_own_entries_made_and_a_line_says_so(fresh: Project) -> None:
    fresh.config["sweeps"]["other"] = fresh.sweep
    mine = "sweeps: {other: {values: [4]}}"
    fresh.write().path("config").joinpath("mine.yaml").write_text(mine)
    run = fresh.run("-n", "--configfile", "config/mine.yaml").checked()
    note = "note: config/mine.yaml has no run:, so its own entries are made: other"
    assert run.output.splitlines().count(note) == 1
    assert _planned(fresh) == {4.0}
    quiet = fresh.run("-n", "--quiet", "--configfile", "config/mine.yaml").checked()
    assert "note: " not in quiet.output


def test_a_wrong_value_of_the_command_line_is_said_of_it(fresh: Project) -> None:
    run = fresh.run("-n", "--config", "compute={threads: many}")
    assert run.code != 0
    assert run.errors() == ["error: --config: compute.threads: got 'many'; expected integer"]
