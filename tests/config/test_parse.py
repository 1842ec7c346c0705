"""The config: what is accepted; every fault is one line with file, key, value and remedy."""

from __future__ import annotations

import copy
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.utils import update_config

from clampsweep.config import parse as parse_module
from clampsweep.config.entries import Compute, Config
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec, folder_digest
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.bcr.config import Controls, ImportedSweep, Matched, Sweep, Variability
from clampsweep.texts.request import Decoding, Selection

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow" / "schemas" / "config.schema.yaml"
SHA = "0123456789abcdef" * 4
HUB = {"source": "hub", "repo": "who/what", "revision": SHA[:40]}
PYPI = {"source": "pypi", "package": "some-model==0.1", "file": "m/m.gguf", "sha256": SHA}
SIZES = {"licence": "none", "n_layers": 3, "d_mlp": 40}
LOADING = {"dtype": "float32", "prepend_bos": False, "weight_processing": "none"}
# The fields of a `ModelSpec` that `entry | SIZES | LOADING` leaves open.
NAMED = {"where": "config.yaml: models.tiny", "name": "tiny"}

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


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working folder that holds what `BASE` and `IMPORTED` name."""
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


def parse(**files: str) -> Config:
    contents = write(**files)
    return parse_module.parse(merge(*contents.values()), contents, SCHEMA)


def refusal(**files: str) -> str:
    """The one line with which these config files are refused."""
    with pytest.raises(UserError) as caught:
        parse(**files)
    message = str(caught.value)
    assert "\n" not in message and ": : " not in message
    return message


def sweep(text: str) -> str:
    """An overlay that changes the sweep `main`."""
    return f"sweeps: {{main: {{{text}}}}}"


def changed(base: str, overlay: str) -> str:
    """One file that says what the two say together."""
    return yaml.safe_dump(merge(yaml.safe_load(base), yaml.safe_load(overlay)), sort_keys=False)


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


# Each fault: an overlay of BASE that has it, the key that the message must name, and what else the
# message must say: the value got, what is allowed, the remedy.
UNKNOWN_KEYS = {
    "top": ("comptue: {threads: 1}", "comptue", ["did you mean 'compute'", "promptsets"]),
    "compute": ("compute: {thread: 1}", "compute.thread", ["did you mean 'threads'", "device"]),
    "model": ("models: {tiny: {dytpe: 1}}", "models.tiny.dytpe", ["did you mean 'dtype'"]),
    "promptset": ("promptsets: {few: {fromat: csv}}", "promptsets.few.fromat", ["'format'"]),
    "sweep": (sweep("value: [1]"), "sweeps.main.value", ["did you mean 'values'", "detectors"]),
    "decoding": (
        sweep("decoding: {max_tokens: 9}"),
        "sweeps.main.decoding.max_tokens",
        ["did you mean 'max_new_tokens'", "method"],
    ),
    "of another method": (
        sweep("decoding: {temperature: 1.0}"),
        "sweeps.main.decoding.temperature",
        ["unknown key", "allowed: max_new_tokens, method"],
    ),
    "of another source": (
        "models: {tiny: {revision: main}}",
        "models.tiny.revision",
        ["unknown key", "allowed: d_mlp, dtype"],
    ),
    "selection": (
        sweep("neurons: {select: consistent, layer: last, top: 3, n: 3}"),
        "sweeps.main.neurons.n",
        ["unknown key", "layer, select, top"],
    ),
    "far from any": (sweep("xyzzy: 1"), "sweeps.main.xyzzy", ["unknown key; allowed: "]),
    "not a word": ("sweeps: {main: {7: 1}}", "sweeps.main", ["unknown key", "allowed: "]),
}
NEURONS = {
    "layer": (sweep("neurons: [L3N0]"), "sweeps.main.neurons[0]", ["'L3N0'", "layer 3", "0-2"]),
    "neuron": (sweep("neurons: [L0N1, L0N40]"), "sweeps.main.neurons[1]", ["'L0N40'", "0-39"]),
    "in a joint one": (
        sweep("neurons: [[L0N1, L99N2]]"),
        "sweeps.main.neurons[0]",
        ["'L99N2'", "layer 99", "tiny", "0-2"],
    ),
    "not a name": (sweep("neurons: ['11.373']"), "sweeps.main.neurons[0]", ["'11.373'", "L11N373"]),
    "not a name in a joint one": (
        sweep("neurons: [[L0N1, N2]]"),
        "sweeps.main.neurons[0]",
        ["'N2'", "L"],
    ),
    "a number": (sweep("neurons: [373]"), "sweeps.main.neurons[0]", ["373", "string"]),
    "a plain name": (sweep("neurons: L0N1"), "sweeps.main.neurons", ["'L0N1'", "array"]),
    "none": (sweep("neurons: []"), "sweeps.main.neurons", ["0 entries", "at least 1"]),
    "a joint one of one": (sweep("neurons: [[L0N1]]"), "sweeps.main.neurons[0]", ["at least 2"]),
    "twice": (sweep("neurons: [L0N1, L0N1]"), "sweeps.main.neurons", ["'L0N1'", "twice", "remove"]),
    "twice, spelled otherwise": (
        sweep("neurons: [L0N1, L0N01]"),
        "sweeps.main.neurons[1]",
        ["L0N1", "twice", "remove"],
    ),
    "joint twice": (
        sweep("neurons: [[L0N1, L1N2], [L0N1, L1N2]]"),
        "sweeps.main.neurons",
        ["L0N1", "twice", "remove"],
    ),
    "joint twice, in another order": (
        sweep("neurons: [[L0N1, L1N2], L2N2, [L1N2, L0N1]]"),
        "sweeps.main.neurons[2]",
        ["L0N1+L1N2", "twice", "remove"],
    ),
    "twice in a joint one": (
        sweep("neurons: [[L0N1, L0N1]]"),
        "sweeps.main.neurons[0]",
        ["'L0N1'", "twice", "remove"],
    ),
    "twice in a joint one, spelled otherwise": (
        sweep("neurons: [[L0N1, L0N01]]"),
        "sweeps.main.neurons[0]",
        ["L0N", "twice"],
    ),
    "joint for mean": (
        "sweeps: {main: {operation: mean, neurons: [[L0N1, L1N2]]}}",
        "sweeps.main.neurons",
        ["mean", "'L0N1+L1N2'", "one by one"],
    ),
}
VALUES = {
    "text that is a number": (sweep("values: [1e5]"), "sweeps.main.values[0]", ["'1e5'", "1000.0"]),
    "quoted": (sweep("values: [0, '3']"), "sweeps.main.values[1]", ["'3'", "number", "plainly"]),
    "a word": (sweep("values: [ten]"), "sweeps.main.values[0]", ["'ten'", "number"]),
    "not a number": (sweep("values: [1, .nan]"), "sweeps.main.values[1]", ["nan", "finite"]),
    "infinite": (sweep("values: [.inf]"), "sweeps.main.values[0]", ["inf", "finite"]),
    "minus infinite": (sweep("values: [-.inf]"), "sweeps.main.values[0]", ["-inf", "finite"]),
    "beyond floating point": (
        sweep(f"values: [1{'0' * 400}]"),
        "sweeps.main.values[0]",
        ["1000", "finite"],
    ),
    "boolean": (sweep("values: [true]"), "sweeps.main.values[0]", ["True", "number"]),
    "boolean that YAML makes": (sweep("values: [on]"), "sweeps.main.values[0]", ["True"]),
    "null": (sweep("values: [1, null]"), "sweeps.main.values[1]", ["None", "number"]),
    "a date": (sweep("values: [2025-01-01]"), "sweeps.main.values[0]", ["2025", "number"]),
    "a list": (sweep("values: [[1]]"), "sweeps.main.values[0]", ["[1]", "number"]),
    "one number": (sweep("values: 5"), "sweeps.main.values", ["5", "array"]),
    "empty": (sweep("values: []"), "sweeps.main.values", ["0 entries", "at least 1"]),
    "twice": (sweep("values: [3, 5, 3]"), "sweeps.main.values", ["3", "twice", "remove"]),
    "3 and 3.0": (sweep("values: [3, 3.0]"), "sweeps.main.values", ["3", "twice", "remove"]),
    "NaN twice": (sweep("values: [.nan, .nan]"), "sweeps.main.values", ["nan"]),
}
NAMES = {
    "model": (
        sweep("model: tinny"),
        "sweeps.main.model",
        ["'tinny'", "mean 'tiny'", "configured:"],
    ),
    "model, none near": (sweep("model: gpt2"), "sweeps.main.model", ["'gpt2'", "configured: tiny"]),
    "promptset": (sweep("promptset: feww"), "sweeps.main.promptset", ["'feww'", "mean 'few'"]),
    "sweep": ("run: [mian]", "run[0]", ["'mian'", "did you mean 'main'", "configured: main"]),
    "second sweep": ("run: [main, rest]", "run[1]", ["'rest'", "configured: main"]),
    "sweep twice": ("run: [main, main]", "run", ["'main'", "twice", "remove"]),
    "no sweep": ("run: []", "run", ["0 entries", "at least 1"]),
    "run is a word": ("run: main", "run", ["'main'", "array"]),
    "name with a space": ("sweeps: {my sweep: {}}", "sweeps", ["'my sweep'", "A-Za-z0-9"]),
    "name with a slash": ("models: {a/b: {}}", "models", ["'a/b'", "A-Za-z0-9"]),
}
PROMPTSETS = {
    "missing file": (
        "promptsets: {few: {path: gone.txt}}",
        "promptsets.few.path",
        ["'gone.txt'", "no such file", "correct"],
    ),
    "a folder": ("promptsets: {few: {path: tiny}}", "promptsets.few.path", ["'tiny'", "file"]),
    "a name that Snakemake would fill in": (
        "promptsets: {few: {path: '{sweep}.txt'}}",
        "promptsets.few.path",
        ["'{sweep}.txt'", "{}<>"],
    ),
    "a name that it would fill in too": (
        "promptsets: {few: {path: '<results>.txt'}}",
        "promptsets.few.path",
        ["'<results>.txt'", "{}<>"],
    ),
    "url without sha256": (
        "promptsets: {web: {url: 'https://example.org/p.txt', format: grid}}",
        "promptsets.web",
        ["'sha256'", "url"],
    ),
    "path and url": (
        f"promptsets: {{few: {{url: 'https://example.org/p.txt', sha256: {SHA}}}}}",
        "promptsets.few",
        ["path", "url", "either"],
    ),
    "neither": ("promptsets: {web: {format: grid}}", "promptsets.web", ["path", "url", "sha256"]),
    "short sha256": (
        "promptsets: {web: {url: 'https://example.org/p.txt', sha256: abc, format: grid}}",
        "promptsets.web.sha256",
        ["'abc'", "64"],
    ),
    "not a web address": (
        f"promptsets: {{web: {{url: 'ftp://example.org/p', sha256: {SHA}, format: grid}}}}",
        "promptsets.web.url",
        ["'ftp://example.org/p'", "http"],
    ),
    "unknown format": (
        "promptsets: {few: {format: xlsx}}",
        "promptsets.few.format",
        ["'xlsx'", "grid, csv, tsv, jsonl"],
    ),
    "not a mapping": ("promptsets: {web: p.txt}", "promptsets.web", ["'p.txt'", "object"]),
}
OPERATIONS = {
    "unknown": (sweep("operation: clamp"), "sweeps.main.operation", ["'clamp'", "set, add, scale"]),
    **{
        f"values given for {name}": (
            f"sweeps: {{new: {{model: tiny, promptset: few, neurons: [L0N1], operation: {name}, "
            "values: [1], scope: all, decoding: {method: greedy, max_new_tokens: 8}}}",
            "sweeps.new.values",
            [name, "none", "remove"],
        )
        for name in ("zero", "mean", "resample")
    },
    **{
        f"values missing for {name}": (
            as_sweep(operation=name, values=None),
            "sweeps.new",
            ["'values'", name, "needs"],
        )
        for name in ("set", "add", "scale")
    },
}
SEEDS = {
    "with greedy": (sweep("seeds: [0, 1]"), "sweeps.main.seeds", ["greedy", "remove", "sample"]),
    "negative": (sweep("seeds: [-1]"), "sweeps.main.seeds[0]", ["-1", "0"]),
    "twice": (sweep("seeds: [1, 1]"), "sweeps.main.seeds", ["1", "twice", "remove"]),
    "none": (sweep("seeds: []"), "sweeps.main.seeds", ["at least 1"]),
    "a fraction": (sweep("seeds: [0.5]"), "sweeps.main.seeds[0]", ["0.5", "integer"]),
    "boolean": (sweep("seeds: [true]"), "sweeps.main.seeds[0]", ["True", "integer"]),
}
SCOPES = {
    "unknown": (
        sweep("scope: everywhere"),
        "sweeps.main.scope",
        ["'everywhere'", "all, prompt, generated, last, last_cached"],
    ),
    "a number": (sweep("scope: 3"), "sweeps.main.scope", ["3", "string or array"]),
    "negative position": (sweep("scope: [0, -1]"), "sweeps.main.scope[1]", ["-1", "0"]),
    "no positions": (sweep("scope: []"), "sweeps.main.scope", ["at least 1"]),
    "position twice": (sweep("scope: [2, 2]"), "sweeps.main.scope", ["2", "twice", "remove"]),
    "position as text": (sweep("scope: ['0']"), "sweeps.main.scope[0]", ["'0'", "integer"]),
}
SELECTIONS = {
    "criterion": (
        sweep("neurons: {select: best, layer: last, top: 3}"),
        "sweeps.main.neurons.select",
        ["'best'", "consistent, highest_mean"],
    ),
    "layer word": (
        sweep("neurons: {select: consistent, layer: first, top: 3}"),
        "sweeps.main.neurons.layer",
        ["'first'", "last, all"],
    ),
    "layer out of range": (
        sweep("neurons: {select: consistent, layer: 3, top: 3}"),
        "sweeps.main.neurons.layer",
        ["3", "tiny", "0-2"],
    ),
    "negative layer": (
        sweep("neurons: {select: consistent, layer: -1, top: 3}"),
        "sweeps.main.neurons.layer",
        ["-1", "0-2"],
    ),
    "layer out of range, as a float": (
        sweep("neurons: {select: consistent, layer: 99.0, top: 3}"),
        "sweeps.main.neurons.layer",
        ["99"],
    ),
    "top of nothing": (
        sweep("neurons: {select: consistent, layer: last, top: 0}"),
        "sweeps.main.neurons.top",
        ["0", "1"],
    ),
    "more than a layer has": (
        sweep("neurons: {select: consistent, layer: last, top: 41}"),
        "sweeps.main.neurons.top",
        ["41", "40"],
    ),
    "more than the model has": (
        sweep("neurons: {select: consistent, layer: all, top: 121}"),
        "sweeps.main.neurons.top",
        ["121", "120"],
    ),
}
DECODING = {
    "method": (
        sweep("decoding: {method: beam}"),
        "sweeps.main.decoding.method",
        ["'beam'", "greedy, sample"],
    ),
    "no tokens": (
        sweep("decoding: {max_new_tokens: 0}"),
        "sweeps.main.decoding.max_new_tokens",
        ["0", "1"],
    ),
    "temperature zero": (
        sweep("decoding: {method: sample, temperature: 0}"),
        "sweeps.main.decoding.temperature",
        ["0"],
    ),
    "temperature not a number": (
        sweep("decoding: {method: sample, temperature: .nan}"),
        "sweeps.main.decoding.temperature",
        ["nan", "finite"],
    ),
    "temperature infinite": (
        sweep("decoding: {method: sample, temperature: .inf}"),
        "sweeps.main.decoding.temperature",
        ["inf", "finite"],
    ),
    "top_p above one": (
        sweep("decoding: {method: sample, temperature: 1, top_p: 1.5}"),
        "sweeps.main.decoding.top_p",
        ["1.5", "1"],
    ),
    "top_p not a number": (
        sweep("decoding: {method: sample, temperature: 1, top_p: .nan}"),
        "sweeps.main.decoding.top_p",
        ["nan", "finite"],
    ),
    "top_k zero": (
        sweep("decoding: {method: sample, temperature: 1, top_k: 0}"),
        "sweeps.main.decoding.top_k",
        ["0", "1"],
    ),
    "a word": (sweep("decoding: greedy"), "sweeps.main.decoding", ["'greedy'", "object"]),
    "detector": (
        sweep("detectors: [surfcae]"),
        "sweeps.main.detectors[0]",
        ["'surfcae'", "surface, entropy, loop"],
    ),
    "no detector": (sweep("detectors: []"), "sweeps.main.detectors", ["at least 1"]),
}
MODELS = {
    "source": ("models: {tiny: {source: disk}}", "models.tiny.source", ["'disk'", "pypi, hub"]),
    "path without config.json": (
        "models: {tiny: {path: .}}",
        "models.tiny.path",
        ["'.'", "folder", "config.json"],
    ),
    "no such path": ("models: {tiny: {path: gone}}", "models.tiny.path", ["'gone'", "config.json"]),
    "path with another digest": (
        f"models: {{tiny: {{sha256: {SHA}}}}}",
        "models.tiny.sha256",
        [SHA, "tiny"],
    ),
    "dtype": ("models: {tiny: {dtype: int8}}", "models.tiny.dtype", ["'int8'", "float32, float64"]),
    "no layers": ("models: {tiny: {n_layers: 0}}", "models.tiny.n_layers", ["0", "1"]),
    "bos as text": (
        "models: {tiny: {prepend_bos: 'no'}}",
        "models.tiny.prepend_bos",
        ["'no'", "boolean"],
    ),
    "processing": (
        "models: {tiny: {weight_processing: fold}}",
        "models.tiny.weight_processing",
        ["'fold'", "none, compatibility"],
    ),
    "branch for a revision": (
        as_model({**HUB, "revision": "main"}),
        "models.other.revision",
        ["'main'", "40"],
    ),
    "repo without owner": (as_model({**HUB, "repo": "gpt2"}), "models.other.repo", ["'gpt2'", "/"]),
    "package without version": (
        as_model({**PYPI, "package": "llm"}),
        "models.other.package",
        ["'llm'", "=="],
    ),
    "file that is no GGUF": (
        as_model({**PYPI, "file": "pytorch_model.bin"}),
        "models.other.file",
        ["'pytorch_model.bin'", "gguf"],
    ),
    "sha256 with a line end": (
        as_model({**PYPI, "sha256": f"{SHA}\n"}),
        "models.other.sha256",
        [SHA, "64"],
    ),
    "threads": ("compute: {threads: 0}", "compute.threads", ["0", "1"]),
    "device": ("compute: {device: gpu}", "compute.device", ["'gpu'", "auto, cpu, cuda"]),
    "compute left empty": ("compute:", "compute", ["None", "object"]),
}
REFERENCES = {
    "missing file": (
        sweep("reference: gone.yaml"),
        "sweeps.main.reference",
        ["'gone.yaml'", "no such file"],
    ),
    "a folder": (sweep("reference: tiny"), "sweeps.main.reference", ["'tiny'", "no such file"]),
    "no name": (sweep("reference: [facts.yaml]"), "sweeps.main.reference", ["string"]),
    "no such figures": (
        sweep("reference: few.txt"),
        "sweeps.main.reference",
        ["few.txt", "expected keys with values"],
    ),
    "detector that is not chosen": (
        sweep("reference: facts.yaml, detectors: [loop]"),
        "sweeps.main.reference",
        ["facts.yaml", "'surface'", "add 'surface' to the sweep's detectors"],
    ),
}


def srm(text: str = "", neurons: str = "[L1N2]") -> str:
    """An overlay in which `main` changes one layer, and has the key `srm` with what is needed."""
    needed = {"basis": ["L1N0", "L1N1"], "group_by": ["type"], "thresholds": [0.5]}
    entry = {**needed, **yaml.safe_load(f"{{{text}}}")}
    entry = {name: value for name, value in entry.items() if value is not None}
    return yaml.safe_dump({"sweeps": {"main": {"neurons": yaml.safe_load(neurons), "srm": entry}}})


TWO_LAYERS = "[[L1N2, L2N3]]"
SRMS = {
    "unknown key": (srm("angles: 72"), "sweeps.main.srm.angles", ["allowed: basis, group_by"]),
    "no mapping": (sweep("srm: [type]"), "sweeps.main.srm", ["['type']", "object"]),
    "left empty": (sweep("srm:"), "sweeps.main.srm", ["None", "object"]),
    "no basis": (srm("basis: null"), "sweeps.main.srm", ["'basis'", "group_by", "thresholds"]),
    "one neuron": (srm("basis: [L1N0]"), "sweeps.main.srm.basis", ["1 entries", "at least 2"]),
    "three neurons": (
        srm("basis: [L1N0, L1N1, L1N3]"),
        "sweeps.main.srm.basis",
        ["3 entries", "at most 2"],
    ),
    "equal neurons": (srm("basis: [L1N0, L1N0]"), "sweeps.main.srm.basis", ["'L1N0'", "twice"]),
    "equal neurons, spelled otherwise": (
        srm("basis: [L1N0, L1N00]"),
        "sweeps.main.srm.basis",
        ["'L1N0'", "'L1N00'", "one neuron", "name two"],
    ),
    "a neuron and prompts": (
        srm("basis: [L1N0, {type: x}]"),
        "sweeps.main.srm.basis",
        ["two neurons, or two groups"],
    ),
    "no name": (srm("basis: [L1N0, N1]"), "sweeps.main.srm.basis[1]", ["'N1'", "L"]),
    "a random direction": (srm("basis: [L1N0, L1N1R2]"), "sweeps.main.srm.basis[1]", ["'L1N1R2'"]),
    "layer not swept": (
        srm("basis: [L1N0, L2N1]"),
        "sweeps.main.srm.basis[1]",
        ["'L2N1'", "layer 2", "changes layer 1"],
    ),
    "layer not swept by a selection": (
        srm("basis: [L1N0, L1N1]", "{select: consistent, layer: last, top: 2}"),
        "sweeps.main.srm.basis[0]",
        ["'L1N0'", "layer 1", "changes layer 2"],
    ),
    "two layers": (
        srm("basis: [L1N0, L2N1]", TWO_LAYERS),
        "sweeps.main.srm.basis",
        ["L1N0", "L2N1", "two layers", "one layer"],
    ),
    "neuron out of range": (
        srm("basis: [L1N0, L1N40]"),
        "sweeps.main.srm.basis[1]",
        ["'L1N40'", "0-39"],
    ),
    "changed neuron": (
        srm("basis: [L1N0, L1N02]"),
        "sweeps.main.srm.basis[1]",
        ["'L1N2'", "changed by the sweep", "another"],
    ),
    "neuron changed with others": (
        srm("basis: [L2N0, L2N3]", TWO_LAYERS),
        "sweeps.main.srm.basis[1]",
        ["'L2N3'", "changed by the sweep"],
    ),
    "prompts by an unknown factor": (
        srm("basis: [{tpye: x}, {type: y}]"),
        "sweeps.main.srm.basis[0].tpye",
        ["did you mean 'type'", "core, level, type"],
    ),
    "prompts by the clamp": (
        srm("basis: [{clamp: 3}, {type: y}]"),
        "sweeps.main.srm.basis[0].clamp",
        ["allowed: core, level, type"],
    ),
    "prompts by a level in words": (
        srm("basis: [{level: high}, {level: 1}]"),
        "sweeps.main.srm.basis[0].level",
        ["'high'", "integer"],
    ),
    "all prompts": (srm("basis: [{}, {type: y}]"), "sweeps.main.srm.basis[0]", ["{}"]),
    "the same prompts": (
        srm("basis: [{type: y}, {type: y}]"),
        "sweeps.main.srm.basis",
        ["twice"],
    ),
    "prompts and two layers": (
        srm("basis: [{type: x}, {type: y}]", TWO_LAYERS),
        "sweeps.main.srm.basis",
        ["layers 1, 2", "name two neurons"],
    ),
    "factor": (srm("group_by: [tpye]"), "sweeps.main.srm.group_by[0]", ["'tpye'", "type, level"]),
    "factor twice": (srm("group_by: [type, type]"), "sweeps.main.srm.group_by", ["twice"]),
    "no factor": (srm("group_by: []"), "sweeps.main.srm.group_by", ["at least 1"]),
    "threshold 0": (srm("thresholds: [0.3, 0]"), "sweeps.main.srm.thresholds[1]", ["0"]),
    "threshold 1": (srm("thresholds: [1]"), "sweeps.main.srm.thresholds[0]", ["1"]),
    "threshold twice": (srm("thresholds: [0.5, 0.5]"), "sweeps.main.srm.thresholds", ["twice"]),
    "no threshold": (srm("thresholds: []"), "sweeps.main.srm.thresholds", ["at least 1"]),
    "threshold in words": (srm("thresholds: [half]"), "sweeps.main.srm.thresholds[0]", ["'half'"]),
    "threshold not a number": (
        srm("thresholds: [.nan]"),
        "sweeps.main.srm.thresholds[0]",
        ["nan", "finite"],
    ),
}
SAMPLED = "decoding: {method: sample, temperature: 1.0}"
COMPARISONS = {
    "unknown key": (
        sweep("controls: {number: 5}"),
        "sweeps.main.controls.number",
        ["unknown key", "count, matching, prompts, seed, values"],
    ),
    "misspelled key": (
        sweep("controls: {vaules: [0]}"),
        "sweeps.main.controls.vaules",
        ["did you mean 'values'"],
    ),
    "left empty": (sweep("controls:"), "sweeps.main.controls", ["None", "object"]),
    "a number": (sweep("controls: 20"), "sweeps.main.controls", ["20", "object"]),
    "count 0": (sweep("controls: {count: 0}"), "sweeps.main.controls.count", ["0", "minimum of 1"]),
    "count in words": (
        sweep("controls: {count: many}"),
        "sweeps.main.controls.count",
        ["'many'", "integer"],
    ),
    "count above what directions are numbered for": (
        sweep("controls: {count: 1001}"),
        "sweeps.main.controls.count",
        ["1001", "maximum of 1000"],
    ),
    "count of a whole layer": (
        sweep("controls: {count: 40}"),
        "sweeps.main.controls.count",
        ["got 40", "tiny has 40 neurons", "fewer"],
    ),
    "negative seed": (sweep("controls: {seed: -1}"), "sweeps.main.controls.seed", ["-1", "0"]),
    "matching something else": (
        sweep("controls: {matching: [norm, mean]}"),
        "sweeps.main.controls.matching[1]",
        ["'mean'", "norm, activation"],
    ),
    "matching in a word": (
        sweep("controls: {matching: norm}"),
        "sweeps.main.controls.matching",
        ["'norm'", "array"],
    ),
    "matching twice": (
        sweep("controls: {matching: [norm, norm]}"),
        "sweeps.main.controls.matching",
        ["'norm'", "twice"],
    ),
    "value that the sweep has not": (
        sweep("controls: {values: [0, 7]}"),
        "sweeps.main.controls.values[1]",
        ["got 7", "-3, 0, 2.5"],
    ),
    "value twice": (
        sweep("controls: {values: [0, 0.0]}"),
        "sweeps.main.controls.values",
        ["twice"],
    ),
    "no value": (sweep("controls: {values: []}"), "sweeps.main.controls.values", ["at least 1"]),
    "value not a number": (
        sweep("controls: {values: [.nan]}"),
        "sweeps.main.controls.values[0]",
        ["nan", "-3, 0, 2.5"],
    ),
    "values where the operation takes none": (
        as_sweep(operation="zero", values=None, controls={"values": [0]}),
        "sweeps.new.controls.values",
        ["'zero'", "none", "remove"],
    ),
    "some prompts where the others lend activations": (
        as_sweep(operation="resample", values=None, controls={"prompts": 5}),
        "sweeps.new.controls.prompts",
        ["'resample'", "all prompts", "remove"],
    ),
    "no prompts": (sweep("controls: {prompts: 0}"), "sweeps.main.controls.prompts", ["0", "1"]),
    "a neuron's random direction": (
        sweep("neurons: [L0N1, L1N2R3]"),
        "sweeps.main.neurons[1]",
        ["'L1N2R3'", "'controls'"],
    ),
    "run by itself": (
        changed(sweep("controls: {}"), "run: [main/controls]"),
        "run[0]",
        ["'main/controls'", "configured: main"],
    ),
    "few seeds": (
        sweep("variability: {seeds: 7}"),
        "sweeps.main.variability.seeds",
        ["7", "minimum of 8"],
    ),
    "list of seeds": (
        sweep("variability: {seeds: [0, 1]}"),
        "sweeps.main.variability.seeds",
        ["[0, 1]", "integer"],
    ),
    "temperature 0": (
        sweep("variability: {temperature: 0}"),
        "sweeps.main.variability.temperature",
        ["0"],
    ),
    "temperature not a number": (
        sweep("variability: {temperature: .nan}"),
        "sweeps.main.variability.temperature",
        ["nan", "finite"],
    ),
    "unknown key of variability": (
        sweep("variability: {top_k: 5}"),
        "sweeps.main.variability.top_k",
        ["unknown key", "seeds, temperature"],
    ),
    "variability of a sampled sweep": (
        sweep(f"{SAMPLED}, variability: {{}}"),
        "sweeps.main.variability",
        ["sampled", "remove", "8 seeds"],
    ),
}
FAULTS = {
    f"{kind}: {name}": fault
    for kind, faults in {
        "unknown key": UNKNOWN_KEYS,
        "neurons": NEURONS,
        "values": VALUES,
        "names": NAMES,
        "promptset": PROMPTSETS,
        "operation": OPERATIONS,
        "seeds": SEEDS,
        "scope": SCOPES,
        "selection": SELECTIONS,
        "decoding": DECODING,
        "model": MODELS,
        "reference": REFERENCES,
        "srm": SRMS,
        "comparison": COMPARISONS,
    }.items()
    for name, fault in faults.items()
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(fault):
    overlay, key, said = fault
    message = refusal(config=changed(BASE, overlay))
    assert message.startswith(f"config.yaml: {key}")
    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(fault):
    overlay, key, said = fault
    message = refusal(config=BASE, overlay=overlay)
    assert message.startswith(f"overlay.yaml: {key}")
    assert [part for part in said if part not in message] == []


IMPORT_FAULTS = {
    "missing file": ("{extracted: gone.tsv}", "extracted", ["'gone.tsv'", "no such file"]),
    "a name with codes": ('{extracted: "a\\e[31m.tsv"}', "extracted", ["'a\\x1b[31m.tsv'"]),
    "two targets": ("{neurons: [L0N1, L0N2]}", "neurons", ["one"]),
    "no name": ("{neurons: [x]}", "neurons[0]", ["'x'", "L11N373"]),
    "operation without values": ("{operation: zero}", "operation", ["'zero'", "set, add, scale"]),
    "positions": ("{scope: [1]}", "scope", ["[1]", "all, prompt"]),
    "detector that needs tokens": ("{detectors: [loop]}", "detectors[0]", ["'loop'", "surface"]),
    "values": ("{values: [1]}", "values", ["unknown key", "allowed: "]),
    "missing reference": ("{reference: gone.yaml}", "reference", ["'gone.yaml'", "no such file"]),
    "detector of the reference": (
        "{reference: facts.yaml, detectors: [entropy]}",
        "reference",
        ["facts.yaml", "'surface'", "add"],
    ),
}


@pytest.mark.parametrize("fault", IMPORT_FAULTS.values(), ids=IMPORT_FAULTS.keys())
def test_a_fault_in_an_imported_sweep_is_one_line_with_file_key_value_and_what_is_allowed(fault):
    change, key, said = fault
    overlay = changed(IMPORTED, f"sweeps: {{old: {change}}}")
    message = refusal(config=BASE, overlay=overlay)
    assert message.startswith(f"overlay.yaml: sweeps.old.{key}")
    assert [part for part in said if part not in message] == []


REFERENCE_FAULTS = {
    "unknown key": ("n_prompt: 2", "n_prompt", ["unknown key", "did you mean 'n_prompts'"]),
    "neuron": ("neuron: '373'", "neuron", ["'373'"]),
    "detector": ("detector: surfcae", "detector", ["'surfcae'", "surface, entropy, loop"]),
    "operation": ("operation: zero", "operation", ["'zero'", "set, add, scale"]),
    "count": ("n_prompts: many", "n_prompts", ["'many'", "integer"]),
    "clamps": ("collapsed: {a/b/1: 25}", "collapsed.a/b/1", ["25", "array"]),
    "clamp in words": ("collapsed: {a/b/1: [low]}", "collapsed.a/b/1[0]", ["'low'", "number"]),
    "clamp that is no number": ("by_clamp: {low: {rescued: 1}}", "by_clamp", ["'low'", "number"]),
    "unknown count": (
        "by_clamp: {25: {rescued: 1, hurt: 1}}",
        "by_clamp[25].hurt",
        ["unknown key", "harmed"],
    ),
    "no rescued": ("by_clamp: {25: {harmed: 1}}", "by_clamp[25]", ["'rescued'"]),
    "negative": ("by_clamp: {2.5: {rescued: -1}}", "by_clamp.2.5.rescued", ["-1"]),
}


@pytest.mark.parametrize("fault", REFERENCE_FAULTS.values(), ids=REFERENCE_FAULTS.keys())
@pytest.mark.parametrize("name", ["main", "old"])
def test_a_fault_in_a_reference_is_one_line_with_both_files_and_keys(fault, name):
    change, key, said = fault
    Path("facts.yaml").write_text(changed(REFERENCE, change))
    base = changed(BASE, IMPORTED)
    message = refusal(config=base, overlay=f"sweeps: {{{name}: {{reference: facts.yaml}}}}")
    assert message.startswith(f"overlay.yaml: sweeps.{name}.reference: facts.yaml: {key}")
    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize("key", list(yaml.safe_load(REFERENCE)))
def test_a_missing_key_of_a_reference_is_named(key):
    Path("facts.yaml").write_text(without(REFERENCE, key))
    message = refusal(config=BASE, overlay=sweep("reference: facts.yaml"))
    assert f"facts.yaml: lacks the key {key!r}" in message


NEEDED = {
    "models": list(yaml.safe_load(BASE)["models"]["tiny"]),
    "promptsets": ["format"],
    "sweeps": ["model", "promptset", "neurons", "operation", "scope", "decoding"],
}
SECTIONS = {"models": "tiny", "promptsets": "few", "sweeps": "main"}
MISSING = [(kind, SECTIONS[kind], key) for kind, keys in NEEDED.items() for key in keys]


@pytest.mark.parametrize("path", MISSING, ids=".".join)
def test_a_missing_key_is_named_with_where_it_is_missing(path):
    message = refusal(config=without(BASE, *path))
    assert message.startswith(f"config.yaml: {'.'.join(path[:-1])}")
    assert path[-1] in message


@pytest.mark.parametrize("key", ["method", "max_new_tokens"])
def test_a_missing_decoding_key_is_named_with_where_it_is_missing(key):
    message = refusal(config=without(BASE, "sweeps", "main", "decoding", key))
    assert message.startswith("config.yaml: sweeps.main.decoding")
    assert key in message


def test_sampling_needs_a_temperature():
    message = refusal(config=changed(BASE, sweep("decoding: {method: sample}")))
    assert message.startswith("config.yaml: sweeps.main.decoding: ")
    assert "'temperature'" in message


@pytest.mark.parametrize("key", ["run", "models", "promptsets", "sweeps"])
def test_a_missing_section_is_named(key):
    message = refusal(config=without(BASE, key))
    assert message.startswith("config.yaml: ")
    assert f"lacks the key {key!r}" in message


def test_a_key_missing_in_what_an_overlay_adds_is_said_of_the_overlay():
    message = refusal(config=BASE, overlay=as_sweep(scope=None))
    assert message.startswith("overlay.yaml: sweeps.new: ")
    assert "'scope'" in message


def test_a_misspelled_needed_key_gets_a_suggestion_rather_than_lacks():
    text = without(BASE, "sweeps", "main", "promptset")
    message = refusal(config=changed(text, sweep("promtset: few")))
    assert message.startswith("config.yaml: sweeps.main.promtset: ")
    assert "did you mean 'promptset'" in message


def test_a_fault_of_the_base_is_not_said_of_an_overlay_that_changes_its_neighbours():
    text = changed(BASE, sweep("values: [1, .nan]"))
    overlay = sweep("scope: last, decoding: {max_new_tokens: 3}")
    assert refusal(config=text, overlay=overlay).startswith("config.yaml: sweeps.main.values[1]: ")


def test_the_last_of_several_overlays_that_holds_the_key_is_named():
    one, two = sweep("values: [1]"), sweep("values: [.inf]")
    three = sweep("scope: last")
    message = refusal(config=BASE, one=one, two=two, three=three)
    assert message.startswith("two.yaml: sweeps.main.values[0]: ")


def test_a_fault_that_an_overlay_mends_is_none():
    text = changed(BASE, sweep("values: [.nan], scope: nowhere"))
    assert parse(config=text, overlay=sweep("values: [1], scope: all")).run == ("main",)


def test_a_value_from_the_command_line_is_said_of_it_where_it_is_given_like_a_file():
    files = {**write(config=BASE), "--config": {"run": ["mian"]}}
    with pytest.raises(UserError, match=r"^--config: run\[0\]: .*'mian'"):
        parse_module.parse(merge(*files.values()), files, SCHEMA)


@pytest.mark.parametrize("overlay", ['"a\\nb": 1', 'sweeps: {"a\\nb": {}}', sweep('"a\\nb": 1')])
def test_a_line_end_in_a_key_does_not_break_the_line(overlay):
    refusal(config=BASE, overlay=overlay)


@pytest.mark.parametrize("overlay", ['run: ["a\\nb"]', sweep('model: "a\\nb"')])
def test_a_line_end_in_a_value_does_not_break_the_line(overlay):
    assert r"'a\nb'" in refusal(config=BASE, overlay=overlay)


@pytest.mark.parametrize("path", ["sweeps", "models", "promptsets", "sweeps.main"])
@pytest.mark.parametrize("value", ["null", "7", "[a]", "text"])
def test_a_section_that_is_no_mapping_is_refused(path, value):
    first, *rest = path.split(".")
    content = yaml.safe_load(BASE)
    part = content[first] if rest else content
    part[(rest or [first])[0]] = yaml.safe_load(value)
    message = refusal(config=yaml.safe_dump(content))
    assert message.startswith(f"config.yaml: {path}: ")
    assert "object" in message


def test_a_sha256_beside_a_local_promptset_is_checked_or_refused_but_not_dropped():
    overlay = f"promptsets: {{few: {{sha256: {SHA}}}}}"
    assert "sha256" in refusal(config=BASE, overlay=overlay)


# YAML itself


def unreadable(content: str | bytes) -> str:
    """The one line with which a file of this content is refused, without the file's name."""
    data = content if isinstance(content, bytes) else content.encode()
    Path("bad.yaml").write_bytes(data)
    with pytest.raises(UserError) as caught:
        read_yaml("bad.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("bad.yaml")
    return message.removeprefix("bad.yaml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("run: [main\nmodels: {}\n", 2),
        ("run: main\n models: {}\n", 2),
        ("a: 1\nb: 2\n\tc: 3\n", 3),
        ('a: 1\nb: "open\n', 3),
        ("a: 1\nb: *gone\n", 2),
        ("a: 1\nb: !secret x\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: 1\nb: 2: 3\n", 2),
        ("a: @b\n", 1),
    ],
)
def test_wrong_yaml_is_one_line_with_the_line_number(text, line):
    assert unreadable(text).startswith(f", line {line}: not valid YAML: ")


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("run: [a]\nmodels: {}\nrun: [b]\n", "run", 3),
        ("sweeps:\n  a: {}\n  b: {}\n  a: {}\n", "a", 4),
        ("sweeps:\n  a:\n    scope: all\n    values: [1]\n    scope: last\n", "scope", 5),
        ("a: {x: 1, y: 2, x: 3}\n", "x", 1),
        ("a: [{x: 1,\n x: 2}]\n", "x", 2),
    ],
)
def test_a_key_given_twice_is_one_line_with_the_line_of_the_second(text, key, line):
    message = unreadable(text)
    assert message.startswith(f", line {line}: ")
    assert repr(key) in message and "twice" in message


