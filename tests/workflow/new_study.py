"""A study added to a project from templates/study, by its checklist, and an entry of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from harness import REPO, Project

WORD = "maps"  # what the checklist of the template calls the new study
PARTS = ("docs", "tests", "templates", "pyproject.toml")  # beside what each project has
REGISTRY = "src/clampsweep/registry.py"
ENTRY = {
    "model": "tiny",
    "promptset": "grid",
    "neurons": ["L1N3"],
    "values": [-5, 5],
    "decoding": {"method": "greedy", "max_new_tokens": 12},
}
# Eight cores, so that the test can tell.
TEXTS = ("the cat ran", "glass is an", "on the hill", "she said no",
         "red or green", "a bird sang", "in the dark", "is it so")  # fmt: skip
PROMPTS = {f"core{at}/declarative/1": text for at, text in enumerate(TEXTS)}


def repository(untouched: Project, folder: Path) -> Project:
    """The repository, but for a config of a tiny model."""
    project = untouched.copy(folder)
    shutil.copytree(REPO / "config", project.folder / "config", dirs_exist_ok=True)
    shutil.copytree(REPO / "promptsets", project.folder / "promptsets", dirs_exist_ok=True)
    for name in PARTS:
        copy = shutil.copytree if (REPO / name).is_dir() else shutil.copy2
        copy(REPO / name, project.folder / name)
    return project


def add_study(project: Project) -> Project:
    """Follow the first two items of the template's checklist, as they stand there."""
    checklist = (REPO / "templates/study/README.md").read_text()
    commands = re.findall(r"```bash\n(.*?)```", checklist, re.S)[0]
    subprocess.run(["bash", "-ec", commands], cwd=project.folder, check=True)
    registry = project.path(REGISTRY)
    lines = registry.read_text().partition("\n)\n")
    registry.write_text(f'{lines[0]}\n    "{WORD}",{lines[1]}{lines[2]}')
    return project


def with_entry(project: Project) -> Project:
    """The project with the study's entry as the only one that is run."""
    project.prompts = dict(PROMPTS)
    entry: dict[str, Any] = dict(ENTRY)
    project.config[WORD] = {"m": entry}
    project.config["run"] = ["m"]
    return project
