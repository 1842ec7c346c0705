"""A fault in config or promptset ends Snakemake before any job, in one line that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Project


@pytest.fixture(scope="module")
def project(untouched: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that nothing runs in, shared: each test writes it anew."""
    return untouched.copy(tmp_path_factory.mktemp("bad") / "project")


def _config(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.config.update(changes)


def _sweep(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.sweep.update(changes)


def _model(**changes: object) -> Callable[[Project], None]:
    return lambda project: project.config["models"]["tiny"].update(changes)


def _promptset(path: str) -> Callable[[Project], None]:
    return lambda project: project.config["promptsets"]["grid"].update(path=path)


CONFIG_FAULTS = {
    "unknown key": (_sweep(valuess=[1]), "sweeps.s.valuess: unknown key; did you mean 'values'?"),
    "layer": (_sweep(neurons=["L7N0"]), "sweeps.s.neurons[0]: 'L7N0' names layer 7; tiny has"),
    "no number": (_sweep(values=[0, "1:30"]), "sweeps.s.values[1]: got '1:30'; expected number; "),
    "NaN": (_sweep(values=[0, float("nan")]), "sweeps.s.values[1]: got nan; expected a finite"),
    "promptset file": (_promptset("no.txt"), "promptsets.grid.path: got 'no.txt'; no such file"),
    "model": (_sweep(model="tinny"), "sweeps.s.model: unknown model 'tinny'; did you mean 'tiny'?"),
    "digest": (_model(sha256="0" * 64), f"models.tiny.sha256: got '{'0' * 64}', but tiny has"),
    "sweep": (_config(run=["t"]), "run[0]: unknown entry 't'; configured: s"),
    "detector": (_sweep(detectors=["no"]), "sweeps.s.detectors[0]: got 'no'; allowed: surface,"),
}


@pytest.mark.parametrize("name", CONFIG_FAULTS)
def test_a_fault_in_the_config_is_one_line(project: Project, name: str) -> None:
    edit, fault = CONFIG_FAULTS[name]
    edit(_reset(project))
    _refused(project.write(), f"error: config/config.yaml: {fault}")


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("promptsets/grid.txt", "what is this\n", "error: promptsets/grid.txt, line 13: "),
        (
            "promptsets/grid.txt",
            "rhetorical: said twice\n",
            "error: promptsets/grid.txt, line 13: prompt id 'two/rhetorical/1' stands already in ",
        ),
        ("config/config.yaml", "run: [s\n", "error: config/config.yaml, line "),
        ("config/config.yaml", "run: [s]\n", "error: config/config.yaml, line "),
    ],
    ids=["no prompt", "prompt said twice", "not YAML", "key said twice"],
)
def test_a_fault_in_a_file_is_one_line_that_says_where(
    project: Project, file: str, text: str, fault: str
) -> None:
    path = _reset(project).write().folder / file
    path.write_text(path.read_text() + text)
    _refused(project, fault)


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        ("mine.yaml", "sweeps:\n\ts: {}\n", "mine.yaml, line 2, column 1: not valid YAML: a tab; "),
        ("gone.yaml", None, "gone.yaml: cannot read the config: No such file or directory; "),
    ],
    ids=["a tab", "no such file"],
)
def test_a_fault_in_a_file_that_snakemake_reads_first_is_one_line_too(
    project: Project, file: str, text: str | None, fault: str
) -> None:
    _reset(project).write()
    if text is not None:
        (project.folder / file).write_text(text)
    _refused(project, f"error: {fault}", "--configfile", file)


def _reset(project: Project) -> Project:
    clean = Project(project.folder)
    project.config, project.prompts = clean.config, clean.prompts
    return project


def _refused(project: Project, fault: str, *arguments: str) -> None:
    run = project.run("-n", *arguments)
    assert run.code != 0
    said = [line for line in run.output.splitlines() if not line.startswith("Using workflow ")]
    assert len(said) == 1, run.output
    assert said[0].startswith(fault)
    assert not Path(project.folder, "results").exists()