@pytest.mark.parametrize("text", ["a: {{ value }}\n", "? [1]\n: 2\n", "? {a: 1}\n: 2\n"])
def test_a_key_that_is_no_scalar_is_one_line_with_the_line_number(text):
    assert unreadable(text).startswith(", line 1: not valid YAML: ")


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_is_refused_by_saying_what_is_expected(text):
    assert "expected keys with values" in unreadable(text)


@pytest.mark.parametrize("text", ["- run\n- models\n", "just words\n", "7\n", "2025-01-01\n"])
def test_a_file_that_is_no_mapping_is_refused_by_saying_what_is_expected(text):
    assert "expected keys with values" in unreadable(text)


@pytest.mark.parametrize(
    "content", [b"a: \xff\xfe\n", b"a: caf\xe9\n", b"a: \x00\n", "a: 2025-13-45\n", "a: 0x_\n"]
)
def test_content_that_is_no_text_or_no_date_or_no_number_is_one_line(content):
    assert "not valid YAML" in unreadable(content)


def test_a_missing_config_file_is_one_line_with_the_reason():
    with pytest.raises(UserError, match=r"^gone\.yaml: cannot read .*No such file"):
        read_yaml("gone.yaml")


def test_a_folder_for_a_config_file_is_one_line_with_the_reason():
    with pytest.raises(UserError, match=r"^tiny: cannot read .*directory"):
        read_yaml("tiny")


