"""Jobs cancelled, nodes lost, Snakemake killed while its jobs run: only what was lost is redone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from harness import TEXTS, Project, Run, Running
from scheduled import ON_SLURM, digests, files, of_clamps, parts, said, until
from slurm import Job, Slurm

RESULTS = ("results/generations/*", "results/vectors/*", TEXTS)
FRAGILE = ("slurm_partition=fragile", "mem_mb=1000", "runtime=10")


def _at_work(slurm: Slurm, project: Project, running: Running, batch: str) -> Job:
    """The job of a batch, when it has finished some of its parts."""
    until(lambda: len(parts(project, batch)) > 1, running)
    (job,) = slurm.jobs(project.folder, batch)
    return job


@pytest.fixture(scope="module")
def hurt(
    sweep: Project, slurm: Slurm, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, Run, list[tuple[Job, int]]]:
    """A run of which one job was cancelled and one's node lost; the jobs and how far they were."""
    project = sweep.copy(tmp_path_factory.mktemp("hurt") / "project")
    batches = of_clamps(project)
    arguments = (TEXTS, *ON_SLURM, "--default-resources", *FRAGILE)
    with Running(project.folder, arguments) as running:
        cancelled = _at_work(slurm, project, running, batches[0])
        done = [len(parts(project, batches[0]))]
        slurm.call("scancel", cancelled.id)
        lost = _at_work(slurm, project, running, batches[1])
        slurm.lose(lost.node)
        done.append(len(parts(project, batches[1])))
        run = running.wait().checked()
    slurm.restore(lost.node)
    return project, run, list(zip((cancelled, lost), done, strict=True))


def _taken_over(project: Project, job: Job) -> int:
    """Parts that the last job of a batch found done."""
    (found,) = re.findall(
        r"\d+ combinations in \d+ parts, (\d+) already done", said(project, job.what[-16:])
    )
    return int(found)


def test_a_cancelled_job_is_sent_again_and_goes_on_where_it_was(
    hurt: tuple[Project, Run, list[tuple[Job, int]]], slurm: Slurm
) -> None:
    project, run, ((job, done), _) = hurt
    assert f"SLURM-job '{job.id}' failed, SLURM status is: 'CANCELLED'" in run.output
    states = [one.state for one in slurm.jobs(project.folder, job.what)]
    assert states == ["CANCELLED", "COMPLETED"]
    assert done <= _taken_over(project, job) < 24


def test_a_job_whose_node_is_lost_goes_on_at_another_node(
    hurt: tuple[Project, Run, list[tuple[Job, int]]], slurm: Slurm
) -> None:
    project, _, (_, (job, done)) = hurt
    last = slurm.jobs(project.folder, job.what)[-1]
    assert last.state == "COMPLETED"
    assert last.node != job.node
    assert done == _taken_over(project, job)


def test_after_both_the_texts_are_those_of_an_undisturbed_run(
    hurt: tuple[Project, Run, list[tuple[Job, int]]], expected: Project
) -> None:
    project, run, _ = hurt
    assert run.rules == {"fetch_model": 1, "prompts": 1, "generate": 3, "gather": 1}
    made = digests(project, *RESULTS)
    assert len(made) == 3 * 2 + 1
    assert made.items() <= digests(expected, *RESULTS).items()
    assert not list(project.folder.glob("results/.scratch/*"))


def test_jobs_outlive_a_killed_snakemake_and_the_next_takes_over_what_they_make(
    more_threads: Project, slurm: Slurm, local_on_two: Project, tmp_path: Path
) -> None:
    project = more_threads.copy(tmp_path / "project")
    slow, quick = of_clamps(project)
    wanted = files(slow, quick)
    with Running(project.folder, [*wanted, *ON_SLURM]) as running:
        first = _at_work(slurm, project, running, slow)
        slurm.call("scontrol", "suspend", first.id)
        running.kill()
    until(lambda: [job.state for job in slurm.jobs(project.folder, quick)] == ["COMPLETED"])
    assert digests(project, *files(quick)) == digests(local_on_two, *files(quick))
    assert [job.state for job in slurm.jobs(project.folder, slow)] == ["SUSPENDED"]

    locked = Running(project.folder, [*wanted, *ON_SLURM]).wait()
    assert locked.code != 0
    assert "--unlock" in locked.output
    project.run("--unlock").checked()
    with Running(project.folder, [*wanted, *ON_SLURM]) as running:
        until(lambda: "another job does the same work" in said(project, slow), running)
        slurm.call("scontrol", "resume", first.id)
        running.wait().checked()
    assert "another job made this batch meanwhile" in said(project, slow)
    assert [job.state for job in slurm.jobs(project.folder, slow)] == ["COMPLETED"] * 2
    assert digests(project, *wanted) == digests(local_on_two, *wanted)
