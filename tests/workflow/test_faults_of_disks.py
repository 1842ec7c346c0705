"""Full and read-only disks: each writing step says so in one line and leaves nothing half done.

From the last step to the first, the files of some steps are lost and the disk is full, so that all
of them fail in one run. Then there is space again, and one run makes all that is missing.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from disks import Disk
from harness import REPO, TEXTS, Project, Run, State

from clampsweep.provenance import file_digest
from clampsweep.registry import STUDIES
from clampsweep.studies.bcr.figures.draw import FIGURES

S, D = "results/s", "results/detectors"
KINDS = ("svg", "png")
RESONANCE = ("groups", "curves", "differences", "verdicts", "ledger")
KEYS = {
    "controls": {"count": 2, "values": [5]},
    "variability": {"seeds": 8},
    "chat_baselines": True,
    "srm": {"basis": ["L1N5", "L1N7"], "group_by": ["type"], "thresholds": [0.1]},
    "reference": "workflow/data/bcr/bcr_gpt2.yaml",
}
EVERYTHING = ("all", f"{S}/selected.json", "resources/promptsets/spare")
MODEL = "resources/models/tiny/model.sha256"
OLD = {"extracted": "old.tsv", "neurons": ["L1N3"], "operation": "set", "scope": "all"}
FULL = "cannot write: the disk is full; free some space and run again, finished work is kept"
READ_ONLY = (
    "cannot write: Read-only file system; make it writable for you and run again, finished work is "
    "kept"
)
# Steps that fail together, the last ones first, and what each makes; no step of a round needs
# another of it. The batches of `generate` are those of the sampled baselines and of the controls.
ROUNDS: tuple[dict[str, tuple[str, ...]], ...] = (
    {
        "figures": tuple(f"{S}/figures/{name}.{kind}" for name in FIGURES for kind in KINDS),
        "reports": (f"{S}/summary.md", f"{S}/summary.html", f"{S}/improvement_report.md"),
    },
    {
        "bcr_verdicts": (f"{S}/verdicts.parquet", f"{S}/ledger.parquet"),
        "export": (f"{S}/metrics.csv", f"{S}/extracted.tsv"),
        "srm_report": (
            f"{S}/srm/srm.md",
            *(f"{S}/figures/srm_{x}.{kind}" for x in ("polar", "difference") for kind in KINDS),
        ),
    },
    {
        "special": (f"{S}/special.parquet",),
        "variability": (f"{S}/variability.parquet",),
        "chat_baselines": (f"{S}/chat_baselines.parquet",),
        "verify": (f"{S}/verification.parquet", f"{S}/verification.md"),
    },
    {
        "select_controls": (f"{S}/controls/selected.json",),
        "split_half": (f"{S}/split_half.parquet",),
    },
    {
        "best_clamps": (f"{S}/controls/best_clamps.parquet",),
        "detector_figure": (f"{D}/detectors.svg", f"{D}/detectors.png"),
    },
    {
        "recovery": (f"{S}/recovery.parquet", f"{S}/rates.parquet"),
        "export_vectors": (f"{S}/vectors.npz",),
        "srm": tuple(f"{S}/srm/{name}.parquet" for name in RESONANCE),
        "neuron_report": (f"{S}/neuron_report.md",),
    },
    {
        "text_metrics": (f"{S}/text_metrics.parquet",),
        "choose_controls": (f"{S}/controls/controls.parquet",),
        "select_neurons": (f"{S}/selected.json",),
        "prompts": (f"{S}/variability/prompts.parquet",),
        "generate": (),
    },
    {
        "gather": (f"{S}/generations.parquet", f"{S}/vectors.parquet"),
        "neuron_stats": (f"{S}/neuron_stats.parquet",),
        "detector_quality": (
            f"{D}/quality.parquet", f"{D}/calibration.parquet", f"{D}/detectors.md",
        ),
        "generate": (),
    },
    {
        "import_extracted": ("results/old/prompts.parquet", "results/old/generations.parquet"),
        "fetch_promptset": ("resources/promptsets/spare",),
        "fetch_model": ("resources/models/tiny",),
    },
)  # fmt: skip


class Whole:
    """A finished project with results and resources on one disk, logs and parts on another."""

    def __init__(self, project: Project, disk: Disk, side: Disk):
        self.project, self.disk, self.side = project, disk, side

    def batch(self, which: str) -> tuple[str, ...]:
        """Files of the batch of the sampled baselines (`sample`) or of the `controls`."""
        for path in sorted((self.project.folder / "results/batches").iterdir()):
            content = json.loads(path.read_text())
            targets = {row["target"] for row in content["combinations"]}
            is_control = targets.isdisjoint({None, "L1N3"})
            if which == ("controls" if is_control else content["decoding"]["method"]):
                return tuple(f"results/{x}/{path.stem}.parquet" for x in ("generations", "vectors"))
        raise LookupError(which)

    def lose(self, *names: str) -> None:
        """Remove files and folders."""
        for name in names:
            path = self.project.path(name)
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def states(self) -> dict[str, State]:
        """All that a run keeps."""
        found = self.project.states("results/[!.]*/**/*", "resources/**/*")
        return {name: state for name, state in found.items() if "/old/" not in name}

    def content(self) -> dict[str, str]:
        """Digests of it all but figures."""
        states = self.states().items()
        return {name: one.digest for name, one in states if not name.endswith((".svg", ".png"))}


@pytest.fixture(scope="module")
def whole(
    first_run: tuple[Project, Run],
    server: tuple[Path, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Whole]:
    """The first run's project with all kinds of sweep, run without a fault; tests leave it so."""
    folder = tmp_path_factory.mktemp("disks")
    project = first_run[0].copy(folder / "project")
    with Disk(folder / "disk", "16m") as disk, Disk(folder / "side", "4m") as side:
        for name in ("results", "resources"):
            _move(project.folder / name, disk.folder / name)
        for name in ("logs", "results/.scratch"):
            _move(project.folder / name, side.folder / Path(name).name)
        _configure(project, server)
        project.run(*EVERYTHING).checked()
        yield Whole(project, disk, side)