def test_anchors_and_merge_keys_are_read_as_yaml_means_them():
    text = "a: &common {x: 1, y: 2}\nb:\n  <<: *common\n  y: 3\nc: *common\n"
    assert write(base=text)["base.yaml"] == yaml.safe_load(text)


def test_a_byte_order_mark_and_other_scripts_are_read():
    Path("bom.yaml").write_bytes("licence: 學術 © é\n".encode("utf-8-sig"))
    assert read_yaml("bom.yaml") == {"licence": "學術 © é"}


# What is accepted


def only(parsed: Config, name: str = "main") -> Sweep:
    found = parsed.sweeps[name]
    assert isinstance(found, Sweep)
    return found


def test_a_sweep_is_read_with_its_model_and_promptset():
    parsed = parse(config=BASE)
    found = only(parsed)
    assert parsed.run == ("main",)
    assert found.model is parsed.models["tiny"] and found.promptset is parsed.promptsets["few"]
    assert found.targets == ("L0N1", "L1N2+L2N3")
    assert (found.operation, found.values, found.scope) == ("set", (-3.0, 0.0, 2.5), "all")
    assert found.decoding == Decoding("greedy", 8)
    assert not found.needs_statistics


def test_where_a_thing_stands_is_kept_for_later_messages():
    parsed = parse(config=BASE, overlay="promptsets: {more: {path: few.txt, format: csv}}")
    assert parsed.models["tiny"].where == "config.yaml: models.tiny"
    assert parsed.promptsets["more"].where == "overlay.yaml: promptsets.more"
    assert parsed.sweeps["main"].where == "config.yaml: sweeps.main"


