"""The configs for models that are not at hand: they parse, and take what they say from others."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from clampsweep.config.entries import Config
from clampsweep.errors import UserError
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.universal.entry import UniversalEntry
from configs import ROOT, parse_files

GPT2 = {  # repository on the hub by seed
    "a": "alias-gpt2-small-x21",
    "b": "battlestar-gpt2-small-x49",
    "c": "caprica-gpt2-small-x81",
    "d": "darkmatter-gpt2-small-x343",
    "e": "expanse-gpt2-small-x777",
}


@pytest.fixture
def at_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with what the repository ships; nothing has been downloaded."""
    monkeypatch.chdir(tmp_path)
    for folder in ("promptsets", "workflow"):
        Path(folder).symlink_to(ROOT / folder)
    return tmp_path


def contents(name: str, **more: Any) -> dict[str, dict[str, Any]]:
    """The default config, one of these over it, and `more` over both."""
    files = {
        f"config/{one}.yaml": read_yaml(ROOT / f"config/{one}.yaml") for one in ("config", name)
    }
    return {**files, "--config": more}


def only(config: Config) -> UniversalEntry:
    """The one entry that it runs."""
    (name,) = config.run
    found: UniversalEntry = config.of("universal")[name]
    return found


def test_published_gpt2_is_its_five_seeds_once_they_are_downloaded(at_root):
    with pytest.raises(UserError, match=r"universal_gpt2\.yaml: models\.gpt2-small-a\.path: got"):
        parse_files(contents("universal_gpt2"))
    for repo in GPT2.values():
        folder = at_root / "resources/published" / repo
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps({"repo": repo}))
    config = parse_files(contents("universal_gpt2"))
    entry = only(config)
    assert entry.agreement is not None
    models = [entry.model, *entry.agreement.others]
    assert [one.path for one in models] == [f"resources/published/{one}" for one in GPT2.values()]
    assert {(one.n_layers, one.d_mlp, one.prepend_bos) for one in models} == {(12, 3072, True)}
    assert len({one.identity for one in models}) == 5
    assert entry.agreement.cut == 0.5
    assert entry.reference in config.inputs


def test_each_folder_of_gpt2_is_one_that_its_commands_make():
    text = (ROOT / "config/universal_gpt2.yaml").read_text()
    (loop,) = re.findall(r"^#   for repo in (.*); do$", text, re.MULTILINE)
    assert shlex.split(loop) == list(GPT2.values())
    (program,) = re.findall(r"python -c '(.*)' \S+ resources/published/\$repo$", text, re.MULTILINE)
    compile(program, "the command", "exec")
    (_, table) = re.findall(r"curl .* -o (\S+) \S+/(\S+/\S+)$", text, re.MULTILINE)[0]
    assert table == "stanford-gpt2-small-a/universal.csv"


def test_pythia_comes_from_the_hub_by_commits(at_root):
    config = parse_files(contents("universal_pythia"))
    entry = only(config)
    assert entry.agreement is not None
    models = [entry.model, *entry.agreement.others]
    assert [one.repo for one in models] == [
        f"EleutherAI/pythia-160m{seed}" for seed in ("", "-seed1", "-seed2")
    ]
    assert {one.source for one in models} == {"hub"}
    assert len({one.revision for one in models}) == 3
    assert entry.agreement.cut == 0.5
    assert entry.reference in config.inputs


@pytest.mark.parametrize("name", ["universal_gpt2", "universal_pythia"])
def test_a_published_table_is_named_as_its_command_names_it(name):
    text = (ROOT / f"config/{name}.yaml").read_text()
    (entry,) = read_yaml(ROOT / f"config/{name}.yaml")["universal"].values()
    (target,) = re.findall(r"^#   curl .* -o (\S+) https", text, re.MULTILINE)
    assert target == entry["reference"]


def test_gemma_is_held_against_smollm2_once_its_terms_are_accepted(at_root):
    with pytest.raises(UserError, match=r"models\.gemma3-270m\.accept_terms: got False"):
        parse_files(contents("universal_gemma"))
    accepted = {"gemma3-270m": {"accept_terms": True}}
    entry = only(parse_files(contents("universal_gemma", models=accepted)))
    assert entry.agreement is not None
    assert [one.name for one in entry.agreement.others] == ["smollm2-135m"]
    assert (entry.agreement.cut, entry.agreement.neurons, entry.agreement.shifts) == (0.3, 500, 24)
    shown = read_yaml(ROOT / "config/gemma3_270m.yaml")["models"]
    assert read_yaml(ROOT / "config/universal_gemma.yaml")["models"] == shown


@pytest.mark.parametrize("name", ["universal_gpt2", "universal_pythia", "universal_gemma"])
def test_texts_are_those_of_the_default_entry(name):
    default = read_yaml(ROOT / "config/universal.yaml")["universal"]["universal"]["texts"]
    (entry,) = read_yaml(ROOT / f"config/{name}.yaml")["universal"].values()
    texts = entry["texts"]
    assert texts["domains"].items() <= default["domains"].items()
    for key in ("sequences", "context", "skip", "blocks"):
        assert texts[key] == default[key]