def _move(folder: Path, to: Path) -> None:
    shutil.move(folder, to)
    folder.symlink_to(to)


def _configure(project: Project, server: tuple[Path, str]) -> None:
    """Ask for a sweep of each kind, and for a promptset to be fetched."""
    shutil.copy(project.path(f"{S}/extracted.tsv"), project.folder / "old.tsv")
    project.config["promptsets"]["spare"] = _served(project, server)
    project.sweep.update(KEYS)
    project.config["sweeps"]["old"] = OLD
    project.config["compute"]["rows_per_forward"] = 1  # so that each text is a part
    project.write()


def _served(project: Project, server: tuple[Path, str]) -> dict[str, str]:
    """The project's promptset as one to be fetched."""
    served = shutil.copy(project.path("promptsets/grid.txt"), server[0] / "spare.txt")
    return {"url": f"{server[1]}/spare.txt", "sha256": file_digest(served), "format": "grid"}


# Studies that this project has no entry of, as it has sweeps alone; they write as the others do.
APART = {study.name for study in STUDIES if not study.sweep_keys}


def test_no_step_that_writes_is_left_out() -> None:
    paths = (REPO / "workflow/rules").glob("*.smk")
    text = "\n".join(path.read_text() for path in paths if path.stem not in APART)
    steps = re.split(r"^(?:rule|checkpoint) (\w+):$", text, flags=re.M)[1:]
    writing = {
        name for name, body in zip(steps[::2], steps[1::2], strict=True) if "    output:" in body
    }
    # No study of this project has sharded work; `tests/shards/test_gather.py` has its full disk.
    # What finds neurons writes as what selects them does.
    assert writing - {"gather_shards", "find_neurons"} == {rule for lost in ROUNDS for rule in lost}


@pytest.mark.slow
def test_on_a_full_disk_each_step_fails_in_a_line_and_the_next_run_makes_what_is_missing(
    whole: Whole,
) -> None:
    project, before, states = whole.project, whole.content(), whole.states()
    batches = [whole.batch("sample"), whole.batch("controls")]
    waiting = list(batches)
    whole.disk.fill()
    _assert_not_pinned(project, [-5, 0, 5, 7], rf"results/batches/\w+\.json: {FULL}")
    _assert_not_pinned(project, [0, 5], rf"results/plans/s-\w+\.json: {FULL}")
    for lost in ROUNDS:
        if "generate" in lost:
            lost = {**lost, "generate": waiting.pop(0)}
            if not waiting:
                whole.side.fill(leave=2**16)  # room for a few parts
        options = ("--config", 'run=["old"]') if "import_extracted" in lost else ()
        _assert_each_fails(whole, lost, *options)

    n_kept = len(list(whole.side.folder.glob(".scratch/*/*.generations.parquet"))) - 32
    assert 0 < n_kept < 16
    whole.disk.free()
    whole.side.free()
    run = project.run(*EVERYTHING).checked()
    done = re.findall(r"(\d+) combinations in \d+ parts, (\d+) already done", run.output)
    assert sorted(done) == [("16", str(n_kept)), ("32", "32")]
    assert run.rules["generate"] == 2
    assert whole.content() == before
    kept = {name for name in states if "/generations/" in name or "/vectors/" in name}
    kept -= {name for batch in batches for name in batch}
    after = whole.states()
    assert kept and all(after[name] == states[name] for name in kept)
    assert not list(whole.side.folder.glob(".scratch/*"))
    run = project.run("results/old/prompts.parquet", "--config", 'run=["old"]').checked()
    assert run.rules == {"import_extracted": 1}
    assert not project.run("-n").checked().rules


def _assert_not_pinned(project: Project, values: list[int], said: str) -> None:
    """With other clamps, a dry run says why what it plans cannot be written down."""
    before = project.sweep["values"]
    project.sweep["values"] = values
    run = project.write().run("-n")
    (fault,) = run.errors()
    assert re.fullmatch(f"error: {said}", fault)
    assert run.code != 0
    assert "Traceback" not in run.output
    project.sweep["values"] = before
    project.write()