def test_defaults_are_filled_in():
    parsed = parse(config=BASE)
    assert only(parsed).detectors == ("surface", "entropy", "loop")
    assert only(parsed).seeds == (None,)
    assert parsed.compute == Compute(2, "auto", 384, 1200)


def test_given_values_replace_the_defaults_one_by_one():
    parsed = parse(config=BASE, overlay="compute: {threads: 7}\n" + sweep("detectors: [loop]"))
    assert parsed.compute == Compute(7, "auto", 384, 1200)
    assert only(parsed).detectors == ("loop",)


def test_an_overlay_changes_what_it_names_and_replaces_lists_as_a_whole():
    overlay = sweep("values: [7], decoding: {max_new_tokens: 3}")
    found = only(parse(config=BASE, overlay=overlay))
    assert found.values == (7.0,)
    assert found.decoding == Decoding("greedy", 3)
    assert found.targets == ("L0N1", "L1N2+L2N3")


def test_parsing_changes_neither_the_merged_config_nor_the_files():
    files = write(config=BASE, overlay=as_sweep(values=[1]))
    merged = merge(*files.values())
    before = copy.deepcopy((merged, files))
    parse_module.parse(merged, files, SCHEMA)
    assert (merged, files) == before


@pytest.mark.parametrize("operation", ["mean", "zero", "resample"])
def test_operations_without_values_have_one_value_that_is_none(operation):
    text = changed(without(BASE, "sweeps", "main", "values"), sweep("neurons: [L0N1]"))
    found = only(parse(config=changed(text, sweep(f"operation: {operation}"))))
    assert found.values == (None,)
    assert found.needs_statistics == (operation == "mean")


