"""Truncated, empty and foreign files: each is named in a line, with a remedy that works.

Also a clock that was moved back, and lost records. What is whole stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from harness import PROMPTS, RATES, TEXTS, Project, grid

from clampsweep import tables
from clampsweep.provenance import file_digest
from clampsweep.studies.bcr.recovery import RECOVERY
from clampsweep.texts.selection import write_selected

DAY = 86_400 * 10**9  # ns
KINDS = ("generations", "vectors")
S, D, MODEL = "results/s", "results/detectors", "resources/models/tiny"


def _content(project: Project) -> dict[str, str]:
    """Digests of all that a run keeps but figures."""
    found = project.states("results/*/*", "results/*/controls/*")
    return {name: state.digest for name, state in found.items() if not name.endswith(".svg")}


def _batches(project: Project) -> dict[str, str]:
    """Ids of the batch of the baselines (`none`) and of that of the clamps (`set`)."""
    return {rows["operation"].iloc[0]: name for name, rows in project.batches().items()}


def _obey(project: Project, fault: str) -> None:
    """Delete what a line says is to be deleted."""
    said = re.fullmatch(r"error: (\S+): .*delete (\S+) and run again", fault)
    assert said is not None, fault
    path = project.path(said[1] if said[2] == "it" else said[2])
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _obeyed(project: Project) -> list[str]:
    """What dry runs say, one after the other, each obeyed, until one has nothing to say."""
    faults: list[str] = []
    while errors := (run := project.run("-n")).errors():
        assert run.code != 0
        assert len(errors) == 1
        assert errors[0] not in faults
        faults += errors
        _obey(project, errors[0])
    run.checked()
    return faults


def _litter(project: Project) -> dict[str, object]:
    """Leave files of other programs in each folder of results; what they are."""
    folders = [path for path in (project.folder / "results").rglob("*") if path.is_dir()]
    for folder in [*folders, project.folder / "results"]:
        for name in (".DS_Store", ".nfs00000001", "._notes.json", "notes.json", "notes.txt"):
            (folder / name).write_bytes(b"\0no")
        (folder / "more").mkdir()
        (folder / "more/generations.txt").write_text("no")
    (project.folder / MODEL / ".DS_Store").write_bytes(b"\0no")
    return dict(project.states("results/**/*otes*", "results/**/.*", "results/**/more/*"))


def test_damaged_tables_are_named_together_and_deleting_them_is_enough(finished: Project) -> None:
    before, batches = _content(finished), finished.states()
    path = {
        name: finished.path(f"{S}/{name}.parquet") for name in ("vectors", "neuron_stats", "rates")
    }
    path["vectors"].write_bytes(path["vectors"].read_bytes()[:-1])
    shutil.copy(path["rates"], path["neuron_stats"])
    finished.path(f"{D}/quality.parquet").write_bytes(b"")
    elsewhere = finished.folder / "results/t/recovery.parquet"
    tables.write(finished.table("recovery"), elsewhere, RECOVERY, {})
    elsewhere.replace(finished.path(f"{S}/recovery.parquet"))

    made_of_them = ("s/vectors.npz", "s/neuron_report.md", "s/split_half.parquet")
    targets = [*(f"results/{name}" for name in made_of_them), f"{D}/detectors.svg"]
    run = finished.run("-k", *targets)
    assert run.code != 0
    assert not run.rules
    assert sorted(run.errors()) == [
        f"error: {D}/quality.parquet: not a whole Parquet file; delete it and run again",
        f"error: {S}/neuron_stats.parquet: holds a 'rates' table, not 'neuron_stats'; read it with "
        "its own schema, or delete it and run again",
        f"error: {S}/recovery.parquet: a copy of what belongs in results/t/recovery.parquet; "
        "delete it and run again",
        f"error: {S}/vectors.parquet: not a whole Parquet file; delete it and run again",
    ]
    for fault in run.errors():
        _obey(finished, fault)
    run = finished.run(*targets).checked()
    again = ("gather", "text_metrics", "recovery", "split_half", "neuron_stats", "neuron_report")
    other = ("export_vectors", "detector_quality", "detector_figure")
    assert run.rules == dict.fromkeys((*again, *other), 1)
    assert _content(finished) == before
    assert finished.states() == batches


def test_a_batch_of_other_rows_and_foreign_parts_are_not_taken_and_a_damaged_model_is_named(
    finished: Project,
) -> None:
    before, ids = _content(finished), _batches(finished)
    litter = _litter(finished)
    files = {
        operation: [finished.path(f"results/{x}/{ids[operation]}.parquet") for x in KINDS]
        for operation in ids
    }
    whole = [path.read_bytes() for path in files["set"]]
    for own, other in zip(files["set"], files["none"], strict=True):
        shutil.copy(other, own)
    run = finished.run(TEXTS)
    assert run.code != 0
    (fault,) = run.errors()
    assert fault == (
        f"error: results/generations/{ids['set']}.parquet: a copy of what belongs in "
        f"results/generations/{ids['none']}.parquet; delete it and run again"
    )
    _obey(finished, fault)

    code = tables.footer(files["none"][0])["code"]
    scratch = finished.folder / f"results/.scratch/{ids['set']}-{code}"
    scratch.mkdir(parents=True)
    for x, own in zip(KINDS, whole, strict=True):
        (scratch / f"0123456789abcdef.{x}.parquet").write_bytes(own)
        (scratch / f"fedcba9876543210.{x}.parquet").write_bytes(own[:-1])
    shutil.copy(files["none"][1], scratch / "0123456789abcdef.vectors.parquet")  # of other texts
    weights = finished.path(f"{MODEL}/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    finished.path(f"{MODEL}/config.json").write_bytes(b"")
    run = finished.run(TEXTS)
    assert run.code != 0
    (fault,) = run.errors()
    assert fault.startswith(f"error: {MODEL}/config.json: wrong digest ")
    _obey(finished, fault)

    run = finished.run(TEXTS).checked()
    assert run.rules == {"fetch_model": 1, "generate": 1, "gather": 1}
    assert "12 combinations in 1 parts, 0 already done" in run.output
    assert len(set(re.findall(r"a part is computed again: results/\S+", run.output))) == 2
    assert litter.items() <= finished.states("results/**/*", "results/**/.*").items()
    assert {name: one for name, one in _content(finished).items() if name not in litter} == before


def test_damaged_json_and_a_damaged_promptset_are_named_before_any_job(
    finished: Project, server: tuple[Path, str]
) -> None:
    ids, config = _batches(finished), dict(finished.sweep)
    pinned = finished.states("results/batches/*", "results/plans/*")
    clamps = finished.path(f"results/batches/{ids['set']}.json")
    shutil.copy(clamps, finished.path(f"results/batches/{ids['none']}.json"))
    clamps.write_bytes(clamps.read_bytes()[:-1])
    for path in (finished.folder / "results/plans").iterdir():
        path.write_bytes(b"")
    _select(finished)
    _fetch_another_promptset(finished, server)

    faults = _obeyed(finished.write())
    batch = "damaged batch file; delete it and run again"
    assert sorted(re.sub(r"[0-9a-f]{64}", "#", fault) for fault in faults) == sorted(
        [
            *(f"error: results/batches/{name}.json: {batch}" for name in ids.values()),
            f"error: {S}/selected.json: a copy of what belongs in results/t/selected.json; "
            "delete it and run again",
            "error: resources/promptsets/web: wrong digest #, the config says #; delete it and run "
            "again",
        ]
    )
    finished.path(f"{MODEL}/model.json").write_text('{"identity": "of a foreign model"}')
    assert _obeyed(finished) == [
        f"error: {MODEL}/model.json: of another model than config/config.yaml: models.tiny names; "
        f"delete {MODEL} and run again"
    ]
    finished.config["sweeps"] = {"s": config}
    finished.config["run"] = ["s"]
    assert not finished.write().run(TEXTS).checked().rules
    after = finished.states("results/batches/*", "results/plans/*")
    assert {name: after[name].digest for name in pinned} == {
        name: state.digest for name, state in pinned.items()
    }


def test_a_model_without_a_chat_template_ends_a_run_of_chats_once_it_is_fetched(
    untouched: Project, tmp_path: Path
) -> None:
    project = untouched.copy(tmp_path / "project")
    project.path("tiny/chat_template.jinja").unlink()
    project.sweep["prompt_format"] = "chat"
    run = project.write().run()
    assert run.code != 0 and set(run.rules) <= {"fetch_model", "prompts", "detector_quality"}
    (said,) = run.errors()
    assert said.startswith(
        "error: s: asks for prompts as chats, but the tokenizer of tiny has no chat template; use "
    )
    assert said.endswith("what asks for chats (prompt_format: chat, chat_baselines: true)")
    assert not project.batches()


def _select(project: Project) -> None:
    """Let the sweep select its neuron, and put another sweep's selection in its place."""
    project.sweep["neurons"] = {"select": "consistent", "layer": 1, "top": 1}
    elsewhere = project.folder / "results/t/selected.json"
    write_selected(["L1N3"], "set", project.table("neuron_stats"), elsewhere)
    elsewhere.replace(project.folder / S / "selected.json")


def _fetch_another_promptset(project: Project, server: tuple[Path, str]) -> None:
    """Add a sweep whose promptset was fetched; the file has lost its last lines since."""
    served = server[0] / "web.txt"
    served.write_text(grid(PROMPTS))
    project.config["promptsets"]["web"] = {
        "url": f"{server[1]}/web.txt",
        "sha256": file_digest(served),
        "format": "grid",
    }
    project.config["sweeps"]["u"] = {**project.sweep, "neurons": ["L1N3"], "promptset": "web"}
    project.config["run"].append("u")
    path = project.folder / "resources/promptsets/web"
    path.parent.mkdir()
    path.write_text(grid(dict(list(PROMPTS.items())[:3])))


def test_after_the_clock_was_moved_back_an_edit_makes_its_own_texts_and_no_more(
    finished: Project,
) -> None:
    for path in finished.folder.rglob("*"):
        state = path.lstat()
        ahead = (state.st_atime_ns + DAY, state.st_mtime_ns + DAY)
        os.utime(path, ns=ahead, follow_symlinks=False)
    before = finished.batches()
    finished.sweep["values"].append(7)
    run = finished.write().run(TEXTS).checked()
    assert run.rules == {"generate": 1, "gather": 1}
    assert "files lay ahead of the clock" in run.output
    texts = finished.table("generations")
    assert texts["value"].value_counts().to_dict() == dict.fromkeys((-5, 0, 5, 7), len(PROMPTS))
    assert len(finished.batches()) == len(before) + 1
    again = finished.run("-n", TEXTS).checked()
    assert not again.rules
    assert "note:" not in again.output


def test_without_snakemakes_records_and_logs_it_is_said_what_is_not_seen(finished: Project) -> None:
    batches = finished.states()
    shutil.rmtree(finished.folder / ".snakemake")
    shutil.rmtree(finished.folder / "logs")
    finished.sweep["detectors"] = ["surface"]
    promptset = finished.path("promptsets/grid.txt")
    written = promptset.stat().st_mtime_ns
    finished.write()
    os.utime(promptset, ns=(written, written))
    run = finished.run("-n", RATES).checked()
    assert not run.rules  # the edit is not seen
    (said,) = re.findall(r"^note: (.*)", run.output, re.M)
    assert said.startswith("the records in .snakemake are gone, so edits of the config or the code")
    assert said.endswith(f"if there were any, delete {S} and run again")
    shutil.rmtree(finished.folder / S)
    run = finished.run(RATES).checked()
    assert run.rules == dict.fromkeys(("prompts", "gather", "text_metrics", "recovery"), 1)
    assert set(finished.table("rates")["detector"]) == {"surface"}
    assert finished.states() == batches
    assert finished.path("logs/recovery/s.log").is_file()
    assert "note:" not in finished.run("-n", RATES).output
