"""A study is a folder: every study has its parts, and they fit. All follows from the folders."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from clampsweep.config.contract import Study
from clampsweep.provenance import import_closure, json_digest, script_digest
from clampsweep.registry import STUDIES

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src/clampsweep/studies"
# Modules that every study may have; the others are its science, each with a test of its name.
COMMON = {"__init__", "study", "config", "files", "tables", "report"}
MAX_SCRIPT_LINES = 25
BEGUN = {"steering"}  # modules without rules yet: no entry of the registry

of_each_study = pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)


def overlay(study: Study) -> Path:
    """The study's config file: the first study's is the default run."""
    return ROOT / "config" / f"{'config' if study is STUDIES[0] else study.name}.yaml"


class Loaded(NamedTuple):
    """The workflow as Snakemake sees it with a study's config file."""

    rules: list[Any]
    kept: dict[str, str]
    entries: dict[str, Any]

    def of(self, study: Study) -> list[Any]:
        """Rules of the study's own file."""
        return [rule for rule in self.rules if Path(rule.snakefile).stem == study.name]


@pytest.fixture(scope="module")
def workflows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Loaded]:
    """The workflow with each study's config file, by the study's name."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

    found = {}
    for study in STUDIES:
        folder = tmp_path_factory.mktemp(study.name) / "project"
        for name in ("config", "promptsets", "workflow/data"):
            shutil.copytree(ROOT / name, folder / name)
        with SnakemakeApi(OutputSettings()) as api:
            workflow = api.workflow(
                resource_settings=ResourceSettings(cores=1),
                config_settings=ConfigSettings(configfiles=[overlay(study)]),
                snakefile=ROOT / "Snakefile",
                workdir=folder,
            )._workflow  # the Snakefile, read; no job is planned
            config, kept = (workflow.globals[name] for name in ("CONFIG", "KEPT"))
            found[study.name] = Loaded(list(workflow.rules), kept, config.of(study.name))
    return found


# ---- the folder


def test_every_folder_of_studies_is_in_the_registry_and_no_other_word():
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert folders - BEGUN == {study.name for study in STUDIES}
    assert not any((SOURCE / name / "study.py").exists() for name in BEGUN)


@of_each_study
@pytest.mark.parametrize(
    "place",
    [
        "src/clampsweep/studies/{}/study.py",
        "src/clampsweep/studies/{}/config.py",
        "workflow/rules/{}.smk",
        "workflow/schemas/{}.schema.yaml",
        "workflow/scripts/{}",
        "workflow/report/{}",
        "docs/{}.md",
        "tests/{}",
    ],
)
def test_a_study_has_its_parts(study, place):
    assert (ROOT / place.format(study.name)).exists()


@of_each_study
def test_a_study_has_a_config_file_with_an_entry_of_its_own(study, workflows):
    assert overlay(study).is_file()
    assert workflows[study.name].entries


@of_each_study
def test_every_science_module_has_a_test_of_its_name(study):
    folder = SOURCE / study.name
    modules = {path.stem for path in folder.glob("*.py") if not path.stem.endswith("_report")}
    modules |= {path.parent.name for path in folder.glob("*/__init__.py")}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / study.name).iterdir()}
    # A figure is a science module's table drawn: its test may stand with that module's.
    missing = modules - COMMON - tested - {"figures"}
    assert not missing, f"tests/{study.name}/ lacks a test of {sorted(missing)}"


@of_each_study
def test_figures_and_reports_are_drawn_in_some_test(study):
    texts = "".join(path.read_text() for path in (ROOT / "tests" / study.name).glob("test_*.py"))
    for path in (SOURCE / study.name).iterdir():
        if path.stem in ("figures", "report"):
            assert re.search(rf"studies\.{study.name}(\.| import .*\b){path.stem}\b", texts), path


# ---- its rules and scripts


@of_each_study
def test_every_rule_has_log_message_code_digest_and_script(study, workflows):
    rules = workflows[study.name].of(study)
    assert rules
    for rule in rules:
        assert rule.log and rule.message and rule.script, rule.name
        assert rule.name in rule.log[0], f"{rule.name} logs to {rule.log[0]}"
        script = (Path(rule.snakefile).parent / rule.script).resolve()
        assert script.parent == ROOT / "workflow/scripts" / study.name
        assert rule.params.code == script_digest(script), f"{rule.name}: another script's digest"


@of_each_study
def test_every_rule_is_for_entries_of_its_own_study(study, workflows):
    # Other studies keep a summary.md too: a wildcard that matches any entry makes them ambiguous.
    for rule in workflows[study.name].of(study):
        if all(path.startswith(f"results/shards/{rule.name}/") for path in rule.output):
            continue  # shards are in a folder of the rule's own
        free = set(rule.wildcard_names) - set(rule.wildcard_constraints)
        assert not free, f"{rule.name}: constrain {free}, as in entry=any_of(...)"


@of_each_study
def test_every_script_is_used_and_short(study, workflows):
    used = {Path(rule.script).name for rule in workflows[study.name].of(study)}
    scripts = {path.name: path for path in (ROOT / "workflow/scripts" / study.name).iterdir()}
    assert used == set(scripts)
    for name, path in scripts.items():
        assert len(path.read_text().splitlines()) <= MAX_SCRIPT_LINES, name


@of_each_study
def test_sharded_work_is_made_by_a_rule_of_the_study_and_gathered_in_an_entrys_folder(
    study, workflows
):
    loaded = workflows[study.name]
    rules = {rule.name: rule for rule in loaded.of(study)}
    for name, entry in loaded.entries.items():
        for work in study.works(entry):
            assert work.name.startswith(f"{name}/")
            assert rules[work.rule].is_producer(f"results/shards/{work.rule}/{'0' * 16}.parquet")
            json_digest(work.parameters)  # they are JSON values


# ---- what it keeps


@of_each_study
def test_every_kept_file_is_made_by_one_rule(study, workflows):
    loaded = workflows[study.name]
    for entry in loaded.entries.values():
        for file in study.files(entry):
            assert file in loaded.kept
            makers = [rule.name for rule in loaded.rules if rule.is_producer(f"results/{file}")]
            assert len(makers) == 1, f"{file} is made by {makers or 'no rule'}"


@of_each_study
def test_every_entry_has_a_summary_and_verdicts(study, workflows):
    # An entry of `sweeps` is several studies' in common; one of them writes the summary.
    loaded = workflows[study.name]
    for name, entry in loaded.entries.items():
        kept = loaded.kept if study.sweep_keys else study.files(entry)
        for file in ("summary.md", "summary.html", "verdicts.parquet"):
            assert f"{name}/{file}" in kept


@of_each_study
def test_verdicts_stand_beside_the_ledger_of_their_controls(study, workflows):
    for entry in workflows[study.name].entries.values():
        kept = [Path(file) for file in study.files(entry)]
        places = {path.parent for path in kept if path.name == "verdicts.parquet"}
        assert places
        assert places == {path.parent for path in kept if path.name == "ledger.parquet"}


@of_each_study
def test_every_figure_is_in_the_report_with_a_caption_and_every_caption_is_used(study, workflows):
    rules, shown = workflows[study.name].of(study), set()
    for output in (output for rule in rules for output in rule.output):
        if "report" in output.flags:
            caption = Path(output.flags["report"].caption.get_path_or_uri(secret_free=False))
            assert caption.is_file(), caption
            assert caption.parent.name == study.name
            shown.add(caption.name)
        assert "report" in output.flags or not output.endswith(".svg"), output
    assert shown == {path.name for path in (ROOT / "workflow/report" / study.name).iterdir()}


# ---- its keys


def schema_of(study: Study) -> dict[str, Any]:
    schema: dict[str, Any] = yaml.safe_load(
        (ROOT / f"workflow/schemas/{study.name}.schema.yaml").read_text()
    )
    return schema


def keys_of(part: Any, schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys of a config that a part of a schema describes, those within them too."""
    if not isinstance(part, dict):
        return
    own = re.fullmatch(r"#/\$defs/(\w+)", str(part.get("$ref", "")))
    if own:
        yield from keys_of(schema["$defs"][own[1]], schema)
    for name, inner in part.get("properties", {}).items():
        yield name, inner
        yield from keys_of(inner, schema)
    yield from keys_of(part.get("items"), schema)


