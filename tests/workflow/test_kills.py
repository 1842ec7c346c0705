"""Kills of a job, of Snakemake alone, of both; two Snakemakes at once. No text is made twice."""

from __future__ import annotations

import os
import random
import re
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from harness import PROMPTS, TEXTS, Project, Running

from clampsweep import tables

N_NEW = 46 * len(PROMPTS)  # texts that the sweep of `_longer` lacks
DONE = re.compile(r"[\d-]+ [\d:,]+ \d+ of \d+ combinations done")


def _longer(project: Project) -> Project:
    """The sweep with many more clamps, each text a part of its own."""
    project.sweep["values"] = list(range(-24, 25))
    project.config["compute"]["rows_per_forward"] = 1
    return project.write()


@pytest.fixture(scope="module")
def undisturbed(first_run: tuple[Project, object], tmp_path_factory: pytest.TempPathFactory):
    """The longer sweep, run without any fault."""
    project = first_run[0].copy(tmp_path_factory.mktemp("undisturbed") / "project")
    _longer(project).run(TEXTS).checked()
    return project


def _computed(project: Project) -> int:
    """Texts that all runs so far have made, as their jobs say; each is a part.

    The log of a failed job stands in the output twice, so lines count that differ, by their time.
    """
    return sum(len(set(DONE.findall(path.read_text()))) for path in project.folder.glob("*.out"))


def _wait(running: Running, until: Callable[[], object]) -> None:
    end = monotonic() + 300
    while not until():
        assert running.process.poll() is None, running.wait().output
        assert monotonic() < end
        sleep(0.005)


def _jobs(running: Running) -> list[int]:
    """Process ids of the scripts at work."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            group = os.getpgid(int(path.name))
        except (OSError, ProcessLookupError):
            continue
        if group == running.process.pid and b"/.snakemake/scripts/" in command:
            found.append(int(path.name))
    return found


def _kill(running: Running, what: str) -> None:
    """Kill at once the job's script, Snakemake without its jobs, or all."""
    jobs = _jobs(running)
    if what == "job":
        for job in jobs:
            os.kill(job, signal.SIGKILL)
        running.process.wait(timeout=300)
    elif what == "snakemake":
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
    else:
        running.kill()


def _assert_equal(project: Project, other: Project) -> None:
    patterns = ("results/generations/*", "results/vectors/*", "results/s/*.parquet")
    got, wanted = project.states(*patterns), other.states(*patterns)
    assert {name: one.digest for name, one in got.items() if name in wanted} == {
        name: one.digest for name, one in wanted.items()
    }
    assert not list(project.folder.glob("results/.scratch/*"))


@pytest.mark.parametrize("what", ["job", "snakemake", "all"])
def test_after_a_kill_the_next_run_goes_on_and_makes_no_text_twice(
    finished: Project, undisturbed: Project, what: str
) -> None:
    before = _computed(finished)
    with _longer(finished).start(TEXTS) as running:
        _wait(running, lambda: _computed(finished) - before >= 5)
        _kill(running, what)
        parts = list(finished.folder.glob("results/.scratch/*/[!.]*.generations.parquet"))
        assert all(len(tables.read(part, tables.BATCH_GENERATIONS)) == 1 for part in parts)
        if what == "job":
            ended = running.wait()
            assert ended.code != 0
            assert "SIGKILL" in ended.output
        else:
            locked = finished.run(TEXTS)
            assert locked.code != 0
            assert "--unlock" in locked.output
            finished.run("--unlock").checked()
            assert bool(_jobs(running)) == (what == "snakemake")
        resumed = finished.run(TEXTS).checked()
    assert resumed.rules == {"generate": 1, "gather": 1}
    if what == "snakemake":  # its job went on
        assert "another job is at work on this batch" in resumed.output
        assert "another job made this batch meanwhile" in resumed.output
    else:
        assert f"{N_NEW} combinations in {N_NEW} parts, {len(parts)} already d" in resumed.output
    assert N_NEW - 1 <= _computed(finished) - before <= N_NEW
    _assert_equal(finished, undisturbed)


