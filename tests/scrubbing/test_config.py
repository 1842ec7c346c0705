"""The section `scrubbing` of the config: what is accepted, what is refused."""

from __future__ import annotations

import yaml

import configs
from clampsweep.models.spec import ModelSpec
from clampsweep.strict_yaml import read_yaml
from clampsweep.studies.scrubbing.entry import Examples, Pairs, Thresholds
from configs import BASE, ROOT, each_fault, parse, parse_files, refusal, unsaid
from scrubbing import entries
from scrubbing.entries import CONFIG, MODELS, SHA, entry, of_published, only, pairs, scrubbing

folder = configs.folder
files = entries.files

KEYS = {
    "unknown key": (scrubbing(hypothesis="h.yaml"), "hypothesis", ["mean 'hypotheses'"]),
    "unknown key of examples": (
        scrubbing(examples={"corpus": "made", "n": 3}),
        "examples.n",
        ["unknown key", "corpus, file, length, number"],
    ),
    "unknown threshold": (
        scrubbing(thresholds={"previous": 0.5}),
        "thresholds.previous",
        ["mean 'prev'", "first, induction, prev, self"],
    ),
    "unknown key of attribution": (
        scrubbing(attribution={"tokens": 9}),
        "attribution.tokens",
        ["unknown key", "allowed: draws, examples, pairs"],
    ),
    "unknown key of attention": (
        scrubbing(attention={"token": 9}),
        "attention.token",
        ["mean 'tokens'"],
    ),
    "no mapping": (
        yaml.safe_dump({"models": MODELS, "scrubbing": {"one": ["attn"]}}),
        "",
        ["['attn']", "keys with values"],
    ),
    "examples are no mapping": (
        scrubbing(examples="mine.parquet"),
        "examples",
        ["'mine.parquet'", "keys with values"],
    ),
}
OF_MODEL = {
    "unknown": (scrubbing(model="attm"), "model", ["unknown model 'attm'", "mean 'attn'"]),
    "an MLP": (
        scrubbing(model="with-mlp"),
        "model",
        ["with-mlp has 2 layers and d_mlp 8", "n_layers: 2, d_mlp: 0"],
    ),
    "three layers": (
        scrubbing(model="deep"),
        "model",
        ["deep has 3 layers and d_mlp 0", "two layers and no MLP"],
    ),
    "no name": (scrubbing(model=3), "model", ["got 3", "string"]),
    "neither": (scrubbing(model=None), "", ["give model:", "or published:", "one of them"]),
    "both": (scrubbing(published="pub"), "", ["give model:", "or published:", "one of them"]),
    "no folder": (
        of_published(published="gone"),
        "published",
        ["no folder gone", "download", "ArthurConmy/redwood_attn_2l"],
    ),
    "a file": (of_published(published="mine.parquet"), "published", ["no folder mine.parquet"]),
    "no config.json": (
        of_published(published="pub-weights"),
        "published",
        ["pub-weights: no config.json", "download"],
    ),
    "no state dict": (
        of_published(published="pub-config"),
        "published",
        ["pub-config: 0 files *final.pth or *state_dict.pt", "put the model's state dict there"],
    ),
}
OF_EXAMPLES = {
    "both": (
        scrubbing(examples={"corpus": "made", "file": "mine.parquet"}),
        "examples.file",
        ["there is corpus: too", "leave one"],
    ),
    "no such file": (
        scrubbing(examples={"file": "gone.parquet"}),
        "examples.file",
        ["no file gone.parquet", "check the path"],
    ),
    "a folder": (scrubbing(examples={"file": "attn"}), "examples.file", ["no file attn"]),
    "corpus of no model": (
        scrubbing(examples={"corpus": "mode"}),
        "examples.corpus",
        ["unknown model 'mode'", "mean 'made'"],
    ),
    "corpus of a model that is not made": (
        scrubbing(examples={"corpus": "attn"}),
        "examples.corpus",
        ["attn is not made by this study", "source: made and by: scrubbing", "file:"],
    ),
    "own model is not made": (
        scrubbing(examples=None),
        "",
        ["examples: attn is not made by this study", "or give file:"],
    ),
    "a published model's are not named": (
        of_published(examples={"number": 9}),
        "examples",
        ["a published model has no tokenizer", "give file:", "validation_data.pt"],
    ),
    "a corpus for a published model": (
        of_published(examples={"corpus": "made"}),
        "examples.corpus",
        ["published model has no tokenizer", "give file:", "validation_data.pt"],
    ),
}
NAMES = {
    "attribution": (
        scrubbing(attribution=pairs("unscrubbed", "scrub-3")),
        "attribution.pairs[0][1]",
        ["unknown experiment 'scrub-3'", "did you mean 'scrub-", "unscrubbed, baseline, all"],
    ),
    "attention": (
        scrubbing(attention=pairs("unscrubed", "all")),
        "attention.pairs[0][0]",
        ["unknown experiment 'unscrubed'", "did you mean 'unscrubbed'"],
    ),
    "two heads": (
        scrubbing(two_heads=["scrub-1", "scrub2"]),
        "two_heads[1]",
        ["unknown experiment 'scrub2'", "did you mean 'scrub-2'"],
    ),
    "one head": (scrubbing(two_heads=["scrub-1"]), "two_heads", ["1 entries", "at least 2"]),
    "the same head": (scrubbing(two_heads=2 * ["scrub-1"]), "two_heads", ["'scrub-1'", "twice"]),
    "no pair": (scrubbing(attribution={"pairs": []}), "attribution.pairs", ["at least 1"]),
    "a pair of three": (
        scrubbing(attention=pairs("all", "baseline", "scrub-1")),
        "attention.pairs[0]",
        ["3 entries", "at most 2"],
    ),
    "a pair with itself": (
        scrubbing(attention=pairs("all", "all")),
        "attention.pairs[0]",
        ["'all'", "twice"],
    ),
    "no list": (scrubbing(attention={"pairs": "all"}), "attention.pairs", ["'all'", "a list"]),
}
NUMBERS = {
    "one example": (
        scrubbing(examples={"corpus": "made", "number": 1}),
        "examples.number",
        ["1 is less than the minimum of 2"],
    ),
    "half an example": (
        scrubbing(examples={"corpus": "made", "number": 2.5}),
        "examples.number",
        ["2.5", "integer"],
    ),
    "one prediction": (
        scrubbing(examples={"corpus": "made", "length": 1}),
        "examples.length",
        ["minimum of 2"],
    ),
    "no cells": (scrubbing(cells=0), "cells", ["0 is less than the minimum of 1"]),
    "seed": (scrubbing(seed=-1), "seed", ["-1 is less than the minimum of 0"]),
    "no draws": (scrubbing(attribution={"draws": 0}), "attribution.draws", ["minimum of 1"]),
    "no examples": (scrubbing(attention={"examples": 0}), "attention.examples", ["minimum of 1"]),
    "no tokens": (scrubbing(attention={"tokens": 1}), "attention.tokens", ["minimum of 2"]),
    "threshold": (scrubbing(thresholds={"prev": 1.1}), "thresholds.prev", ["1.1", "maximum of 1"]),
    "threshold below 0": (scrubbing(thresholds={"self": -0.1}), "thresholds.self", ["-0.1"]),
    "threshold in words": (
        scrubbing(thresholds={"first": "high"}),
        "thresholds.first",
        ["'high'", "number"],
    ),
    "threshold that is no number": (
        scrubbing(thresholds={"induction": float("nan")}),
        "thresholds.induction",
        ["nan", "finite"],
    ),
    "no candidates": (scrubbing(candidates=0), "candidates", ["0"]),
    "too many candidates": (scrubbing(candidates=1.5), "candidates", ["1.5"]),
    "candidates that are no number": (
        scrubbing(candidates=float("nan")),
        "candidates",
        ["nan", "finite"],
    ),
    "candidates in a list": (scrubbing(candidates=[3]), "candidates", ["[3]"]),
}
FILES = {
    "candidates": (
        scrubbing(candidates="gone.txt"),
        "candidates",
        ["no file gone.txt", "a share such as 0.2", "check the path"],
    ),
    "share in quotes": (scrubbing(candidates="0.2"), "candidates", ["no file 0.2", "a share"]),
    "hypotheses": (
        scrubbing(hypotheses="gone.yaml"),
        "hypotheses",
        ["no file gone.yaml", "check the path"],
    ),
    "a fault in them": (
        scrubbing(hypotheses="wrong.yaml"),
        "hypotheses",
        ["wrong.yaml: hypotheses[1] (all).groups[0].q: got 'L9'", "write E, L0"],
    ),
}
FAULTS = {
    "keys": KEYS,
    "model": OF_MODEL,
    "examples": OF_EXAMPLES,
    "names": NAMES,
    "numbers": NUMBERS,
    "files": FILES,
}


