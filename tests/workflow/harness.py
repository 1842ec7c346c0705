"""A project folder of its own for each test, in which the real Snakefile runs as a user runs it.

Snakefile, workflow, profile and library are copies, so that a test may edit them. What a run did is
read from what Snakemake says it ran and from the files: which batches are new, which rows they
hold, which files are untouched.
"""

from __future__ import annotations

import compileall
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import forkserver
import pandas as pd
import yaml

from clampsweep import tables
from clampsweep.provenance import file_digest, text_digest
from clampsweep.texts.tables import BATCH_GENERATIONS
from patience import PATIENCE

REPO = Path(__file__).parents[2]
COPIED = ("Snakefile", "environment.yml", "workflow", "profiles", "src")
PROMPTS = {
    "one/declarative/1": "the cat ran",
    "one/rhetorical/1": "glass is an",
    "two/declarative/1": "on the hill",
    "two/rhetorical/1": "she said no",
}
CONFIG: dict[str, Any] = {
    "run": ["s"],
    "models": {
        "tiny": {
            "source": "path",
            "path": "tiny",
            "licence": "none",
            "n_layers": 3,
            "d_mlp": 40,
            "dtype": "float64",
            "prepend_bos": False,
            "weight_processing": "none",
        }
    },
    "promptsets": {"grid": {"path": "promptsets/grid.txt", "format": "grid"}},
    "sweeps": {
        "s": {
            "model": "tiny",
            "promptset": "grid",
            "neurons": ["L1N3"],
            "operation": "set",
            "values": [-5, 0, 5],
            "scope": "all",
            "decoding": {"method": "greedy", "max_new_tokens": 6},
        }
    },
    "compute": {"threads": 1, "device": "cpu"},
}
TEXTS = "results/s/generations.parquet"
RATES = "results/s/rates.parquet"


@cache
def schemas() -> dict[str, tables.Schema]:
    """Schema of each table of the workflow by the table's name, wherever in the library it is."""
    found = {}
    for path in sorted(REPO.glob("src/clampsweep/**/*.py")):
        if "explorer" not in path.parts and " = Schema(" in path.read_text(encoding="utf-8"):
            parts = path.relative_to(REPO / "src").with_suffix("").parts
            kept = vars(import_module(".".join(parts))).values()
            found |= {one.name: one for one in kept if isinstance(one, tables.Schema)}
    return found


@dataclass(frozen=True)
class Run:
    """What a call of Snakemake said and did: `rules` counts the jobs it ran (or, dry, would)."""

    code: int
    output: str
    rules: Counter[str]

    def errors(self) -> list[str]:
        """Each different line of output that states a fault of the user's, without its time."""
        found = re.findall(r"^(?:\d{4}-\d\d-\d\d [\d:,]+ )?(error: .*)$", self.output, re.M)
        return list(dict.fromkeys(line.strip() for line in found))

    def checked(self) -> Run:
        """The run itself, after a look at its exit code."""
        assert self.code == 0, self.output
        return self


class Running:
    """Snakemake at work, in a process group of its own."""

    def __init__(self, folder: Path, arguments: Iterable[str]):
        self.log = folder / f"snakemake-{len(list(folder.glob('snakemake-*.out')))}.out"
        self.dry = "-n" in (arguments := list(arguments))
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *arguments],
                cwd=folder,
                env=environment(folder),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> Run:
        """The run, when it has ended."""
        code = self.process.wait(timeout=4 * PATIENCE)
        output = self.log.read_text()
        rules = _planned(output) if self.dry else Counter(_FINISHED.findall(output))
        return Run(code, output, rules - Counter(all=1))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """Kill Snakemake and all its jobs, at once and without warning."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


_FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)", re.M)


def _planned(output: str) -> Counter[str]:
    table = output.partition("Job stats:")[2].partition("\ntotal")[0]
    return Counter({name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.M)})


def environment(folder: Path) -> dict[str, str]:
    """Environment of a project's processes: they import the library from the project's copy."""
    paths = f"{folder / 'src'}:{forkserver.CLIENT}"
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class State:
    """A file's content digest and its time of writing."""

    digest: str
    written: int


