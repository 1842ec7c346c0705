"""Kills of a job, of Snakemake alone, of both; two Snakemakes at once. No text is made twice."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import sleep

import pytest
from harness import PROMPTS, TEXTS, Project, Run, Running

from clampsweep import tables
from clampsweep.texts.tables import BATCH_GENERATIONS
from patience import PATIENCE, wait_for

pytestmark = pytest.mark.usefixtures("cold")
SLOW = partial(pytest.param, marks=pytest.mark.slow)
WAITING = "another job does the same work"
N_NEW = 46 * len(PROMPTS)  # texts that the sweep of `_longer` lacks
# Added to a project's copy of the library: what is made is written down before it is kept.
# Where there is a file `rest`, a job rests after five texts, so that a kill finds it at work.
WRITE_DOWN = """
import os
import time

_add = Scratch.add


def _written_down(self, generations, vectors):
    with open("made.txt", "a") as file:
        file.write("".join(f"{key}\\n" for key in generations["key"]))
    while os.path.exists("rest") and len(open("made.txt").readlines()) >= 5:
        time.sleep(0.01)
    _add(self, generations, vectors)


Scratch.add = _written_down
"""


@pytest.fixture(scope="module")
def written_down(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after its first run, which writes down what it makes; for copying only."""
    project = untouched.copy(tmp_path_factory.mktemp("written_down") / "project")
    project.append("src/clampsweep/texts/scratch.py", WRITE_DOWN)
    project.run(TEXTS).checked()
    (project.folder / "made.txt").unlink()
    return project


@pytest.fixture
def finished(written_down: Project, tmp_path: Path) -> Project:
    """A copy of it."""
    return written_down.copy(tmp_path / "project")


def _longer(project: Project) -> Project:
    """The sweep with many more clamps, each text a part of its own."""
    project.sweep["values"] = list(range(-24, 25))
    project.config["compute"]["rows_per_forward"] = 1
    return project.write()


