"""A study added from templates/study: one line elsewhere, right results, and no digest moves."""

from __future__ import annotations

import difflib
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from harness import Project, Run, environment
from new_study import ENTRY, PROMPTS, REGISTRY, WORD

from clampsweep import provenance, tables
from clampsweep.texts.gather import GENERATIONS
from clampsweep.verdicts import VERDICTS


def contents(folder: Path) -> dict[str, str]:
    """Every file of the repository's copy by its name; of figures, no text."""
    kept = ("src", "workflow", "config", "docs", "tests", "Snakefile", "pyproject.toml")
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for name in kept
        for path in [folder / name, *(folder / name).rglob("*")]
        if path.is_file() and path.suffix != ".pyc"
    }


def script_digests(
    project: Project, monkeypatch: pytest.MonkeyPatch, only: Sequence[str] = ()
) -> dict[str, str]:
    """The `code` parameter of each rule, by script, as the project's own library gives it."""
    monkeypatch.setattr(provenance, "_SOURCE", project.folder / "src/clampsweep")
    provenance.code_digest.cache_clear()
    scripts = project.folder / "workflow/scripts"
    names = only or sorted(str(path.relative_to(scripts)) for path in scripts.rglob("*.py"))
    found = {name: provenance.script_digest(scripts / name) for name in names}
    provenance.code_digest.cache_clear()
    return found


def test_one_line_changes_outside_the_folders_of_the_study(before: Project, added: Project) -> None:
    old, new = contents(before.folder), contents(added.folder)
    assert old.keys() <= new.keys()
    assert [name for name in old if new[name] != old[name]] == [REGISTRY]
    diff = difflib.unified_diff(old[REGISTRY].splitlines(), new[REGISTRY].splitlines(), n=0)
    assert [line for line in diff if re.match(r"[+-] ", line)] == [f'+    "{WORD}",']
    own = new.keys() - old.keys()
    assert own
    for name in own:
        place = Path(name)
        assert WORD in (place.parent.name, place.name.partition(".")[0]), name
        assert "mystudy" not in new[name].lower(), name


def test_no_digest_of_another_rule_changes(
    before: Project, added: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (script_digests(project, monkeypatch) for project in (before, added))
    assert old.items() <= new.items()
    assert {name.partition("/")[0] for name in new.keys() - old.keys()} == {WORD}


def test_texts_go_stale_by_no_edit_of_a_study_the_config_package_or_the_explorer(
    added: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = added.copy(tmp_path / "project")
    source, makers = project.folder / "src/clampsweep", ("texts/generate.py", "texts/gather.py")

    def edit(path: Path, only: Sequence[str] = ()) -> dict[str, str]:
        path.write_text(path.read_text() + "# An edit.\n")
        return script_digests(project, monkeypatch, only)

    before = script_digests(project, monkeypatch)
    studies = [path.parent for path in sorted(source.glob("studies/*/study.py"))]
    for place in [*studies, source / "config", source / "explorer", source / "registry.py"]:
        for path in sorted(place.rglob("*.py")) or [place]:
            now = edit(path, makers)
            assert now == {name: before[name] for name in makers}, f"{path} makes texts stale"
        after = script_digests(project, monkeypatch)
        moved = {name.partition("/")[0] for name in after if after[name] != before[name]}
        assert moved == ({place.name} if place in studies else set())
        before = after
    assert edit(source / "decoder/decode.py")[makers[0]] != before[makers[0]]


def test_the_study_runs_its_own_rules_and_those_of_texts_alone(ran: tuple[Project, Run]) -> None:
    project, run = ran
    own = {f"{WORD}_losses": 2, "gather_shards": 1, f"{WORD}_lengths": 1, f"{WORD}_report": 1}
    assert run.rules == {"fetch_model": 1, "prompts": 1, "generate": 2, "gather": 1, **own}
    assert not project.run("-n").checked().rules
    for file in ("summary.md", "summary.html", "figures/length.svg", "figures/length.png"):
        assert project.path(f"results/m/{file}").stat().st_size > 0


def test_its_numbers_are_those_of_the_texts_counted_by_hand(ran: tuple[Project, Run]) -> None:
    project, _ = ran
    texts = tables.read(project.path("results/m/generations.parquet"), GENERATIONS)
    found = tables.read(project.path("results/m/verdicts.parquet"), VERDICTS)
    said = project.path("results/m/summary.md").read_text()
    words = {
        (row.prompt_id, None if pd.isna(row.value) else row.value): len(row.text.split())
        for row in texts.itertuples()
    }
    assert len(words) == len(PROMPTS) * 3
    assert found["by"].tolist() == ["set -5", "set +5"]
    for value, row in zip((-5.0, 5.0), found.itertuples(), strict=True):
        more = [words[name, value] - words[name, None] for name in PROMPTS]
        assert any(more)
        assert row.estimate == pytest.approx(sum(more) / len(more))
        assert row.low <= row.estimate <= row.high
        assert (row.n, row.study, row.subject) == (len(PROMPTS), WORD, "L1N3")
        sure = row.q < 0.05 and not row.low <= 0 <= row.high
        assert row.verdict == ("supported" if sure else "inconclusive")
        direction = "longer" if row.estimate > 0 else "shorter"
        assert row.words == (direction if sure else "no effect")
        assert f"| L1N3, {row.by} | {row.words} | {row.estimate:+.2f} |" in said


def test_texts_are_shared_with_the_other_studies(ran: tuple[Project, Run]) -> None:
    project = ran[0].copy(ran[0].folder.with_name("both"))
    project.sweep.update(values=[-5, 5], decoding=ENTRY["decoding"])
    project.config["run"] = ["m", "s"]
    planned = project.write().run("-n").checked().rules
    assert planned["reports"] == planned["prompts"] == planned["gather"] == 1
    assert not {"generate", f"{WORD}_report"} & set(planned)


def test_the_added_study_keeps_the_rules_of_the_house(added: Project) -> None:
    # Its own tests, and those over all studies that are about it.
    files = ["tests/test_studies.py", "tests/test_layers.py", f"tests/{WORD}"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", WORD, *files],
        cwd=added.folder,
        env=environment(added.folder),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout
