"""Which texts are like those that the detectors were measured on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from clampsweep.studies.bcr.labelled import LONGEST, MODEL, SHA256, SHORTEST, guess, unlike
from requested import REQUEST

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["models"]["smollm2-135m"]


def _asked(tokens=50, sha256=SHA256, **model):
    own = REQUEST
    spec = replace(own.model, sha256=sha256, **model)
    return replace(own, model=spec, decoding=replace(own.decoding, max_new_tokens=tokens))


def test_the_model_is_the_default_one_and_the_labelled_texts_are_as_long_as_is_said():
    assert DEFAULT["sha256"] == SHA256 and MODEL in DEFAULT["file"]
    lines = (ROOT / "workflow/data/bcr/labelled_texts.jsonl").read_text().splitlines()
    lengths = [len(json.loads(line)["token_ids"]) for line in lines]
    full = {n for n in (SHORTEST, LONGEST) if n in lengths}
    assert full == {SHORTEST, LONGEST} and max(lengths) == LONGEST


def test_a_model_is_recognised_by_its_file_whatever_it_is_called_and_however_it_is_loaded():
    assert unlike(_asked(name="mine", dtype="float16", prepend_bos=True)) == ()
    assert unlike(_asked(name="smollm2-135m", sha256="0" * 64)) == ("another model",)
    assert unlike(_asked(name="smollm2-135m", sha256=None)) == ("another model",)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        (29, ("texts of up to 29 tokens",)),
        (30, ()),
        (50, ()),
        (51, ("texts of up to 51 tokens",)),
        (2000, ("texts of up to 2,000 tokens",)),
    ],
)
def test_texts_of_other_lengths_are_unlike_the_labelled_ones(tokens, said):
    assert unlike(_asked(tokens)) == said


def test_of_texts_of_a_file_the_model_is_not_known():
    assert unlike(None) == ("a model that is not known",)


def test_only_coherence_is_a_guess_and_only_where_texts_are_unlike():
    assert guess("coherence", ()) == guess("loop", ("another model",)) == ""
    assert guess("coherence", ("another model", "texts of up to 9 tokens")) == (
        "coherence's bounds were set on texts of 30 to 50 tokens by SmolLM2-135M-Instruct, and are "
        "a guess for another model and texts of up to 9 tokens"
    )