@pytest.fixture(scope="module")
def undisturbed(written_down: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The longer sweep, run without any fault."""
    project = written_down.copy(tmp_path_factory.mktemp("undisturbed") / "project")
    _longer(project).run(TEXTS).checked()
    assert len(_made(project)) == len(set(_made(project))) == N_NEW
    return project


def _made(project: Project) -> list[str]:
    """Keys of the texts that jobs have made so far, as often as they did."""
    path = project.folder / "made.txt"
    return path.read_text().splitlines() if path.exists() else []


def _wait(running: Running, until: Callable[[], object]) -> None:
    def there() -> object:
        assert running.process.poll() is None, running.wait().output
        return until()

    wait_for(there, "Snakemake is still at work")


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
    if what == "job":
        _wait(running, lambda: _jobs(running))
        for job in _jobs(running):
            os.kill(job, signal.SIGKILL)
        running.process.wait(timeout=PATIENCE)
    elif what == "snakemake":
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
    else:
        running.kill()


def _signal(running: Running, number: int) -> None:
    for job in _jobs(running):
        os.kill(job, number)


def _run_beside(other: Running, project: Project, *arguments: str) -> Run:
    """A run beside another's stopped jobs, which go on once it waits for them."""
    with project.start(TEXTS, *arguments) as running:
        if _jobs(other):
            _wait(running, lambda: WAITING in running.log.read_text())
            _signal(other, signal.SIGCONT)
        return running.wait()


def _assert_equal(project: Project, other: Project) -> None:
    patterns = ("results/generations/*", "results/vectors/*", "results/s/*.parquet")
    got, wanted = project.states(*patterns), other.states(*patterns)
    assert {name: one.digest for name, one in got.items() if name in wanted} == {
        name: one.digest for name, one in wanted.items()
    }
    assert not list(project.folder.glob("results/.scratch/*"))


@pytest.mark.parametrize("what", [SLOW("job"), SLOW("snakemake"), SLOW("all")])
def test_after_a_kill_the_next_run_goes_on_and_makes_no_text_twice(
    finished: Project, undisturbed: Project, what: str
) -> None:
    rest = finished.folder / "rest"
    rest.touch()
    with _longer(finished).start(TEXTS) as running:
        _wait(running, lambda: len(_made(finished)) >= 5)
        _kill(running, what)
        _signal(running, signal.SIGSTOP)
        rest.unlink()
        parts = list(finished.folder.glob("results/.scratch/*/[!.]*.generations.parquet"))
        assert all(len(tables.read(part, BATCH_GENERATIONS)) == 1 for part in parts)
        if what == "job":
            ended = running.wait()
            assert ended.code != 0
            assert "SIGKILL" in ended.output
        else:
            locked = finished.run(TEXTS)
            assert locked.code != 0
            assert "error: the folder is locked by a run that was killed" in locked.output
            assert "`make unlock` (or snakemake --unlock)" in locked.output
            finished.run("--unlock").checked()
            assert bool(_jobs(running)) == (what == "snakemake")
        resumed = _run_beside(running, finished).checked()
    assert resumed.rules == {"generate": 1, "gather": 1}
    if what == "snakemake":  # its job went on
        assert WAITING in resumed.output
        assert "another job made this batch meanwhile" in resumed.output
    else:
        assert f"{N_NEW} combinations in {N_NEW} parts, {len(parts)} already d" in resumed.output
    assert len(set(_made(finished))) == N_NEW
    assert len(_made(finished)) <= N_NEW + 1  # one may have been made and not yet kept
    _assert_equal(finished, undisturbed)


def test_a_second_snakemake_is_refused_and_the_first_goes_on(
    finished: Project, undisturbed: Project
) -> None:
    rest = finished.folder / "rest"
    rest.touch()
    with _longer(finished).start(TEXTS) as first:
        _wait(first, lambda: len(_made(finished)) >= 5)
        _signal(first, signal.SIGSTOP)
        rest.unlink()
        second = finished.run(TEXTS)
        assert second.code != 0
        at_work = f"another run is at work in this folder, process {first.process.pid} since"
        assert f"error: {at_work}" in second.output
        assert "cannot be locked" not in second.output
        unlocked = _run_beside(first, finished, "--nolock").checked()  # at one's own risk
        assert "another job made this batch meanwhile" in unlocked.output
        first.wait().checked()
    assert len(_made(finished)) == len(set(_made(finished))) == N_NEW
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
N_PROMPTS = 160
KILLS = {"job": 8, "all": 9, "snakemake": 3}


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
def test_twenty_kills_in_2240_combinations_cost_no_finished_part(
    untouched: Project, tmp_path: Path
) -> None:
    project = untouched.copy(tmp_path / "killed")
    project.append("src/clampsweep/texts/scratch.py", WRITE_DOWN)
    project.prompts = _grid_of_160()
    project.sweep["values"] = VALUES
    project.sweep["decoding"]["max_new_tokens"] = 30  # so that there is time for all kills
    rows = 4  # in a part
    project.config["compute"] |= {"rows_per_forward": rows, "combinations_per_batch": 112}
    calm = project.write().copy(tmp_path / "calm")
    calm.run(TEXTS).checked()
    total = N_PROMPTS * (1 + len(VALUES))
    assert len(_made(calm)) == len(set(_made(calm))) == total == 2240

    draw, left = random.Random(1), []
    for what in draw.sample(list(KILLS), k=sum(KILLS.values()), counts=list(KILLS.values())):
        left.append(running := project.start(TEXTS))
        if draw.random() < 0.8:  # while texts are made
            more = len(_made(project)) + draw.randint(1, 30)
            _wait(running, lambda more=more: len(_made(project)) >= more)
        else:  # anywhere
            sleep(draw.uniform(0, 8))
        assert running.process.poll() is None, running.wait().output
        _kill(running, what)
        project.run("--unlock").checked()
    project.run(TEXTS).checked()
    assert not any(map(_jobs, left))
    twice = [key for key, n in Counter(_made(project)).items() if n > 1]
    print(f"{KILLS}: {len(_made(project))} texts made, {len(twice)} of them more than once")
    assert len(set(_made(project))) == len(project.table("generations")) == total
    assert len(_made(project)) - total <= 20 * 2 * rows  # two jobs, a part each
    project.run().checked()
    calm.run().checked()
    _assert_equal(project, calm)