@pytest.mark.parametrize("operation", ["set", "add", "scale"])
def test_operations_with_values_take_whole_numbers_and_fractions_as_floats(operation):
    found = only(parse(config=BASE, overlay=sweep(f"operation: {operation}")))
    assert found.values == (-3.0, 0.0, 2.5)
    assert all(isinstance(value, float) for value in found.values)


@pytest.mark.parametrize(
    ("entry", "layer"),
    [("last", 2), ("all", None), ("0", 0), ("2", 2)],
)
def test_a_selection_knows_its_layer(entry, layer):
    found = only(
        parse(config=BASE, overlay=sweep(f"neurons: {{select: lowest_sd, layer: {entry}, top: 2}}"))
    )
    assert found.targets == Selection("lowest_sd", layer, 2)
    assert found.needs_statistics


@pytest.mark.parametrize(("layer", "most"), [("last", 40), ("all", 120)])
def test_a_selection_may_take_all_there_are(layer, most):
    overlay = sweep(f"neurons: {{select: consistent, layer: {layer}, top: {most}}}")
    assert only(parse(config=BASE, overlay=overlay)).targets.top == most


@pytest.mark.parametrize("entry", ["[0, 2, 5]", "[5, 0, 2]"])
def test_positions_are_one_scope_whatever_their_order(entry):
    assert only(parse(config=BASE, overlay=sweep(f"scope: {entry}"))).scope == "0,2,5"


