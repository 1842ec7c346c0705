"""Neurons that a table of roles names: the sweep follows the table, with controls too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from harness import PROMPTS, Project, Run

N = len(PROMPTS)
HERE = "findings/roles.parquet"
MADE = "results/detectors/roles.parquet"
# Of the role entropy first and second, of another role, and a column that nothing reads.
ROWS = [("entropy", 1, 2, 7), ("entropy", 2, 1, 5), ("bos", 1, 0, 39)]
CONTROLLED: dict[str, Any] = {"values": [5], "controls": {"count": 3}}

RULE = f"""
rule roles_of_this_run:
    input:
        "{HERE}",
    output:
        "{MADE}",
    shell:
        "cp {{input}} {{output}}"
"""


def write_roles(project: Project, rows: list[tuple[str, int, int, int]]) -> Path:
    """Write the table as another program would."""
    path = project.folder / HERE
    path.parent.mkdir(exist_ok=True)
    frame = pd.DataFrame(rows, columns=["role", "rank", "layer", "neuron"])
    frame.assign(score=0.5).astype({"layer": "int16"}).to_parquet(path)
    return path


def found(file: str) -> dict[str, Any]:
    """The config's words for the best neuron of the role entropy."""
    return {"from": file, "role": "entropy", "top": 1}


def targets(project: Project, sweep: str) -> list[str]:
    """Targets in the texts of a sweep."""
    return sorted(project.table("generations", sweep)["target"].dropna().unique())


@pytest.fixture(scope="module")
def done(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Run]:
    """Sweeps of found and of chosen neurons, until it is known what their controls are."""
    project = untouched.copy(tmp_path_factory.mktemp("found") / "project")
    chosen = {"select": "consistent", "layer": "last", "top": 1}
    plain = project.sweep
    project.config["sweeps"] = {
        "found": {**plain, **CONTROLLED, "neurons": found(HERE)},
        "chosen": {**plain, **CONTROLLED, "neurons": chosen},
    }
    project.config["run"] = ["found", "chosen"]
    write_roles(project, ROWS)
    controls = [f"results/{name}/controls/controls.parquet" for name in ("found", "chosen")]
    wanted = ("results/found/generations.parquet", *controls)
    return project, project.write().run(*wanted).checked()


def test_found_and_chosen_neurons_have_controls(done: tuple[Project, Run]) -> None:
    project, run = done
    assert run.rules["find_neurons"] == run.rules["select_neurons"] == 1
    assert targets(project, "found") == ["L2N7"]
    for name in ("found", "chosen"):
        (target,) = json.loads(project.path(f"results/{name}/selected.json").read_text())["targets"]
        controls = project.table("controls", f"{name}/controls")
        assert set(controls["target"]) == {target}
        assert controls["kind"].value_counts().to_dict() == {"neuron": 3, "direction": 3}


def test_the_plan_follows_the_table(done: tuple[Project, Run], tmp_path: Path) -> None:
    project = done[0].copy(tmp_path / "project")
    kept, wanted = project.states(), "results/found/generations.parquet"
    write_roles(project, [("entropy", 1, 1, 5), ("entropy", 2, 2, 7)])
    run = project.run(wanted).checked()
    assert run.rules == {"find_neurons": 1, "generate": 1, "gather": 1}
    assert targets(project, "found") == ["L1N5"]
    assert kept.items() <= project.states().items()


def test_a_table_of_the_run_is_made_before_the_neurons_are_known(
    fresh: Project,
) -> None:
    write_roles(fresh, ROWS)
    fresh.append(
        "src/clampsweep/studies/bcr/files.py", 'DETECTORS = {**DETECTORS, "roles.parquet": ""}'
    )
    fresh.append("workflow/rules/bcr.smk", RULE)
    fresh.sweep.update(neurons=found(MADE), operation="mean")
    del fresh.sweep["values"]
    run = fresh.write().run("results/s/generations.parquet").checked()
    assert run.rules["roles_of_this_run"] == run.rules["find_neurons"] == 1
    means = fresh.table("neuron_stats").set_index(["layer", "neuron"])["mean"]
    named = json.loads(fresh.path("results/s/selected.json").read_text())
    assert (named["targets"], named["means"]) == (["L2N7"], [means[2, 7]])


def test_without_the_table_the_run_ends_in_a_line(fresh: Project) -> None:
    fresh.sweep["neurons"] = found("results/universal/un_roles.parquet")
    (said,) = (run := fresh.write().run("-n")).errors()
    assert run.code != 0
    assert "sweeps.s.neurons.from: got 'results/universal/un_roles.parquet'; no such file" in said
    assert "make universal" in said