@each_fault(**FAULTS)
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    where = ".".join(filter(None, ["scrubbing.one", key]))
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {where}", said) == []


# What is accepted


def test_what_is_left_out_has_the_default_that_the_schema_says():
    found = entry(scrubbing())
    assert isinstance(found.model, ModelSpec) and found.model.name == "attn"
    assert found.examples == Examples(SHA[:16], None, 1000, 300)
    assert found.thresholds == Thresholds(prev=0.5, self=0.5, first=0.5, induction=0.3)
    assert (found.candidates, found.seed, found.cells) == (0.2, 0, 100)
    assert found.two_heads == ("scrub-1", "scrub-2")
    each = (("unscrubbed", "scrub-1"), ("unscrubbed", "scrub-2"))
    assert found.attribution == Pairs(20, 64, each)
    assert found.attention == Pairs(20, 16, (("unscrubbed", "all"),), 100)
    assert parse(config=BASE).entries["scrubbing"] == {}


def test_what_is_given_is_read():
    found = entry(
        scrubbing(
            examples={"file": "mine.parquet", "number": 60, "length": 20},
            candidates="candidates.txt",
            thresholds={"induction": 0.25},
            seed=3,
            cells=10,
            two_heads=["scrub-2", "all"],
            attribution={"examples": 2, "draws": 4, **pairs("all-decoherent", "all-random-2")},
            attention={"tokens": 7},
        )
    )
    assert found.examples == Examples(None, "mine.parquet", 60, 20)
    assert found.thresholds == Thresholds(prev=0.5, self=0.5, first=0.5, induction=0.25)
    assert (found.candidates, found.seed, found.cells) == ("candidates.txt", 3, 10)
    assert found.two_heads == ("scrub-2", "all")
    assert found.attribution == Pairs(2, 4, (("all-decoherent", "all-random-2"),))
    assert found.attention == Pairs(20, 16, (("unscrubbed", "all"),), 7)


def test_no_part_is_of_more_examples_than_there_are():
    found = entry(scrubbing(examples={"corpus": "made", "number": 12}))
    assert (found.cells, found.attribution.examples, found.attention.examples) == (12, 12, 12)


def test_a_made_model_brings_its_own_corpus():
    assert entry(scrubbing(model="made", examples=None)).examples.corpus == SHA[:16]


def test_the_config_that_is_shipped_is_accepted(monkeypatch):
    monkeypatch.chdir(ROOT)
    names = ("config/config.yaml", "config/scrubbing.yaml")
    found = only(parse_files({name: read_yaml(name) for name in names}))
    sha256 = CONFIG["models"]["attn2l-made"]["recipe"]["corpus"]["sha256"]
    assert found.name == "induction"
    assert found.curve == "workflow/data/scrubbing/model/curve.parquet"
    assert found.examples.corpus == sha256[:16]
