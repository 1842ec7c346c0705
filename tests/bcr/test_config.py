"""This study's keys of an entry of `sweeps`, entries of imported texts, files of figures."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import configs
from clampsweep.config.entries import Config
from clampsweep.errors import UserError
from clampsweep.registry import STUDIES
from clampsweep.studies.bcr.config import BcrEntry, Controls, ImportedTexts, Variability
from clampsweep.texts.request import TextRequest
from configs import (
    BASE,
    HUB,
    IMPORTED,
    LOADING,
    REFERENCE,
    SIZES,
    as_sweep,
    changed,
    each_fault,
    parse,
    refusal,
    sweep,
    unsaid,
    without,
)

folder = configs.folder


SAMPLED = "decoding: {method: sample, temperature: 1.0}"


DETECTORS = {
    "detector": (
        sweep("detectors: [surfcae]"),
        "sweeps.main.detectors[0]",
        ["'surfcae'", "surface, entropy, loop"],
    ),
    "no detector": (sweep("detectors: []"), "sweeps.main.detectors", ["at least 1"]),
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
    "left empty": (sweep("controls:"), "sweeps.main.controls", ["None", "keys with values"]),
    "a number": (sweep("controls: 20"), "sweeps.main.controls", ["20", "keys with values"]),
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
        ["'norm'", "expected a list, such as [norm]"],
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
    "a best clamp that is a number": (
        sweep("controls: {best_clamp: 10}"),
        "sweeps.main.controls.best_clamp",
        ["10", "boolean"],
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
    "chat baselines that are no yes or no": (
        sweep("chat_baselines: {}"),
        "sweeps.main.chat_baselines",
        ["{}", "boolean"],
    ),
    "chat baselines of chats": (
        sweep("prompt_format: chat, chat_baselines: true"),
        "sweeps.main.chat_baselines",
        ["got true", "prompt_format: chat", "write false"],
    ),
    "chat baselines without a template": (
        sweep("chat_baselines: true"),
        "sweeps.main.chat_baselines",
        ["got true", "tiny has no chat template", "chat_template.jinja", "write false"],
    ),
}


KINDS = {"detectors": DETECTORS, "reference": REFERENCES, "comparison": COMPARISONS}


@each_fault(**KINDS)
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    assert unsaid(refusal(config=changed(BASE, overlay)), f"config.yaml: {key}", said) == []


@each_fault(**KINDS)
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(overlay, key, said):
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {key}", said) == []


OTHERS = sorted(key for study in STUDIES for key in study.sweep_keys if study.name != "bcr")
IMPORT_FAULTS = {
    "missing file": ("{extracted: gone.tsv}", "extracted", ["'gone.tsv'", "no such file"]),
    "a name with codes": ('{extracted: "a\\e[31m.tsv"}', "extracted", ["'a\\x1b[31m.tsv'"]),
    "two targets": ("{neurons: [L0N1, L0N2]}", "neurons", ["one"]),
    "no name": ("{neurons: [x]}", "neurons[0]", ["'x'", "L11N373"]),
    "operation without values": ("{operation: zero}", "operation", ["'zero'", "set, add, scale"]),
    "positions": ("{scope: [1]}", "scope", ["[1]", "all, prompt"]),
    "detector that needs tokens": ("{detectors: [loop]}", "detectors[0]", ["'loop'", "surface"]),
    "values": ("{values: [1]}", "values", ["unknown key", "allowed: "]),
    "another study's key": (f"{{{OTHERS[0]}: {{}}}}", OTHERS[0], ["unknown key", "allowed: "]),
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
    assert unsaid(message, f"overlay.yaml: sweeps.old.{key}", said) == []


REFERENCE_FAULTS = {
    "unknown key": ("n_prompt: 2", "n_prompt", ["unknown key", "did you mean 'n_prompts'"]),
    "neuron": ("neuron: '373'", "neuron", ["'373'"]),
    "detector": ("detector: surfcae", "detector", ["'surfcae'", "surface, entropy, loop"]),
    "operation": ("operation: zero", "operation", ["'zero'", "set, add, scale"]),
    "count": ("n_prompts: many", "n_prompts", ["'many'", "integer"]),
    "clamps": (
        "collapsed: {a/b/1: 25}",
        "collapsed.a/b/1",
        ["25", "expected a list, such as [25]"],
    ),
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
    start = f"overlay.yaml: sweeps.{name}.reference: facts.yaml: {key}"
    assert unsaid(message, start, said) == []


@pytest.mark.parametrize("key", list(yaml.safe_load(REFERENCE)))
def test_a_missing_key_of_a_reference_is_named(key):
    Path("facts.yaml").write_text(without(REFERENCE, key))
    message = refusal(config=BASE, overlay=sweep("reference: facts.yaml"))
    assert f"facts.yaml: lacks the key {key!r}" in message


# What is accepted


def only(parsed: Config, name: str = "main") -> BcrEntry:
    found = parsed.entries["bcr"][name]
    assert isinstance(found, BcrEntry)
    return found


def test_detectors_have_a_default_and_are_replaced_as_a_whole():
    assert only(parse(config=BASE)).detectors == ("surface", "entropy", "loop", "coherence")
    assert only(parse(config=BASE, overlay=sweep("detectors: [loop]"))).detectors == ("loop",)


def test_an_imported_sweep_stands_beside_generated_ones():
    parsed = parse(config=BASE, overlay=IMPORTED)
    assert list(parsed.entries["bcr"]) == ["main", "old"]
    found = only(parsed, "old")
    assert found.texts == ImportedTexts("old.tsv", target="L11N373", operation="set", scope="all")
    assert found.detectors == ("surface", "entropy")
    assert isinstance(only(parsed).texts, TextRequest)


def test_a_reference_is_kept_by_its_path_and_is_none_unless_given():
    overlay = changed(IMPORTED, sweep("reference: facts.yaml, detectors: [loop, surface]"))
    found = parse(config=BASE, overlay=overlay).entries["bcr"]
    assert (found["main"].reference, found["old"].reference) == ("facts.yaml", None)
    again = changed(IMPORTED, "sweeps: {old: {reference: facts.yaml}}")
    assert parse(config=BASE, overlay=again).entries["bcr"]["old"].reference == "facts.yaml"


def test_controls_and_sampled_baselines_have_defaults_and_are_left_out_unless_asked_for():
    found = only(parse(config=BASE, overlay=sweep("controls: {}, variability: {}")))
    both = ("norm", "activation")
    assert found.controls == Controls(20, 0, both, values=(-3.0, 0.0, 2.5), prompts=None)
    assert found.variability == Variability(seeds=8, temperature=1.0)
    plain = parse(config=BASE)
    assert (only(plain).controls, only(plain).variability) == (None, None)
    assert list(plain.requests()) == ["main"]


def test_given_controls_replace_the_defaults_one_by_one():
    some = "count: 39, seed: 4, matching: [], values: [2.5, -3], prompts: 6, best_clamp: false"
    text = f"controls: {{{some}}}"
    found = only(parse(config=BASE, overlay=sweep(text)))
    assert found.controls == Controls(39, 4, (), (2.5, -3.0), 6, best_clamp=False)
    again = only(parse(config=BASE, overlay=sweep("variability: {seeds: 9, temperature: 2}")))
    assert again.variability == Variability(9, 2.0)


def test_chat_baselines_are_taken_of_a_model_with_a_template_or_of_one_not_yet_fetched(folder):
    asked = sweep("chat_baselines: true")
    away = yaml.safe_dump({"models": {"away": {**HUB, **SIZES, **LOADING}}})
    away = changed(asked, changed(away, sweep("model: away")))
    with pytest.raises(UserError, match="no chat template"):
        parse(config=BASE, overlay=asked)
    (folder / "tiny/chat_template.jinja").write_text("{{ messages }}")
    assert only(parse(config=BASE, overlay=asked)).chat_baselines
    assert only(parse(config=BASE, overlay=away)).chat_baselines, "looked at once it is fetched"
    assert not only(parse(config=BASE, overlay=sweep("chat_baselines: false"))).chat_baselines


def test_an_entry_is_called_by_what_it_asks_for_or_by_what_it_was_imported_from():
    parsed = parse(config=BASE, overlay=IMPORTED)
    assert only(parsed).title == "tiny, L0N1, L1N2+L2N3, set, greedy, 8 tokens"
    assert only(parsed, "old").title == "imported from old.tsv, L11N373, set"


def test_an_entry_says_how_its_texts_differ_from_those_that_detectors_were_measured_on():
    own = only(parse(config=BASE)).unlike_labelled
    assert own == ("another model", "texts of up to 8 tokens")
    old = only(parse(config=BASE, overlay=IMPORTED), "old")
    assert old.unlike_labelled == ("a model that is not known",)
