"""What the tests on SLURM have in common: how Snakemake is called, and what is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from harness import TEXTS, Project, Running

from patience import wait_for

# As a user calls it, where there is no accounting. It looks sooner whether jobs have ended.
ON_SLURM = (
    "--workflow-profile=profiles/slurm",
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=1",
)


_KINDS = ("generations", "vectors")


def digests(project: Project, *patterns: str) -> Mapping[str, str]:
    """Digest of each file of results; SVG files hold random names."""
    states = project.states(*(patterns or ("results/**/*",)))
    return {name: state.digest for name, state in states.items() if not name.endswith(".svg")}


def of_clamps(project: Project) -> list[str]:
    """The batches of clamps, one for each neuron, as a dry run pins them."""
    project.run("-n", TEXTS).checked()
    files = (project.folder / "results/batches").glob("*.json")
    return sorted(path.stem for path in files if '"operation":"set"' in path.read_text())


def files(*batches: str) -> list[str]:
    """What the batches make."""
    return [f"results/{kind}/{one}.parquet" for one in batches for kind in _KINDS]


def parts(project: Project, batch: str) -> list[Path]:
    """The finished parts of a batch that is at work."""
    return list(project.folder.glob(f"results/.scratch/{batch}-*/[!.]*.generations.parquet"))


def said(project: Project, batch: str) -> str:
    """What the last job of a batch has said so far."""
    path = project.folder / f"logs/generate/{batch}.log"
    return path.read_text() if path.exists() else ""


def until(true: Callable[[], object], running: Running | None = None) -> None:
    """Wait until something is true; Snakemake, if given, is at work meanwhile."""

    def there() -> object:
        assert running is None or running.process.poll() is None, running.wait().output
        return true()

    wait_for(there, "the scheduler is still at work")
