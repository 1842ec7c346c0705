"""The model that is shipped: whole, of the recipe that the config shows, with induction heads."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml
from torch.nn import functional

from clampsweep import tables
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.scrubbing.tables import CURVE, EXAMPLES

ROOT = Path(__file__).parents[2]
DATA = ROOT / "workflow/data/scrubbing"
MODEL = DATA / "model"
MODELS = yaml.safe_load((ROOT / "config/scrubbing.yaml").read_text())["models"]
RECIPE = MODELS["attn2l-made"]["recipe"]
PERIOD = 149


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Fetched and loaded by its entry of the config."""
    entry = {**MODELS["attn2l"], "path": str(ROOT / MODELS["attn2l"]["path"])}
    spec = ModelSpec(where="models.attn2l", name="attn2l", **entry)
    folder = tmp_path_factory.mktemp("shipped") / "model"
    fetch(spec, folder)
    return load(folder, spec, threads=1, device="cpu", neurons=False)


def test_the_files_are_those_that_their_digests_say():
    for line in (MODEL / "model.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((MODEL / name).read_bytes()).hexdigest() == digest, name
    assert sum(path.stat().st_size for path in MODEL.iterdir()) < 4e6


def test_it_was_made_by_the_recipe_that_the_config_shows():
    assert json.loads((MODEL / "recipe.json").read_text()) == RECIPE
    n_steps = sum(phase["steps"] for phase in RECIPE["phases"])
    assert list(tables.read(MODEL / "curve.parquet", CURVE)["step"]) == list(range(n_steps))


def test_its_corpus_is_of_the_versions_that_are_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    rows = pd.read_csv(MODEL / "corpus.csv", dtype=str)
    assert list(rows["package"]) == RECIPE["corpus"]["packages"]
    assert [pinned[name] for name in rows["package"]] == list(rows["version"]), (
        "other versions make another corpus: write its digest into the recipe and train anew"
    )


def test_its_heads_copy_what_followed_an_earlier_occurrence(model):
    """As the issue has it, counted with Hugging Face's own attentions."""
    once = torch.randint(1, 2048, (4, PERIOD), generator=torch.Generator().manual_seed(7))
    ids = torch.cat([torch.zeros(4, 1, dtype=torch.int64), once, once], 1)
    model.plain.set_attn_implementation("eager")
    with torch.inference_mode():
        said = model.plain(input_ids=ids, output_attentions=True)
    first, second = (layer.mean(0) for layer in said.attentions)  # [head, query, key]
    places = torch.arange(PERIOD + 1, 2 * PERIOD)
    assert first[:, places, places - 1].mean(1).max() > 0.5, "a head looks at the token before"
    assert second[:, places, places - PERIOD + 1].mean(1).max() > 0.3, "an induction head"
    losses = functional.cross_entropy(said.logits[:, :-1].mT, ids[:, 1:], reduction="none")
    assert losses[:, PERIOD:].mean() < 1.5


def test_the_bridge_says_what_hugging_faces_model_says(model):
    ids = torch.randint(0, 2048, (2, 200), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        right = model.plain(input_ids=ids).logits
        assert (model.bridge(ids) - right).abs().max() < 1e-4


def test_the_examples_beside_it_are_texts_that_it_knows_better_than_chance(model):
    examples = tables.read(DATA / "examples.parquet", EXAMPLES)
    ids = torch.tensor(list(examples["tokens"])[:10])
    assert ids.shape[1] == RECIPE["shape"]["n_ctx"] + 1
    assert (ids[:, 0] == model.tokenizer.bos_token_id).all()
    assert examples["package"].nunique() > 10
    with torch.inference_mode():
        logits = model.plain(input_ids=ids[:, :-1]).logits
    assert functional.cross_entropy(logits.mT, ids[:, 1:].long()) < 4.0
