"""The section `universal` of the config: what is accepted, what is refused."""

from __future__ import annotations

import yaml

import configs
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.universal.entry import Features, Roles
from configs import BASE, ROOT, each_fault, refusal, unsaid
from universal import entries
from universal.entries import DOMAIN, TEXTS, entry, universal

folder = configs.folder
texts = entries.texts

FAULTS = {
    "unknown key": (universal(txts={}), "txts", ["mean 'texts'"]),
    "unknown model": (universal(model="tony"), "model", ["unknown model 'tony'", "mean 'tiny'"]),
    "no neurons": (universal(model="attention"), "model", ["attention has no neurons", "d_mlp: 0"]),
    "no texts": (universal(texts=None), "", ["lacks the key 'texts'"]),
    "no domain": (universal(texts={"domains": {}}), "texts.domains", ["{}"]),
    "no licence": (
        universal(texts={"domains": {"prose": {"file": "prose.txt", "source": "us"}}}),
        "texts.domains.prose",
        ["lacks the key 'licence'"],
    ),
    "no such file": (
        universal(texts={"domains": {"prose": {**DOMAIN, "file": "gone/*.txt"}}}),
        "texts.domains.prose.file",
        ["'gone/*.txt'", "no such file or folder", "correct it"],
    ),
    "more blocks than sequences": (
        universal(texts={**TEXTS, "sequences": 8, "blocks": 9}),
        "texts.blocks",
        ["got 9", "8 sequences", "or fewer"],
    ),
    "all is skipped": (
        universal(texts={**TEXTS, "context": 16, "skip": 16}),
        "texts.skip",
        ["got 16", "less than context, 16"],
    ),
    "unknown domain of a pair": (
        universal(pairs=[["code", "news"]]),
        "pairs[0][1]",
        ["unknown domain 'news'", "configured: prose, code"],
    ),
    "unknown domain of roles": (
        universal(roles={"domain": "news"}),
        "roles.domain",
        ["unknown domain 'news'"],
    ),
    "too few shifts": (
        universal(features={"shifts": 3}),
        "features.shifts",
        ["3 is less than", "19"],
    ),
    "no number": (
        universal(roles={"values": [0.0, float("inf")]}),
        "roles.values[1]",
        ["finite number"],
    ),
    "unknown other": (
        universal(agreement={"others": ["othr"]}),
        "agreement.others[0]",
        ["mean 'other'"],
    ),
    "itself": (
        universal(agreement={"others": ["tiny"]}),
        "agreement.others[0]",
        ["tiny is the model itself", "another model"],
    ),
    "another shape of checkpoint": (
        universal(agreement={"checkpoints": ["small"]}),
        "agreement.checkpoints[0]",
        ["small has 2 layers of 40", "tiny 3 of 40", "same training"],
    ),
    "a cut of nothing": (
        universal(agreement={"cut": 0}),
        "agreement.cut",
        ["0 is less than or equal to"],
    ),
}


@each_fault(keys=FAULTS)
def test_each_fault_is_one_line_that_names_its_key(overlay, key, said):
    message = refusal(base=BASE, study=overlay)
    start = f"study.yaml: universal.one{'.' if key else ''}{key}: "
    assert not unsaid(message, start, said), message


def test_what_is_left_out_is_not_asked_and_defaults_are_the_schemas():
    found = entry()
    assert (found.features, found.roles, found.agreement) == (None, None, None)
    assert (found.texts.sequences, found.texts.context, found.texts.skip) == (63, 256, 4)
    assert found.pairs == (("code", "prose"),)
    assert found.prose == "prose"
    assert found.title == "tiny, 2 domains of 16,128 tokens"
    asked = entry(features={}, roles={})
    assert asked.features == Features(minimum=200, shifts=200, null_shifts=8, planted=50)
    assert isinstance(asked.roles, Roles)
    assert asked.roles.domain == "prose"


def test_other_models_are_found_by_name():
    found = entry(agreement={"others": ["other"], "checkpoints": ["other"], "ablation": 3})
    assert found.agreement is not None
    assert [spec.name for spec in found.agreement.others] == ["other"]
    assert (found.agreement.cut, found.agreement.ablation) == (0.5, 3)


def test_the_shipped_config_shows_each_default():
    # config/universal.yaml writes them out: a reader sees the numbers that are used.
    shown = read_yaml(ROOT / "config/universal.yaml")["universal"]["universal"]
    schema = yaml.safe_load((ROOT / "workflow/schemas/universal.schema.yaml").read_text())
    for part in ("features", "roles"):
        for name, key in schema["$defs"][part]["properties"].items():
            if "default" in key:
                assert shown[part][name] == key["default"], (part, name)