def test_a_second_snakemake_is_refused_and_the_first_goes_on(
    finished: Project, undisturbed: Project
) -> None:
    before = _computed(finished)
    with _longer(finished).start(TEXTS) as first:
        _wait(first, lambda: _computed(finished) > before)
        second = finished.run(TEXTS)
        assert second.code != 0
        assert "Error: Directory cannot be locked" in second.output
        unlocked = finished.run(TEXTS, "--nolock").checked()  # at one's own risk
        assert "another job made this batch meanwhile" in unlocked.output
        first.wait().checked()
    assert _computed(finished) - before == N_NEW
    _assert_equal(finished, undisturbed)


def test_texts_that_cannot_be_computed_are_named_and_the_others_kept(finished: Project) -> None:
    finished.sweep["values"] += [7, 1e300]
    run = finished.write().run(TEXTS)
    assert run.code != 0
    assert len(run.errors()) == 1
    n = len(PROMPTS)
    assert f"error: the logits of {n} of {2 * n} texts are not finite" in run.errors()[0]
    assert "with L1N3, set 1e+300; use smaller values" in run.errors()[0]
    finished.sweep["values"].remove(1e300)
    mended = finished.write().run(TEXTS).checked()
    assert f"{n} combinations in 1 parts, {n} already done" in mended.output
    assert len(finished.table("generations")) == n * (1 + 4)


# Twenty kills


VALUES = [-100, -50, -25, -10, -5, -3, 0, 3, 5, 10, 25, 50, 100]
N_PROMPTS, N_KILLS = 160, 20


def _grid_of_160() -> dict[str, str]:
    words = ("the", "cat", "ran", "hill", "rain", "glass", "bird", "door")
    draw = random.Random(0)
    texts: set[str] = set()
    while len(texts) < N_PROMPTS:
        texts.add(" ".join(draw.choices(words, k=draw.randint(2, 4))))
    kinds = ("declarative", "rhetorical")
    return {
        f"core{at // 8}/{kinds[at % 8 // 4]}/{at % 4 + 1}": text
        for at, text in enumerate(sorted(texts))
    }


@pytest.mark.slow
def test_twenty_kills_in_2240_combinations_cost_no_finished_text(
    untouched: Project, tmp_path: Path
) -> None:
    project = untouched.copy(tmp_path / "killed")
    project.prompts = _grid_of_160()
    project.sweep["values"] = VALUES
    project.config["compute"] |= {"rows_per_forward": 1, "combinations_per_batch": 280}
    calm = project.write().copy(tmp_path / "calm")
    calm.run(TEXTS).checked()
    total = N_PROMPTS * (1 + len(VALUES))
    assert total == 2240
    assert _computed(calm) == total

    draw, killed, orphans = random.Random(1), 0, []
    while killed < N_KILLS:
        with_jobs = draw.random() < 0.7  # most moments are within generation
        what, seconds = draw.choice(["job", "snakemake", "all"]), draw.uniform(0.05, 8)
        done = _computed(project)
        running = project.start(TEXTS)
        orphans.append(running)
        if with_jobs:
            _wait(running, lambda done=done: _computed(project) > done)
        sleep(seconds if with_jobs else seconds * 2)
        assert running.process.poll() is None, running.wait().output
        _kill(running, what)
        killed += 1
        project.run("--unlock").checked()
    end = project.run(TEXTS).checked()
    for running in orphans:
        assert not _jobs(running)
    print(f"{_computed(project)} texts made, {killed} kills, {end.seconds:.0f} s for the rest")
    assert total - 3 * N_KILLS <= _computed(project) <= total
    assert len(project.table("generations")) == total
    project.run().checked()
    calm.run().checked()
    _assert_equal(project, calm)