@pytest.mark.parametrize("entry", ["[L1N2, L2N3]", "[L2N3, L1N2]", "[L02N3, L1N002]"])
def test_a_joint_target_has_one_name_whatever_its_order_and_spelling(entry):
    found = only(parse(config=BASE, overlay=sweep(f"neurons: [{entry}]")))
    assert found.targets == ("L1N2+L2N3",)


def test_the_first_and_the_last_neuron_are_in_range():
    found = only(parse(config=BASE, overlay=sweep("neurons: [L0N0, L2N39]")))
    assert found.targets == ("L0N0", "L2N39")


def test_sampling_draws_with_the_seeds_given_or_with_one():
    drawn = sweep("decoding: {method: sample, temperature: 1}")
    assert only(parse(config=BASE, overlay=drawn)).seeds == (0,)
    more = changed(drawn, sweep("seeds: [3, 1]"))
    assert only(parse(config=BASE, overlay=more)).seeds == (3, 1)


def test_resampling_takes_seeds_with_greedy_decoding():
    text = without(BASE, "sweeps", "main", "values")
    found = only(parse(config=text, overlay=sweep("operation: resample, seeds: [0, 1]")))
    assert found.seeds == (0, 1)


def test_numbers_with_an_exponent_are_accepted_where_yaml_reads_them_as_numbers():
    found = only(parse(config=BASE, overlay=sweep("values: [1.0e+5, -2.5e-3]")))
    assert found.values == (1e5, -0.0025)


