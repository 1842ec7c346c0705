"""Fixtures of the tests on a real SLURM: the same sweep run locally and through the scheduler.

The long runs start with the first test and go on beside the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from harness import PROMPTS, Project, Run, Running
from scheduled import ON_SLURM, files, of_clamps
from slurm import Slurm, missing

N_TEXTS = 6 * len(PROMPTS)  # of a neuron: all of its clamps
# With all that they are made from.
TABLES = [f"results/s/{name}" for name in ("verdicts.parquet", "metrics.csv", "vectors.npz")]


@pytest.fixture(scope="session")
def slurm() -> Iterator[Slurm]:
    """A SLURM that this process and those that it starts talk to."""
    if lacking := missing():
        pytest.exit(f"no {', '.join(lacking)}: apt-get install slurm-wlm munge", returncode=2)
    slurm, before = Slurm.start(), dict(os.environ)
    os.environ.update(slurm.environment)
    try:
        yield slurm
    finally:
        os.environ.clear()
        os.environ.update(before)
        slurm.stop()


@pytest.fixture(scope="session")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Two neurons in a batch each, and their controls; each text is a part. For copying only."""
    project = Project.make(tmp_path_factory.mktemp("sweep") / "project")
    project.sweep["neurons"] = ["L1N3", "L2N7"]
    project.sweep["values"] = list(range(-3, 3))
    some = {
        "values": [2],
        "prompts": 2,
        "best_clamp": False,
    }  # else their batches follow from texts
    project.sweep["controls"] = {"count": 2, "matching": ["norm"], **some}
    project.config["compute"] |= {"rows_per_forward": 1, "combinations_per_batch": N_TEXTS}
    return project.write()


@pytest.fixture(scope="session")
def local(
    sweep: Project, slurm: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Running]]:
    """The sweep's tables made here; what the other runs are compared with."""
    project = sweep.copy(tmp_path_factory.mktemp("local") / "project")
    with project.start(*TABLES) as running:
        yield project, running


@pytest.fixture(scope="session")
def submitted(
    sweep: Project, slurm: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Running]]:
    """The sweep run through SLURM."""
    project = sweep.copy(tmp_path_factory.mktemp("submitted") / "project")
    with Running(project.folder, ON_SLURM) as running:
        yield project, running


@pytest.fixture(scope="session", autouse=True)
def started_early(local: tuple[Project, Running], submitted: tuple[Project, Running]) -> None:
    """Start the long runs."""


@pytest.fixture(scope="session")
def expected(local: tuple[Project, Running]) -> Project:
    """The project that was run here, finished."""
    local[1].wait().checked()
    return local[0]


@pytest.fixture(scope="session")
def through_slurm(submitted: tuple[Project, Running]) -> tuple[Project, Run]:
    """The project that was run through SLURM, finished, and its run."""
    return submitted[0], submitted[1].wait().checked()


@pytest.fixture(scope="session")
def more_threads(sweep: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sweep on two threads, for copying only."""
    project = sweep.copy(tmp_path_factory.mktemp("threads") / "project")
    project.config["compute"]["threads"] = 2
    return project.write()


@pytest.fixture(scope="session")
def local_on_two(more_threads: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The texts of both neurons, made here on two threads."""
    project = more_threads.copy(tmp_path_factory.mktemp("two") / "project")
    project.run(*files(*of_clamps(project))).checked()
    return project