def _assert_each_fails(whole: Whole, lost: dict[str, tuple[str, ...]], *options: str) -> None:
    """Steps whose files are lost fail in a line each that names one of them; nothing is left."""
    for files in lost.values():
        whole.lose(*(name for name in files if "/old/" not in name))
    whole.disk.fill()
    there = whole.disk.files()
    targets = [MODEL if "models" in files[0] else files[0] for files in lost.values()]
    run = whole.project.run(*targets, "-k", *options)
    assert run.code != 0
    assert not run.rules
    assert "Traceback" not in run.output
    named = [fault.removeprefix("error: ").removesuffix(f": {FULL}") for fault in run.errors()]
    rule_of = {name: rule for rule, files in lost.items() for name in files}
    parts = re.compile(r"results/\.scratch/[\w-]+/\w+\.\w+\.parquet")
    failed = ["generate" if parts.fullmatch(name) else rule_of.get(name, name) for name in named]
    assert sorted(failed) == sorted(lost), run.errors()
    assert whole.disk.files() == there
    assert not list(whole.side.folder.rglob("*.part"))


def test_on_a_read_only_disk_nothing_is_lost_and_it_is_said_in_a_line(whole: Whole) -> None:
    project, before = whole.project, whole.content()
    lost = (f"{S}/neuron_report.md", f"{S}/vectors.npz")
    whole.lose(*lost)
    whole.disk.allow(writing=False)
    whole.side.allow(writing=False)  # logs too
    there = whole.states()
    run = project.run(*lost)
    assert run.code != 0
    assert run.errors() == [
        "error: results: read-only; make it writable for you and run again, finished work is kept"
    ]
    assert "Traceback" not in run.output
    _assert_not_pinned(project, [-5, 0, 5, 7], rf"results/batches/\w+\.json: {READ_ONLY}")
    assert whole.states() == there

    whole.disk.allow(writing=True)
    whole.lose(f"{S}/metrics.csv")
    whole.disk.allow(writing=False)
    run = project.run(f"{S}/metrics.csv")  # where some files are left, Snakemake has its own words
    assert run.code != 0
    assert "Write-protected output files for rule export" in run.output
    assert f"{S}/extracted.tsv" in run.output
    assert "Traceback" not in run.output

    whole.disk.allow(writing=True)
    assert project.run(*lost).errors() == [
        "error: logs: read-only; make it writable for you and run again, finished work is kept"
    ]
    whole.side.allow(writing=True)
    whole.side.fill()  # a full disk of logs costs no result
    run = project.run().checked()
    assert run.rules == {"neuron_report": 1, "export_vectors": 1, "export": 1}
    whole.side.free()
    assert whole.content() == before


def test_a_plan_that_cannot_be_pinned_in_the_midst_of_a_run_is_named(
    fresh: Project, server: tuple[Path, str], tmp_path: Path
) -> None:
    fresh.config["promptsets"]["grid"] = _served(fresh, server)
    with Disk(tmp_path / "disk", "4m") as disk:
        for name in ("results", "resources"):
            (disk.folder / name).mkdir()
            (fresh.folder / name).symlink_to(disk.folder / name)
        disk.fill(leave=4096)  # room for the promptset, which is fetched first
        run = fresh.write().run(TEXTS)
        assert run.code != 0
        assert run.rules == {"fetch_promptset": 1}
        (fault,) = run.errors()
        assert re.fullmatch(rf"error: results/batches/\w+\.json: {FULL}", fault)
        assert "Traceback" not in run.output
        disk.free()
        assert fresh.run(f"{S}/prompts.parquet").checked().rules == {"prompts": 1}


def test_where_snakemake_has_no_space_itself_it_does_not_begin(
    finished: Project, tmp_path: Path
) -> None:
    with Disk(tmp_path / "disk", "16m") as disk:
        for name in (".snakemake", "results", "resources", "logs"):
            _move(finished.folder / name, disk.folder / name)
        _assert_it_does_not_begin(finished, disk)


def _assert_it_does_not_begin(finished: Project, disk: Disk) -> None:
    lost = [f"{D}/detectors.{kind}" for kind in ("svg", "png")]
    kept = finished.states("results/**/*")
    for name in lost:
        finished.path(name).unlink()
    disk.fill()
    run = finished.run()
    assert run.code != 0
    assert run.output.splitlines()[1:] == [f"error: .snakemake: {FULL}"]

    disk.free()
    disk.fill(leave=80_000)  # enough to begin
    run = finished.run()
    assert run.code != 0
    assert run.errors() == [f"error: {lost[0]}: {FULL}"]
    assert "Traceback" not in run.output
    assert not list(disk.folder.rglob("*.part"))

    disk.free()
    assert finished.run().checked().rules == {"detector_figure": 1}
    after = finished.states("results/**/*")
    assert after.keys() == kept.keys()
    assert all(after[name] == kept[name] for name in kept.keys() - set(lost))