WHOLE = {
    "top": sweep("neurons: {select: consistent, layer: last, top: 2.0}"),
    "layer": sweep("neurons: {select: consistent, layer: 1.0, top: 2}"),
    "max_new_tokens": sweep("decoding: {max_new_tokens: 8.0}"),
    "scope": sweep("scope: [0.0, 1]"),
    "n_layers": "models: {tiny: {n_layers: 3.0}}",
    "threads": "compute: {threads: 2.0}",
    "seeds": sweep("seeds: [1.0], decoding: {method: sample, temperature: 1}"),
}


@pytest.mark.parametrize("overlay", WHOLE.values(), ids=WHOLE.keys())
def test_a_whole_number_written_as_a_fraction_is_refused_or_taken_as_whole(overlay):
    try:
        parsed = parse(config=BASE, overlay=overlay)
    except UserError as error:
        assert "\n" not in str(error)
        return
    found = only(parsed)
    numbers = [parsed.models["tiny"].n_layers, parsed.compute.threads, *found.seeds]
    numbers.append(found.decoding.max_new_tokens)
    if isinstance(found.targets, Selection):
        numbers += [found.targets.layer, found.targets.top]
    assert not any(isinstance(number, float) for number in numbers)
    assert "." not in found.scope


def test_an_imported_sweep_stands_beside_generated_ones():
    found = parse(config=BASE, overlay=IMPORTED).sweeps["old"]
    assert isinstance(found, ImportedSweep)
    assert (found.target, found.operation, found.scope) == ("L11N373", "set", "all")
    assert found.detectors == ("surface", "entropy")


def test_a_reference_is_kept_by_its_path_and_is_none_unless_given():
    overlay = changed(IMPORTED, sweep("reference: facts.yaml, detectors: [loop, surface]"))
    found = parse(config=BASE, overlay=overlay).sweeps
    assert (found["main"].reference, found["old"].reference) == ("facts.yaml", None)
    again = changed(IMPORTED, "sweeps: {old: {reference: facts.yaml}}")
    assert parse(config=BASE, overlay=again).sweeps["old"].reference == "facts.yaml"


def test_controls_and_sampled_baselines_have_defaults_and_are_left_out_unless_asked_for():
    found = only(parse(config=BASE, overlay=sweep("controls: {}, variability: {}")))
    both = ("norm", "activation")
    assert found.controls == Controls(20, 0, both, values=(-3.0, 0.0, 2.5), prompts=None)
    assert found.variability == Variability(seeds=8, temperature=1.0)
    plain = parse(config=BASE)
    assert (only(plain).controls, only(plain).variability) == (None, None)
    assert list(plain.sweeps) == ["main"]


def test_given_controls_replace_the_defaults_one_by_one():
    text = "controls: {count: 39, seed: 4, matching: [], values: [2.5, -3], prompts: 6}"
    found = only(parse(config=BASE, overlay=sweep(text)))
    assert found.controls == Controls(39, 4, (), (2.5, -3.0), 6)
    again = only(parse(config=BASE, overlay=sweep("variability: {seeds: 9, temperature: 2}")))
    assert again.variability == Variability(9, 2.0)


def test_the_controls_of_a_sweep_are_a_sweep_like_it_with_targets_yet_to_be_chosen():
    text = "controls: {count: 3, seed: 4, values: [0], prompts: 6}, reference: facts.yaml"
    parsed = parse(config=BASE, overlay=sweep(text))
    assert list(parsed.sweeps) == ["main", "main/controls"]
    main, controls = parsed.sweeps["main"], parsed.sweeps["main/controls"]
    assert isinstance(controls, Sweep) and controls.derived == {}
    assert controls.targets == Matched("main", main.controls)
    assert controls.needs_statistics
    assert (controls.values, controls.drawn) == ((0.0,), (6, 4))
    assert (controls.reference, controls.controls, controls.variability) == (None, None, None)
    same = ("model", "promptset", "operation", "scope", "decoding", "seeds", "detectors")
    assert all(getattr(controls, name) == getattr(main, name) for name in same)
    assert main.drawn is None
    assert parsed.run == ("main",)


def test_the_controls_of_all_prompts_draw_none():
    parsed = parse(config=BASE, overlay=sweep("controls: {seed: 4}"))
    assert parsed.sweeps["main/controls"].drawn is None


@pytest.mark.parametrize("operation", ["mean", "zero", "resample"])
def test_controls_of_an_operation_without_values_have_the_one_that_is_none(operation):
    overlay = as_sweep(operation=operation, values=None, neurons=["L0N1"], controls={})
    parsed = parse(config=BASE, overlay=overlay)
    assert parsed.sweeps["new/controls"].values == (None,)


def test_the_sampled_baselines_of_a_sweep_are_a_sweep_without_targets():
    text = "variability: {seeds: 9, temperature: 0.5}, controls: {prompts: 2}"
    parsed = parse(config=BASE, overlay=sweep(text))
    assert list(parsed.sweeps) == ["main", "main/controls", "main/variability"]
    found = parsed.sweeps["main/variability"]
    assert isinstance(found, Sweep) and found.derived == {}
    assert (found.targets, found.values, found.drawn) == ((), (), None)
    assert found.seeds == tuple(range(9))
    assert found.decoding == Decoding("sample", 8, temperature=0.5)
    assert not found.needs_statistics


