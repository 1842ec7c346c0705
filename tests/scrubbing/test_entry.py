"""What follows from an entry: its title, its curve, and the digest of what is scrubbed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import configs
from clampsweep.shards.work import OwnModel
from clampsweep.studies.scrubbing.published_files import identity
from scrubbing import entries
from scrubbing.entries import entry, of_published, pairs, scrubbing

folder = configs.folder
files = entries.files


def test_a_curve_is_shown_of_a_made_model_and_of_a_folder_that_has_one():
    made = entry(scrubbing(model="made"))
    assert made.curve == f"resources/made/{made.model.made}/curve.parquet"
    assert entry(scrubbing()).curve is None
    Path("attn/curve.parquet").write_bytes(b"")
    assert entry(scrubbing()).curve == "attn/curve.parquet"
    assert entry(of_published()).curve is None


def test_a_published_model_is_known_by_its_files_and_loaded_by_the_study():
    found = entry(of_published())
    assert found.model == OwnModel(identity(Path("pub")))
    assert (found.published, found.loading) == ("pub", None)
    assert entry(scrubbing()).loading is not None


def test_a_title_says_model_and_examples():
    assert entry(scrubbing()).title == "attn, 1,000 examples of 300 tokens"
    assert entry(of_published()).title == "pub, 1,000 examples of 300 tokens"


def test_the_page_says_what_is_shown():
    found = entry(scrubbing(attribution={"examples": 3, "draws": 4, **pairs("all", "scrub-1")}))
    assert found.about == (
        "Attribution of the first 3: scrub-1 against all, "
        "mean of 4 draws. Attention: mean of 16 draws."
    )


def test_a_corpus_is_cut_and_a_file_is_read():
    assert entry(scrubbing()).wanted["cut"] is True
    wanted = entry(of_published(candidates="candidates.txt")).wanted
    assert wanted == {
        "cut": False,
        "number": 1000,
        "length": 300,
        "candidates": "candidates.txt",
        "thresholds": {"prev": 0.5, "self": 0.5, "first": 0.5, "induction": 0.3},
    }


# What decides examples, lists and heads


def data(overlay: str) -> str:
    return entry(overlay).data


DECIDES = {
    "number": scrubbing(examples={"corpus": "made", "number": 999}),
    "length": scrubbing(examples={"corpus": "made", "length": 299}),
    "corpus": scrubbing(examples={"corpus": "other-corpus"}),
    "a file": scrubbing(examples={"file": "mine.parquet"}),
    "share of candidates": scrubbing(candidates=0.3),
    "list of candidates": scrubbing(candidates="candidates.txt"),
    **{role: scrubbing(thresholds={role: 0.4}) for role in ("prev", "self", "first", "induction")},
    "a model": scrubbing(model="made"),
    "a published model": of_published(),
}
DECIDES_NOTHING = {
    "seed": scrubbing(seed=3),
    "cells": scrubbing(cells=7),
    "two heads": scrubbing(two_heads=["scrub-2", "scrub-1"]),
    "attribution": scrubbing(attribution={"draws": 3, "examples": 2}),
    "attention": scrubbing(attention={"draws": 3, "tokens": 9}),
    "a default that is written": scrubbing(
        candidates=0.2, thresholds={"prev": 0.5}, examples={"corpus": "made", "number": 1000}
    ),
    "hypotheses": scrubbing(hypotheses="with-curve.yaml"),
    "name of the corpus' model": scrubbing(examples={"corpus": "same-corpus"}),
    "name of the model": scrubbing(model="renamed"),
    "name": scrubbing(name="two"),
}


def test_each_thing_that_decides_the_data_changes_their_digest():
    found = {name: data(overlay) for name, overlay in DECIDES.items()} | {"": data(scrubbing())}
    assert len(set(found.values())) == len(found), found
    assert all(len(digest) == 16 for digest in found.values())


@pytest.mark.parametrize("name", DECIDES_NOTHING)
def test_nothing_else_changes_the_digest_of_the_data(name):
    assert data(DECIDES_NOTHING[name]) == data(scrubbing())


@pytest.mark.parametrize(
    "file", ["mine.parquet", "candidates.txt", "pub/config.json", "pub/model_final.pth"]
)
def test_an_edit_of_a_file_that_is_read_changes_the_digest_and_its_place_does_not(file):
    overlay = of_published(candidates="candidates.txt")
    before = data(overlay)
    if "/" not in file:
        shutil.copy(file, f"copied-{file}")
        assert data(overlay.replace(file, f"copied-{file}")) == before
    Path(file).write_bytes(Path(file).read_bytes() + b"\n4")
    assert data(overlay) != before


def test_what_the_tokens_of_a_published_model_stand_for_is_part_of_the_digest():
    before = data(of_published())
    Path("pub/vocab.json").write_text('{"a": 0}')
    with_words = data(of_published())
    Path("pub/vocab.json").write_text('{"b": 0}')
    assert len({before, with_words, data(of_published())}) == 3


def test_an_edit_of_a_models_folder_changes_the_digest():
    before = data(scrubbing())
    Path("attn/config.json").write_text('{"edited": 1}')
    assert data(scrubbing()) != before
