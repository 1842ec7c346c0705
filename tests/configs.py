"""A config that parses, overlays of it, and what is said of a wrong one: for tests of the config.

A module's tests take the folder that the config speaks of by `folder = configs.folder`.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from clampsweep.config import parse as parse_module
from clampsweep.config.entries import Config
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.models.spec import folder_digest
from clampsweep.registry import STUDIES
from clampsweep.strict_yaml import read_yaml, yaml_text

ROOT = Path(__file__).parents[1]
SCHEMAS = ROOT / "workflow" / "schemas"
SHA = "0123456789abcdef" * 4
HUB = {"source": "hub", "repo": "who/what", "revision": SHA[:40]}
PYPI = {"source": "pypi", "package": "some-model==0.1", "file": "m/m.gguf", "sha256": SHA}
SIZES = {"licence": "none", "n_layers": 3, "d_mlp": 40}
LOADING = {"dtype": "float32", "prepend_bos": False, "weight_processing": "none"}

BASE = """
run: [main]
models:
  tiny: {source: path, path: tiny, licence: none, n_layers: 3, d_mlp: 40, dtype: float64,
         prepend_bos: false, weight_processing: none}
promptsets:
  few: {path: few.txt, format: grid}
sweeps:
  main:
    model: tiny
    promptset: few
    neurons: [L0N1, [L1N2, L2N3]]
    operation: set
    values: [-3, 0, 2.5]
    scope: all
    decoding: {method: greedy, max_new_tokens: 8}
"""
IMPORTED = """
sweeps:
  old: {extracted: old.tsv, neurons: [L11N373], operation: set, scope: all}
"""
REFERENCE = """
source: a paper
model: tiny
neuron: L11N373
operation: set
scope: all
detector: surface
n_prompts: 2
n_texts: 6
n_recovered: 1
collapsed:
  one/declarative/1: [2.5]
by_clamp:
  -3: {rescued: 0, harmed: 1}
  2.5: {rescued: 1, harmed_more_than: 0, rate_by_core: 1.0}
"""

Fault = tuple[str, str, list[str]]
"""An overlay of `BASE` that has it, the key that the message must name, and what else it must say:
the value got, what is allowed, the remedy."""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that holds what `BASE`, `IMPORTED` and a `reference` to it name."""
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    Path("tiny/config.json").write_text("{}")
    Path("few.txt").write_text("")
    Path("old.tsv").write_text("")
    Path("facts.yaml").write_text(REFERENCE)
    folder_digest.cache_clear()
    return tmp_path


def write(**files: str) -> dict[str, dict[str, Any]]:
    """Write `<name>.yaml` files; their contents as the library reads them."""
    for name, text in files.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    return {f"{name}.yaml": read_yaml(f"{name}.yaml") for name in files}


def merge(*contents: dict[str, Any]) -> dict[str, Any]:
    """The contents laid over each other by Snakemake itself."""
    merged: dict[str, Any] = {}
    for content in copy.deepcopy(contents):
        update_config(merged, content)
    return merged


@functools.cache
def schemas() -> dict[str, dict[str, Any]]:
    """The real schemas; reading them takes longer than all else of a parse."""
    return join(SCHEMAS, STUDIES)


def parse_files(contents: Mapping[str, dict[str, Any]]) -> Config:
    """The config that files say together, each given as its name and content."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parse_module, "join", lambda *_: schemas())
        return parse_module.parse(merge(*contents.values()), contents, SCHEMAS, STUDIES)


def parse(**files: str) -> Config:
    """The config that files of these texts say together, the last of them on top."""
    return parse_files(write(**files))


def refusal(**files: str) -> str:
    """The one line with which these config files are refused."""
    with pytest.raises(UserError) as caught:
        parse(**files)
    message = str(caught.value)
    assert "\n" not in message and ": : " not in message
    return message


def unsaid(message: str, start: str, said: Iterable[str]) -> list[str]:
    """What a message lacks of what it should say: how it begins, and parts of it."""
    missing = [] if message.startswith(start) else [start]
    return missing + [part for part in said if part not in message]


def each_fault(**kinds: Mapping[str, Fault]) -> pytest.MarkDecorator:
    """Run a test with `overlay`, `key` and `said` of every fault."""
    found = {
        f"{kind}: {name}": fault for kind, faults in kinds.items() for name, fault in faults.items()
    }
    return pytest.mark.parametrize(("overlay", "key", "said"), found.values(), ids=found.keys())


def sweep(text: str) -> str:
    """An overlay that changes the sweep `main`."""
    return f"sweeps: {{main: {{{text}}}}}"


def changed(base: str, overlay: str) -> str:
    """One file that says what the two say together; lists of faults call it while they are made."""
    with TemporaryDirectory() as folder:
        contents = []
        for at, text in enumerate((base, overlay)):
            path = Path(folder, f"{at}.yaml")
            path.write_text(text, encoding="utf-8")
            contents.append(read_yaml(path))
    return yaml_text(merge(*contents))


def without(base: str, *path: str) -> str:
    """The config with one key taken out."""
    content = yaml.safe_load(base)
    part = content
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return yaml.safe_dump(content, sort_keys=False)


def as_model(entry: dict[str, Any]) -> str:
    """An overlay with a further model."""
    return yaml.safe_dump({"models": {"other": {**entry, **SIZES, **LOADING}}})


def as_sweep(**changes: Any) -> str:
    """An overlay with a further sweep: `main` of `BASE`, changed; None takes a key out."""
    entry = {**yaml.safe_load(BASE)["sweeps"]["main"], **changes}
    return yaml.safe_dump({"sweeps": {"new": {k: v for k, v in entry.items() if v is not None}}})
