"""What an edit of code, of resources or of nothing that matters makes stale."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import TEXTS, Project, environment

from clampsweep import tables


def test_the_copy_of_the_library_is_the_one_that_runs(untouched: Project) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import clampsweep; print(clampsweep.__file__)"],
        cwd="/",
        env=environment(untouched.folder),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(found.strip()) == untouched.folder / "src/clampsweep/__init__.py"


def test_plotting_code_makes_only_the_figures_stale(finished: Project) -> None:
    kept = finished.states("results/**/*.parquet", "results/**/*.md", "results/**/*.npz")
    finished.append("src/clampsweep/studies/bcr/figures/states.py", "# changed")
    run = finished.run().checked()
    assert run.rules == {"figures": 1}
    assert finished.states("results/**/*.parquet", "results/**/*.md", "results/**/*.npz") == kept
    finished.append("src/clampsweep/figures/style.py", "# changed")
    assert finished.run("-n").rules == {"figures": 1, "detector_figure": 1}


def test_report_code_makes_only_the_reports_stale(finished: Project) -> None:
    finished.append("src/clampsweep/studies/bcr/summary.py", "# changed")
    assert finished.run("-n").rules == {"reports": 1}
    finished.append("src/clampsweep/studies/bcr/neuron_report.py", "# changed")
    assert finished.run("-n").rules == {"reports": 1, "neuron_report": 1}


def test_decoding_code_makes_the_texts_stale(finished: Project) -> None:
    before = finished.batches()
    codes = _codes(finished)
    finished.append("src/clampsweep/decoder/decode.py", "# changed")
    run = finished.run(TEXTS).checked()
    assert run.rules == {"generate": 2, "gather": 1}
    after = finished.batches()
    assert after.keys() == before.keys()
    assert all(after[name].equals(rows) for name, rows in before.items())
    assert len(codes) == len(_codes(finished)) == 1
    assert codes != _codes(finished)


def test_texts_of_other_code_that_snakemake_has_no_record_of_are_refused(
    finished: Project,
) -> None:
    shutil.rmtree(finished.folder / ".snakemake/metadata")
    finished.append("src/clampsweep/decoder/decode.py", "# changed")
    finished.sweep["values"].append(7)
    run = finished.write().run(TEXTS)
    assert run.code != 0
    assert run.rules["generate"] == 1
    assert "gather" not in run.rules
    (said,) = run.errors()
    assert "made by another version of the code (so are 1 of the others); run once" in said
    assert "--forcerun generate" in said


def _codes(project: Project) -> set[object]:
    files = project.folder.glob("results/generations/*.parquet")
    return {tables.footer(path)["code"] for path in files}


def test_touched_files_make_nothing_stale(finished: Project) -> None:
    before = finished.states("results/**/*", "resources/**/*")
    for folder in ("tiny", "promptsets", "config", "resources", "results", "src"):
        for path in (finished.folder / folder).rglob("*"):
            os.utime(path)
    run = finished.run().checked()
    assert not run.rules
    after = finished.states("results/**/*", "resources/**/*")
    assert {name: state.digest for name, state in after.items()} == {
        name: state.digest for name, state in before.items()
    }


def _resources(project: Project) -> None:
    project.config["compute"] = {
        "threads": 2,
        "device": "auto",
        "rows_per_forward": 3,
        "combinations_per_batch": 2,
    }
    project.write()


def _licence(project: Project) -> None:
    project.config["models"]["tiny"]["licence"] = "MIT"
    project.write()


def _comments(project: Project) -> None:
    project.config = dict(reversed(project.config.items()))
    project.write().append("config/config.yaml", "# a comment")


@pytest.mark.parametrize("edit", [_resources, _comments])
def test_what_changes_no_result_makes_no_table_stale(
    finished: Project, edit: Callable[[Project], None]
) -> None:
    kept = finished.states("results/**/*.parquet")
    edit(finished)
    assert not finished.run().checked().rules
    assert finished.states("results/**/*.parquet") == kept


def test_another_licence_fetches_the_model_and_runs_it_no_more(finished: Project) -> None:
    kept = finished.states("results/generations/*", "results/vectors/*")
    _licence(finished)
    run = finished.run().checked()
    assert run.rules["fetch_model"] == 1
    assert not {"generate", "neuron_stats"} & set(run.rules)
    assert finished.states("results/generations/*", "results/vectors/*") == kept


def test_a_comment_in_the_promptset_makes_it_read_but_no_text_generated(finished: Project) -> None:
    kept = finished.states()
    finished.append("promptsets/grid.txt", "# a comment")
    planned = finished.run("-n").checked().rules
    assert planned["prompts"] == 1
    assert "generate" not in planned
    assert finished.states() == kept


def test_other_weights_at_the_same_path_are_fetched_before_they_are_used(finished: Project) -> None:
    from tiny import make_tiny

    make_tiny(finished.folder / "tiny", "gpt2", seed=5)
    run = finished.run("-n")
    assert run.rules["generate"] == 2
    assert run.rules["fetch_model"] == 1


def test_a_model_folder_deleted_is_fetched_again_and_makes_no_finished_text_stale(
    finished: Project,
) -> None:
    kept = finished.states("results/generations/*", "results/vectors/*")
    shutil.rmtree(finished.folder / "resources/models/tiny")
    finished.sweep["values"].append(7)
    run = finished.write().run(TEXTS).checked()  # a dry run would show all batches
    assert run.rules["fetch_model"] == run.rules["generate"] == 1
    assert kept.items() <= finished.states("results/generations/*", "results/vectors/*").items()
