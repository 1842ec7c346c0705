"""The whole config: what is accepted; every fault is one line with file, key, value and remedy."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import configs
from clampsweep.config import parse as parse_module
from clampsweep.config.contract import Context, Study
from clampsweep.config.entries import Compute, Config
from clampsweep.errors import UserError
from clampsweep.models.spec import folder_digest
from clampsweep.registry import STUDIES
from clampsweep.strict_yaml import read_yaml
from clampsweep.texts.request import TextRequest
from configs import (
    BASE,
    HUB,
    PYPI,
    ROOT,
    SCHEMAS,
    SHA,
    as_model,
    as_sweep,
    changed,
    each_fault,
    merge,
    parse,
    parse_files,
    refusal,
    sweep,
    unsaid,
    without,
    write,
)

folder = configs.folder


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
    "run is a word": ("run: main", "run", ["'main'", "expected a list, such as [main]"]),
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
    "template of a grid": (
        "promptsets: {few: {template: '{text}'}}",
        "promptsets.few.template",
        ["a grid has no columns", "remove"],
    ),
    "id of a grid": (
        "promptsets: {few: {id: core}}",
        "promptsets.few.id",
        ["a grid has no columns", "remove"],
    ),
    "template is a list": (
        "promptsets: {few: {format: csv, template: [a]}}",
        "promptsets.few.template",
        ["['a']", "expected string"],
    ),
    "not a mapping": (
        "promptsets: {web: p.txt}",
        "promptsets.web",
        ["'p.txt'", "keys with values"],
    ),
}


PARTS = [{"package": f"some-part{at}==0.1", "file": f"m/m.gguf.part0{at}"} for at in (1, 2)]
PARTED = {"source": "pypi", "parts": PARTS, "sha256": SHA}
TERMS = {"terms": "https://example.org/terms"}


MODELS = {
    "source": (
        "models: {tiny: {source: disk}}",
        "models.tiny.source",
        ["'disk'", "pypi, hub, path, made"],
    ),
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
    "a wheel without its file": (
        as_model({name: PYPI[name] for name in ("source", "package", "sha256")}),
        "models.other",
        ["package and file", "parts"],
    ),
    "a wheel beside parts": (
        as_model({**PYPI, "parts": PARTS}),
        "models.other",
        ["either package and file", "or parts"],
    ),
    "one part": (as_model({**PARTED, "parts": PARTS[:1]}), "models.other.parts", ["1", "2"]),
    "a part twice": (
        as_model({**PARTED, "parts": [PARTS[0]] * 2}),
        "models.other.parts",
        ["some-part1==0.1", "twice"],
    ),
    "a part without version": (
        as_model({**PARTED, "parts": [PARTS[0], {**PARTS[1], "package": "some-part2"}]}),
        "models.other.parts[1].package",
        ["'some-part2'", "=="],
    ),
    "terms that are not accepted": (
        as_model({**HUB, **TERMS, "accept_terms": False}),
        "models.other.accept_terms",
        ["False", "licence none", TERMS["terms"], "accept_terms: true"],
    ),
    "terms of which nothing is said": (
        as_model({**PYPI, **TERMS}),
        "models.other",
        ["licence none", TERMS["terms"], "accept_terms: true"],
    ),
    "acceptance in words": (
        as_model({**PYPI, **TERMS, "accept_terms": "yes"}),
        "models.other.accept_terms",
        ["'yes'", "true or false"],
    ),
    "acceptance of no terms": (
        as_model({**PYPI, "accept_terms": True}),
        "models.other",
        ["'terms'", "accept_terms"],
    ),
    "sha256 with a line end": (
        as_model({**PYPI, "sha256": f"{SHA}\n"}),
        "models.other.sha256",
        [SHA, "64"],
    ),
    "threads": ("compute: {threads: 0}", "compute.threads", ["0", "1"]),
    "device": ("compute: {device: gpu}", "compute.device", ["'gpu'", "auto, cpu, cuda"]),
    "compute left empty": ("compute:", "compute", ["None", "keys with values"]),
}


KINDS = {"names": NAMES, "promptset": PROMPTSETS, "model": MODELS}


@each_fault(**KINDS)
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    assert unsaid(refusal(config=changed(BASE, overlay)), f"config.yaml: {key}", said) == []


@each_fault(**KINDS)
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(overlay, key, said):
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {key}", said) == []


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


@pytest.mark.parametrize("key", ["run", "models", "promptsets", "sweeps"])
def test_a_missing_section_is_named(key):
    message = refusal(config=without(BASE, key))
    assert message.startswith("config.yaml: ")
    assert f"lacks the key {key!r}" in message


@pytest.mark.parametrize("path", ["sweeps", "models", "promptsets", "sweeps.main"])
@pytest.mark.parametrize("value", ["null", "7", "[a]", "text"])
def test_a_section_that_is_no_mapping_is_refused(path, value):
    first, *rest = path.split(".")
    content = yaml.safe_load(BASE)
    part = content[first] if rest else content
    part[(rest or [first])[0]] = yaml.safe_load(value)
    message = refusal(config=yaml.safe_dump(content))
    assert message.startswith(f"config.yaml: {path}: ")
    assert "keys with values" in message


def test_a_sha256_beside_a_local_promptset_is_checked_or_refused_but_not_dropped():
    overlay = f"promptsets: {{few: {{sha256: {SHA}}}}}"
    assert "sha256" in refusal(config=BASE, overlay=overlay)


# What is accepted


def test_where_a_thing_stands_is_kept_for_later_messages():
    parsed = parse(config=BASE, overlay="promptsets: {more: {path: few.txt, format: csv}}")
    assert parsed.models["tiny"].where == "config.yaml: models.tiny"
    assert parsed.promptsets["more"].where == "overlay.yaml: promptsets.more"


def test_defaults_are_filled_in():
    assert parse(config=BASE).compute == Compute(2, "auto", 384, 1200)


def test_given_values_replace_the_defaults_one_by_one():
    parsed = parse(config=BASE, overlay="compute: {threads: 7}")
    assert parsed.compute == Compute(7, "auto", 384, 1200)


def test_parsing_changes_neither_the_merged_config_nor_the_files():
    files = write(config=BASE, overlay=as_sweep(values=[1]))
    merged = merge(*files.values())
    before = copy.deepcopy((merged, files))
    parse_module.parse(merged, files, SCHEMAS, STUDIES)
    assert (merged, files) == before


def test_a_promptset_may_come_from_the_web():
    overlay = f"promptsets: {{web: {{url: 'https://x.org/p', sha256: {SHA}, format: csv}}}}"
    spec = parse(config=BASE, overlay=overlay).promptsets["web"]
    assert (spec.path, spec.url, spec.sha256) == (None, "https://x.org/p", SHA)


def test_a_promptset_may_have_a_template_and_a_column_of_names():
    given = "format: csv, template: '{problem} \\boxed{}', id: unique_id"
    spec = parse(config=BASE, overlay=f"promptsets: {{few: {{{given}}}}}").promptsets["few"]
    assert (spec.template, spec.id) == ("{problem} \\boxed{}", "unique_id")
    plain = parse(config=BASE).promptsets["few"]
    assert (plain.template, plain.id) == (None, None)


def test_a_path_model_may_be_held_to_a_digest():
    digest = folder_digest(Path("tiny"))
    parsed = parse(config=BASE, overlay=f"models: {{tiny: {{sha256: {digest}}}}}")
    assert parsed.models["tiny"].sha256 == digest


def test_the_identity_changes_with_no_resource():
    more = "compute: {threads: 9, device: cpu, rows_per_forward: 3, combinations_per_batch: 5}"
    plain, changed_compute = parse(config=BASE), parse(config=BASE, overlay=more)
    assert plain.models["tiny"].identity == changed_compute.models["tiny"].identity


def test_an_accepted_models_parts_and_terms_decide_nothing_of_what_it_says():
    accepted = {**TERMS, "accept_terms": True}
    overlays = [as_model(one) for one in (PYPI, {**PYPI, **accepted}, {**PARTED, **accepted})]
    specs = [parse(config=BASE, overlay=one).models["other"] for one in overlays]
    assert len({spec.identity for spec in specs}) == 1  # the digest of the one file
    assert len({json.dumps(spec.loading()) for spec in specs}) == 1
    assert specs[2].wheels == tuple((part["package"], part["file"]) for part in PARTS)


DOWNLOADED = "scrubbing_published"  # an overlay whose files are to be downloaded first
OVERLAYS = sorted(  # universal_gpt2 too is to be downloaded: tests/universal/test_other_configs.py
    {path.stem for path in (ROOT / "config").glob("*.yaml")} - {DOWNLOADED, "universal_gpt2"}
)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_shipped_configs_are_accepted_once_their_terms_are(overlay, monkeypatch):
    monkeypatch.chdir(ROOT)
    names = ["config/config.yaml", f"config/{overlay}.yaml"]  # the first over itself is itself
    contents = {name: read_yaml(name) for name in names}
    asking = [name for name, one in contents[names[1]].get("models", {}).items() if "terms" in one]
    for model in asking:
        with pytest.raises(UserError, match=rf"\.yaml: models\.{model}\.accept_terms: got False"):
            parse_files(contents)
        contents["--config"] = {"models": {model: {"accept_terms": True}}}
    parsed = parse_files(contents)
    assert bool(asking) == (overlay in ("gemma3_270m", "universal_gemma"))
    assert set(parsed.run) <= set(parsed.names)
    assert parsed.run and parsed.files


def test_a_shipped_config_whose_files_are_not_downloaded_says_so(tmp_path, monkeypatch):
    contents = {
        f"config/{name}.yaml": read_yaml(ROOT / f"config/{name}.yaml")
        for name in ("config", DOWNLOADED)
    }
    monkeypatch.chdir(tmp_path)
    for folder in ("promptsets", "workflow"):
        Path(folder).symlink_to(ROOT / folder)
    with pytest.raises(UserError, match=r"published: no folder resources/\S+; download the model"):
        parse_files(contents)


# Names of entries, and sections of studies


@pytest.mark.parametrize(
    "name", ["batches", "plans", "generations", "vectors", "shards", "detectors"]
)
def test_an_entry_that_is_called_as_a_folder_of_results_is_refused(name):
    alone = changed(without(BASE, "sweeps", "main"), f"run: [{name}]")
    entry = {"sweeps": {name: yaml.safe_load(BASE)["sweeps"]["main"]}}
    for base in (alone, BASE):
        message = refusal(config=base, overlay=yaml.safe_dump(entry))
        assert message.startswith(f"overlay.yaml: sweeps.{name}: ")
        assert "folder of results/" in message and "rename" in message


@dataclass(frozen=True)
class Thing:
    """An entry of the study `things`."""

    name: str
    size: int
    request: TextRequest | None


def parse_thing(context: Context) -> Thing:
    if context.entry["size"] > 9:
        raise context.checker.fault((*context.key, "size"), f"got {context.entry['size']}; write 9")
    return Thing(context.name, context.entry["size"], context.request)


THINGS = Study("things", parse_thing, lambda entry: {f"{entry.name}/thing.md": "a thing"})


def parse_things(schemas: Path, **files: str) -> Config:
    """The config, with a further study that has a section of its own, and recipes of models."""
    for path in SCHEMAS.glob("*.yaml"):
        (schemas / path.name).write_bytes(path.read_bytes())
    properties = {"size": {"type": "integer"}}
    entry = {"properties": properties, "additionalProperties": False, "required": ["size"]}
    recipe = {"properties": {"size": {"type": "integer"}, "rates": {"type": "object"}}}
    parts = {"entry": entry, "recipe": {**recipe, "additionalProperties": False}}
    (schemas / "things.schema.yaml").write_text(yaml.safe_dump({"$defs": parts}))
    contents = write(**files)
    return parse_module.parse(merge(*contents.values()), contents, schemas, (*STUDIES, THINGS))


def test_a_study_with_a_section_of_its_own_parses_each_entry_of_it_and_none_of_sweeps(tmp_path):
    things = "things: {small: {size: 1}, large: {size: 9}}\nrun: [small, main]"
    found = parse_things(tmp_path, config=BASE, overlay=things)
    assert found.entries["things"] == {
        "small": Thing("small", 1, None),
        "large": Thing("large", 9, None),
    }
    assert set(found.entries["bcr"]) == {"main"}
    assert found.of("things") == {"small": Thing("small", 1, None)}
    assert "small/thing.md" in found.files and "large/thing.md" not in found.files


def test_a_section_of_a_study_may_be_left_out(tmp_path):
    assert parse_things(tmp_path, config=BASE).entries["things"] == {}


@pytest.mark.parametrize(
    ("overlay", "start", "said"),
    [
        ("things: {small: {size: 10}}", "things.small.size: got 10; write 9", []),
        ("things: {small: {size: x}}", "things.small.size: got 'x'; expected integer", []),
        ("things: {small: {size: 1.0}}", "things.small.size: got 1.0; expected integer", []),
        ("things: {small: {sise: 1}}", "things.small.sise: unknown key", ["did you mean 'size'"]),
        ("things: {a b: {size: 1}}", "things: got 'a b'", ["A-Za-z0-9"]),
        ("things: {main: {size: 1}}", "things.main: sweeps has an entry 'main' too", ["rename"]),
        ("things: {plans: {size: 1}}", "things.plans: ", ["folder of results/", "rename"]),
        ("things: {detectors: {size: 1}}", "things.detectors: ", ["folder of results/"]),
        ("run: [smal]\nthings: {small: {size: 1}}", "run[0]: unknown entry", ["mean 'small'"]),
    ],
)
def test_a_fault_in_a_section_of_a_study_is_said_of_the_section(tmp_path, overlay, start, said):
    with pytest.raises(UserError) as caught:
        parse_things(tmp_path, config=BASE, overlay=overlay)
    assert unsaid(str(caught.value), f"overlay.yaml: {start}", said) == []


def test_a_section_of_a_study_that_is_not_there_is_unknown():
    assert refusal(config=BASE, overlay="things: {small: {size: 1}}").startswith(
        "overlay.yaml: things: unknown key"
    )


# Models that a study makes


def as_made(by: str = "things", recipe: str = "{size: 3}") -> str:
    """An overlay with a model that a study makes."""
    text = as_model({"source": "made", "by": by, "recipe": yaml.safe_load(recipe)})
    return text.replace("d_mlp: 40", "d_mlp: 0")


def test_a_made_model_needs_none_of_its_files_and_may_have_no_neurons(tmp_path):
    spec = parse_things(tmp_path, config=BASE, overlay=as_made()).models["other"]
    assert (spec.by, spec.recipe, spec.d_mlp) == ("things", {"size": 3}, 0)
    again = parse_things(tmp_path, config=BASE, overlay=as_made(recipe="{size: 4}"))
    assert spec.identity != again.models["other"].identity


@pytest.mark.parametrize(
    ("overlay", "key", "said"),
    [
        (as_made(by="bcr"), "by", ["'bcr'", "allowed: scrubbing, universal, things"]),
        (as_made(recipe="{sise: 3}"), "recipe.sise", ["unknown key", "mean 'size'"]),
        (as_made(recipe="{size: 3.0}"), "recipe.size", ["3.0", "expected integer"]),
        (as_made(recipe="{rates: {start: .nan}}"), "recipe", ["not finite"]),
        (as_made(recipe="[3]"), "recipe", ["[3]", "keys with values"]),
        (without(as_made(), "models", "other", "by"), "", ["'by'"]),
    ],
)
def test_a_fault_in_a_recipe_is_one_line_before_any_job_starts(tmp_path, overlay, key, said):
    with pytest.raises(UserError) as caught:
        parse_things(tmp_path, config=BASE, overlay=overlay)
    where = ".".join(filter(None, ["models.other", key]))
    assert unsaid(str(caught.value), f"overlay.yaml: {where}: ", said) == []


def test_a_study_that_makes_no_models_is_no_maker(tmp_path):
    (tmp_path / "schemas").mkdir()
    parse_things(tmp_path / "schemas", config=BASE)
    path = tmp_path / "schemas/things.schema.yaml"
    content = yaml.safe_load(path.read_text())
    del content["$defs"]["recipe"]
    path.write_text(yaml.safe_dump(content))
    contents = write(config=BASE, overlay=as_made())
    with pytest.raises(UserError, match="got 'things'; allowed: none, as no study makes models"):
        parse_module.parse(merge(*contents.values()), contents, path.parent, (THINGS,))