def test_a_sampled_sweep_may_have_controls_with_its_own_seeds():
    text = f"{SAMPLED}, seeds: [3, 5], controls: {{}}"
    parsed = parse(config=BASE, overlay=sweep(text))
    assert parsed.sweeps["main/controls"].seeds == (3, 5)


def test_a_plane_of_neurons_is_read():
    found = only(parse(config=BASE, overlay=srm("thresholds: [0.3, 0.5], group_by: [core, clamp]")))
    assert found.srm is not None
    assert found.srm.where == "overlay.yaml: sweeps.main.srm"
    assert found.srm.basis == ("L1N0", "L1N1")
    assert (found.srm.group_by, found.srm.thresholds) == (("core", "clamp"), (0.3, 0.5))
    assert only(parse(config=BASE)).srm is None


def test_a_plane_of_groups_of_prompts_is_read():
    overlay = srm("basis: [{type: x, level: 3}, {core: door}]")
    found = only(parse(config=BASE, overlay=overlay))
    assert found.srm is not None
    assert found.srm.basis == ({"type": "x", "level": 3}, {"core": "door"})


@pytest.mark.parametrize(
    "neurons",
    [
        "[L1N3, [L1N2, L2N3]]",
        "{select: lowest_sd, layer: 1, top: 2}",
        "{select: lowest_sd, layer: all, top: 2}",
    ],
)
def test_a_plane_may_be_in_any_layer_that_the_sweep_changes(neurons):
    found = only(parse(config=BASE, overlay=srm(neurons=neurons)))
    assert found.srm is not None and found.srm.basis == ("L1N0", "L1N1")


def test_what_follows_from_a_sweep_has_no_plane_of_its_own():
    overlay = changed(srm(), sweep("controls: {count: 2}, variability: {}"))
    parsed = parse(config=BASE, overlay=overlay)
    assert [name for name in parsed.sweeps if getattr(parsed.sweeps[name], "srm", None)] == ["main"]
    assert len(parsed.sweeps) == 3


def test_a_promptset_may_come_from_the_web():
    overlay = f"promptsets: {{web: {{url: 'https://x.org/p', sha256: {SHA}, format: csv}}}}"
    spec = parse(config=BASE, overlay=overlay).promptsets["web"]
    assert (spec.path, spec.url, spec.sha256) == (None, "https://x.org/p", SHA)


def test_a_path_model_may_be_held_to_a_digest():
    digest = folder_digest(Path("tiny"))
    parsed = parse(config=BASE, overlay=f"models: {{tiny: {{sha256: {digest}}}}}")
    assert parsed.models["tiny"].sha256 == digest


@pytest.mark.parametrize("overlay", [None, "quick", "bcr_gpt2"])
def test_the_shipped_configs_are_accepted(overlay, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = ["config/config.yaml", *([f"config/{overlay}.yaml"] if overlay else [])]
    files = {name: read_yaml(name) for name in names}
    parsed = parse_module.parse(merge(*files.values()), files, SCHEMA)
    assert set(parsed.run) <= set(parsed.sweeps)


# Decoding and identity


def test_greedy_decoding_is_its_length():
    assert Decoding("greedy", 8).as_json() == {"method": "greedy", "max_new_tokens": 8}


def test_sampling_is_its_length_temperature_and_cuts():
    assert Decoding("sample", 8, 0.7, 40, 0.9).as_json() == {
        "method": "sample",
        "max_new_tokens": 8,
        "temperature": 0.7,
        "top_k": 40,
        "top_p": 0.9,
    }


def test_cuts_not_given_are_null_in_sampling():
    found = Decoding("sample", 8, 1.0).as_json()
    assert (found["top_k"], found["top_p"]) == (None, None)


@pytest.mark.parametrize("name", ["temperature", "top_p"])
def test_the_same_number_written_whole_or_as_a_fraction_is_the_same_decoding(name):
    texts = []
    for number in ("1", "1.0"):
        entry = {"method": "sample", "temperature": "0.5", name: number}
        listed = ", ".join(f"{key}: {value}" for key, value in entry.items())
        decoding = only(parse(config=BASE, overlay=sweep(f"decoding: {{{listed}}}"))).decoding
        texts.append(json.dumps(decoding.as_json(), sort_keys=True))
    assert texts[0] == texts[1]


def test_a_decoding_is_told_by_what_it_says():
    found = Decoding("sample", 8, 0.7, 40, None)
    assert Decoding(**found.as_json()) == found
    assert Decoding(**Decoding("greedy", 5).as_json()) == Decoding("greedy", 5)


SOURCES = {"hub": HUB, "pypi": PYPI, "path": {"source": "path", "path": "tiny"}}


@pytest.fixture(params=SOURCES)
def spec(request):
    return ModelSpec(**NAMED, **SOURCES[request.param], **SIZES, **LOADING)


@pytest.mark.parametrize(
    "change",
    [{"dtype": "float64"}, {"prepend_bos": True}, {"weight_processing": "compatibility"}],
    ids=str,
)
def test_the_identity_changes_with_how_a_model_is_loaded(spec, change):
    assert dataclasses.replace(spec, **change).identity != spec.identity


@pytest.mark.parametrize(
    "change",
    [{"name": "other"}, {"licence": "MIT"}, {"where": "overlay.yaml: models.tiny"}],
    ids=str,
)
def test_the_identity_does_not_change_with_what_a_model_is_called(spec, change):
    assert dataclasses.replace(spec, **change).identity == spec.identity


@pytest.mark.parametrize("change", [{"revision": "f" * 40}, {"repo": "who/else"}], ids=str)
def test_the_identity_of_a_hub_model_changes_with_repo_and_revision(change):
    spec = ModelSpec(**NAMED, **HUB, **SIZES, **LOADING)
    assert dataclasses.replace(spec, **change).identity != spec.identity


def test_the_identity_of_a_wheels_model_is_that_of_the_file():
    spec = ModelSpec(**NAMED, **PYPI, **SIZES, **LOADING)
    assert dataclasses.replace(spec, sha256="f" * 64).identity != spec.identity
    assert dataclasses.replace(spec, package="some-model==0.2").identity == spec.identity


def path_spec(folder: str) -> ModelSpec:
    folder_digest.cache_clear()
    return ModelSpec(**NAMED, source="path", path=folder, **SIZES, **LOADING)


def test_the_identity_of_a_folder_is_its_content_not_its_place():
    shutil.copytree("tiny", "moved/here")
    assert path_spec("moved/here").identity == path_spec("tiny").identity


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_the_identity_of_a_folder_changes_with_each_files_content(name):
    Path("tiny", name).write_text("one")
    before = path_spec("tiny").identity
    Path("tiny", name).write_text("two")
    after = path_spec("tiny").identity
    Path("tiny", name).write_text("one")
    assert after != before
    assert path_spec("tiny").identity == before


def test_the_identity_of_a_folder_changes_when_two_files_swap_their_content():
    Path("tiny/vocab.json").write_text("one")
    Path("tiny/tokenizer.json").write_text("two")
    before = path_spec("tiny").identity
    Path("tiny/vocab.json").write_text("two")
    Path("tiny/tokenizer.json").write_text("one")
    assert path_spec("tiny").identity != before


def test_the_identity_changes_with_no_resource():
    more = "compute: {threads: 9, device: cpu, rows_per_forward: 3, combinations_per_batch: 5}"
    plain, changed_compute = parse(config=BASE), parse(config=BASE, overlay=more)
    assert plain.models["tiny"].identity == changed_compute.models["tiny"].identity


def test_identities_differ_between_sources_that_hold_the_same_words():
    specs = [ModelSpec(**NAMED, **entry, **SIZES, **LOADING) for entry in SOURCES.values()]
    assert len({spec.identity for spec in specs}) == 3
