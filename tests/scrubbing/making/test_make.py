"""The folder of a made model: whole, loaded as any model is, and the same of the same recipe."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.scrubbing.making.make import described, make
from clampsweep.studies.scrubbing.tables import CURVE

RECIPE: dict[str, Any] = {
    "seed": 1,
    "corpus": {"packages": ["numpy", "pytest"], "sha256": "0" * 64},
    "vocabulary": 300,
    "shape": {"d_model": 16, "n_heads": 2, "n_ctx": 299, "rotary_base": 1000, "bias_scale": 1.0},
    "phases": [{"steps": 2, "length": 16, "batch": 2}],
    "repeating": [0.5, 0.5],
    "rates": {"muon": 0.02, "adamw": 0.003, "biases": 0.03},
    "decay": 0.5,
    "storage": "bfloat16",
}
CORPUS = pd.DataFrame(
    [("numpy", "a.py", False, "many words in a row, and again many words in a row, and more" * 9),
     ("numpy", "b.py", True, "words that are held out" * 9),
     ("pytest", "c.py", False, "few words but different ones, and some of them again")],
    columns=["package", "file", "held_out", "text"],
)  # fmt: skip


def spec(recipe: dict[str, Any], **changes: Any) -> ModelSpec:
    said = {
        "where": "m", "name": "m", "source": "made", "by": "scrubbing", "recipe": recipe,
        "licence": "MIT", "n_layers": 2, "d_mlp": 0, "dtype": "float32", "prepend_bos": True,
        "weight_processing": "none",
    }  # fmt: skip
    return ModelSpec(**{**said, **changes})


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    make(RECIPE, CORPUS, 1, folder / "scratch", folder / "model")
    return folder / "model"


def test_a_made_folder_is_fetched_and_loaded_as_any_model(made, tmp_path):
    wanted = spec(RECIPE, source="path", path=str(made), by=None)
    fetch(wanted, tmp_path / "model")
    model = load(tmp_path / "model", wanted, threads=1, device="cpu", neurons=False)
    assert (model.n_layers, model.d_mlp, model.n_ctx) == (2, 0, 299)
    assert model.decode(model.encode("many words")) == "many words"


def test_it_says_how_it_came_about_and_its_digests_are_right(made):
    assert json.loads((made / "recipe.json").read_text()) == RECIPE
    assert list(tables.read(made / "curve.parquet", CURVE)["step"]) == [0, 1]
    lines = [line.split("  ") for line in (made / "model.sha256").read_text().splitlines()]
    digests = {name: hashlib.sha256((made / name).read_bytes()).hexdigest() for _, name in lines}
    assert digests == {name: digest for digest, name in lines}
    assert {*digests, "model.sha256"} == {path.name for path in made.iterdir()}
    rows = pd.read_csv(made / "corpus.csv").set_index("package")
    assert rows.loc["numpy", ["files", "characters", "held_out"]].tolist() == [2, 9 * 83, 9 * 23]
    assert rows.loc["pytest", "held_out"] == 0
    assert rows.loc["pytest", "licence"] == "MIT"


def test_the_same_recipe_makes_the_same_weights(made, tmp_path):
    make(RECIPE, CORPUS, 1, tmp_path / "scratch", tmp_path / "model")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / "model" / name).read_bytes() == (made / name).read_bytes(), name


@pytest.mark.parametrize(
    "change",
    [{"seed": 2}, {"storage": "float32"}, {"corpus": {**RECIPE["corpus"], "sha256": "1" * 64}},
     {"decay": 0.4}],
    ids=str,
)  # fmt: skip
def test_the_recipe_is_the_models_identity(change):
    own, other = spec(RECIPE), spec({**RECIPE, **change})
    assert own.identity == spec(json.loads(json.dumps(RECIPE))).identity
    assert own.identity != other.identity
    assert own.made != other.made
    assert own.made.startswith("scrubbing-")


def test_a_corpus_is_described_by_package():
    found = described(CORPUS)
    assert list(found["package"]) == ["numpy", "pytest"]
    assert found["files"].sum() == len(CORPUS)
    assert found["licence"].str.len().between(2, 200).all()