def keys(study: Study) -> list[tuple[str, dict[str, Any]]]:
    schema = schema_of(study)
    return list(keys_of(schema["$defs"]["sweep" if study.sweep_keys else "entry"], schema))


@of_each_study
def test_every_key_says_what_it_is_and_is_shown_in_a_config_file(study):
    assert keys(study)
    texts = overlay(study).read_text() + overlay(STUDIES[0]).read_text()
    schema = schema_of(study)
    for name, part in [*keys(study), *keys_of(schema["$defs"].get("recipe"), schema)]:
        assert part.get("description"), f"{study.name}.schema.yaml: {name} lacks a description"
        assert re.search(rf"\b{name}:", texts), f"{overlay(study).name} does not show {name}"


@of_each_study
def test_every_key_is_a_field_of_the_studys_entries(study):
    prefix = f"clampsweep.studies.{study.name}"
    modules = [name for name in import_closure(f"{prefix}.config") if name.startswith(prefix)]
    fields = {
        field.name
        for module in modules
        for kind in vars(import_module(module)).values()
        if isinstance(kind, type) and dataclasses.is_dataclass(kind)
        for field in dataclasses.fields(kind)
    }
    # A key that is the study's word is the entry itself.
    missing = {name for name, _ in keys(study)} - fields - {study.name}
    assert not missing, f"no dataclass of {modules} has the fields {missing}"


@of_each_study
def test_the_keys_of_sweeps_are_those_of_the_schema(study):
    parts = schema_of(study)["$defs"]
    assert ("sweep" in parts) == bool(study.sweep_keys)
    assert study.sweep_keys == frozenset(parts.get("sweep", {}).get("properties", {}))
