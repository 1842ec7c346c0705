"""Fixtures of the workflow tests: one finished first run, of which each test edits a copy."""

from __future__ import annotations

import pickle
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import forkserver
import new_study
import pytest
import yaml
from filelock import FileLock
from harness import CONFIG, REPO, Project, Run, Running

import published_like
from tiny import make_tiny, random_model


@pytest.fixture(scope="session", autouse=True)
def forks() -> Iterator[None]:
    """The process that is forked for each Snakemake and each job of this session's projects."""
    with forkserver.started():
        yield


@pytest.fixture(scope="module")
def cold() -> Iterator[None]:
    """All starts anew in this module's tests, as a user has it."""
    with forkserver.without():
        yield


@pytest.fixture(scope="session")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing has run; for copying only."""
    return Project.make(tmp_path_factory.mktemp("untouched") / "project")


@pytest.fixture
def fresh(untouched: Project, tmp_path: Path) -> Project:
    """A project in which nothing has run."""
    return untouched.copy(tmp_path / "project")


def once(
    factory: pytest.TempPathFactory, worker_id: str, name: str, make: Callable[[Path], Run]
) -> tuple[Path, Run]:
    """A project's folder and the run that made it, for looking at and copying only.

    Where tests run in several processes, the first that asks makes it for all.
    """
    base = factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "run").exists():
            run = make(folder / "project")
            (folder / "run").write_bytes(pickle.dumps(run))
    return folder / "project", pickle.loads((folder / "run").read_bytes())


@pytest.fixture(scope="session")
def first_run(
    untouched: Project, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Project, Run]:
    """A project after its first run, and the run; each job starts anew in it, as a user has it."""

    def make(folder: Path) -> Run:
        with forkserver.without():
            return untouched.copy(folder).run().checked()

    folder, run = once(tmp_path_factory, worker_id, "first", make)
    return Project(folder), run


@pytest.fixture(scope="session")
def before(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The repository, but for a config of a tiny model; for copying only."""
    return new_study.repository(untouched, tmp_path_factory.mktemp("before") / "project")


@pytest.fixture(scope="session")
def added(before: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The same with a study added from the template; for copying only."""
    return new_study.add_study(before.copy(tmp_path_factory.mktemp("added") / "project"))


@pytest.fixture(scope="session")
def ran(
    added: Project, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> tuple[Project, Run]:
    """The same after a run of the study's entry `m`, and the run."""

    def make(folder: Path) -> Run:
        return new_study.with_entry(added.copy(folder)).write().run().checked()

    folder, run = once(tmp_path_factory, worker_id, "ran", make)
    return new_study.with_entry(Project(folder)), run


@pytest.fixture
def finished(first_run: tuple[Project, Run], tmp_path: Path) -> Project:
    """A project after its first run."""
    return first_run[0].copy(tmp_path / "project")


@pytest.fixture(scope="session")
def kinds(
    untouched: Project, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Running]]:
    """A project with a sweep of each kind, at work."""
    project = untouched.copy(tmp_path_factory.mktemp("kinds") / "project")
    plain = {name: value for name, value in project.sweep.items() if name != "values"}
    selection = {"select": "consistent", "layer": "last", "top": 2}
    sample = {"method": "sample", "max_new_tokens": 6, "temperature": 1.5, "top_k": 40}
    sample["stop_strings"] = ["a", "e"]
    chat = {"prompt_format": "chat", "system_prompt": "be good"}
    project.config["sweeps"] = {
        "chosen": {**plain, "neurons": selection, "values": [-5, 5]},
        "mean": {**plain, "neurons": ["L1N3", "L2N7"], "operation": "mean", "chat_baselines": True},
        "resampled": {**plain, "operation": "resample", "seeds": [0, 1]},
        "sampled": {**plain, **chat, "values": [5], "decoding": sample, "seeds": [0, 1]},
    }
    project.config["run"] = list(project.config["sweeps"])
    with project.write().start() as running:
        yield project, running


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which a local server offers its files."""
    folder = tmp_path_factory.mktemp("served")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


@pytest.fixture(scope="session")
def stand_ins(
    server: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """Overlay that puts twins in the place of the published files: a local grid, a tiny GPT-2.

    The twin of GPT-2 small has its layers and the neuron, and a context that holds every prompt.
    """
    served = published_like.grid().encode()
    (server[0] / "grid.txt").write_bytes(served)
    source = {"url": f"{server[1]}/grid.txt", "sha256": sha256(served).hexdigest()}
    folder = tmp_path_factory.mktemp("twin") / "gpt2"
    model = random_model("gpt2", d_mlp=384, n_layers=12, n_ctx=128)
    make_tiny(folder, "gpt2", model=model)
    sizes = {"path": str(folder), "n_layers": 12, "d_mlp": 384}
    return {
        "models": {"tiny": {**CONFIG["models"]["tiny"], **sizes}},
        "promptsets": {"published": source},
        "sweeps": {"bcr_gpt2": {"model": "tiny"}},
        "compute": CONFIG["compute"],
    }


@pytest.fixture(scope="session")
def real_config(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the repository's own config files and promptsets; for copying only."""
    project = untouched.copy(tmp_path_factory.mktemp("real") / "project")
    for folder in ("config", "promptsets"):
        shutil.copytree(REPO / folder, project.folder / folder, dirs_exist_ok=True)
    return project


@pytest.fixture(scope="session")
def published(
    real_config: Project, stand_ins: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Project, Running]]:
    """The published experiment with stand-ins for its model and promptset, at work."""
    project = real_config.copy(tmp_path_factory.mktemp("published") / "project")
    (project.folder / "stand_ins.yaml").write_text(yaml.safe_dump(stand_ins))
    with project.start("--configfile", "config/bcr_gpt2.yaml", "stand_ins.yaml") as running:
        yield project, running