class Project:
    """A project folder and its config; `config` and `prompts` count when `write` is called."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = deepcopy(CONFIG)
        self.prompts = dict(PROMPTS)

    @classmethod
    def make(cls, folder: Path) -> Project:
        """A project with a tiny random GPT-2, four prompts and a sweep of three clamps."""
        from tiny import CHAT, make_tiny

        folder.mkdir(parents=True)
        for name in COPIED:
            copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy2
            copy(REPO / name, folder / name)
        compileall.compile_dir(folder / "src", quiet=1)  # once, and not in each job
        for name in ("config", "promptsets"):
            (folder / name).mkdir()
        make_tiny(folder / "tiny", "gpt2", chat_template=CHAT)
        return cls(folder).write()

    def copy(self, folder: Path) -> Project:
        """The same project elsewhere, with all it has computed and the times of its files."""
        shutil.copytree(self.folder, folder)
        other = Project(folder)
        other.config, other.prompts = deepcopy(self.config), dict(self.prompts)
        return other

    @property
    def sweep(self) -> dict[str, Any]:
        """The config of the sweep `s`."""
        sweep: dict[str, Any] = self.config["sweeps"]["s"]
        return sweep

    def write(self) -> Project:
        """Write the config and the prompts to their files."""
        text = yaml.safe_dump(self.config, sort_keys=False, width=1000)
        (self.folder / "config/config.yaml").write_text(text)
        (self.folder / "promptsets/grid.txt").write_text(grid(self.prompts))
        return self

    def start(self, *arguments: str) -> Running:
        """Snakemake, started; with two cores, if it is to run anything."""
        return Running(self.folder, arguments if "-n" in arguments else ("-j2", *arguments))

    def run(self, *arguments: str) -> Run:
        """A run of Snakemake."""
        with self.start(*arguments) as running:
            return running.wait()

    def path(self, name: str) -> Path:
        """A file of the project, which must be there."""
        assert (self.folder / name).exists(), name
        return self.folder / name

    def table(self, name: str, sweep: str = "s") -> pd.DataFrame:
        """A sweep's table."""
        return tables.read(self.path(f"results/{sweep}/{name}.parquet"), schemas()[name])

    def batches(self) -> dict[str, pd.DataFrame]:
        """Rows of each finished batch of texts."""
        folder = self.folder / "results/generations"
        files = sorted(folder.glob("*.parquet"))
        return {path.stem: tables.read(path, BATCH_GENERATIONS) for path in files}

    def states(self, *patterns: str) -> dict[str, State]:
        """Digest and time of files; without patterns, of all batch files and pinned batches."""
        patterns = patterns or tuple(f"results/{part}/*" for part in _BATCH_FOLDERS)
        files = [path for pattern in patterns for path in sorted(self.folder.glob(pattern))]
        return {
            str(path.relative_to(self.folder)): State(file_digest(path), path.stat().st_mtime_ns)
            for path in files
            if path.is_file()
        }

    def append(self, name: str, text: str) -> None:
        """Add a line to a file."""
        with self.path(name).open("a") as file:
            file.write(f"{text}\n")


_BATCH_FOLDERS = ("generations", "vectors", "batches")


def grid(prompts: Mapping[str, str]) -> str:
    """A promptset in the published format."""
    lines: list[str] = []
    for prompt_id, text in prompts.items():
        core, kind, level = prompt_id.split("/")
        lines += [f">> CORE_ID: {core}", f"[LEVEL {level}]", f"{kind}: {text}"]
    return "\n".join([*lines, ""])


def keys(batches: Iterable[pd.DataFrame]) -> set[str]:
    """Keys of the rows of some batches."""
    return {key for batch in batches for key in batch["key"]}


def new_batches(
    before: Mapping[str, pd.DataFrame], after: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Rows of the batches that are new; no row may be one that was there already."""
    rows = pd.concat([after[name] for name in after.keys() - before.keys()])
    assert not set(rows["key"]) & keys(before.values())
    assert rows["key"].is_unique
    return rows


def digests(*texts: str) -> set[str]:
    """Digests of prompts, as they stand in the rows of a batch."""
    return {text_digest(text) for text in texts}
