"""The key `srm` of an entry of `sweeps`: what is accepted, what is refused."""

from __future__ import annotations

import pytest
import yaml

import configs
from clampsweep.config.entries import Config
from clampsweep.studies.srm.config import SrmEntry
from configs import BASE, changed, each_fault, parse, refusal, sweep, unsaid

folder = configs.folder


def srm(text: str = "", neurons: str = "[L1N2]") -> str:
    """An overlay in which `main` changes one layer, and has the key `srm` with what is needed."""
    needed = {"basis": ["L1N0", "L1N1"], "group_by": ["type"], "thresholds": [0.5]}
    entry = {**needed, **yaml.safe_load(f"{{{text}}}")}
    entry = {name: value for name, value in entry.items() if value is not None}
    return yaml.safe_dump({"sweeps": {"main": {"neurons": yaml.safe_load(neurons), "srm": entry}}})


TWO_LAYERS = "[[L1N2, L2N3]]"


SRMS = {
    "unknown key": (srm("angles: 72"), "sweeps.main.srm.angles", ["allowed: basis, group_by"]),
    "no mapping": (sweep("srm: [type]"), "sweeps.main.srm", ["['type']", "keys with values"]),
    "left empty": (sweep("srm:"), "sweeps.main.srm", ["None", "keys with values"]),
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


@each_fault(srm=SRMS)
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    assert unsaid(refusal(config=changed(BASE, overlay)), f"config.yaml: {key}", said) == []


@each_fault(srm=SRMS)
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(overlay, key, said):
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {key}", said) == []


# What is accepted


def only(parsed: Config) -> SrmEntry:
    (found,) = parsed.entries["srm"].values()
    assert isinstance(found, SrmEntry)
    return found


def test_a_plane_of_neurons_is_read():
    found = only(parse(config=BASE, overlay=srm("thresholds: [0.3, 0.5], group_by: [core, clamp]")))
    assert found.plane.where == "overlay.yaml: sweeps.main.srm"
    assert found.plane.basis == ("L1N0", "L1N1")
    assert (found.plane.group_by, found.plane.thresholds) == (("core", "clamp"), (0.3, 0.5))
    assert parse(config=BASE).entries["srm"] == {}


def test_a_plane_of_groups_of_prompts_is_read():
    overlay = srm("basis: [{type: x, level: 3}, {core: door}]")
    found = only(parse(config=BASE, overlay=overlay))
    assert found.plane.basis == ({"type": "x", "level": 3}, {"core": "door"})


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
    assert found.plane.basis == ("L1N0", "L1N1")


def test_an_entry_is_called_by_its_texts_and_its_plane():
    assert only(parse(config=BASE, overlay=srm())).title == (
        "tiny, L1N2, set, greedy, 8 tokens; plane of L1N0 and L1N1"
    )
