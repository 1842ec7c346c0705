"""The folder of a seed's model: it loads, its texts are the recipe's, and the shipped ones are."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoTokenizer

from clampsweep.errors import UserError
from clampsweep.models.making import BEGIN, learn
from clampsweep.provenance import file_digest
from clampsweep.studies.universal.domains import documents
from clampsweep.studies.universal.making.make import make, stream, training_texts
from universal.making.test_training import RECIPE

ROOT = Path(__file__).parents[3]
SEEDS = ROOT / "workflow/data/universal/seeds"
TEXT = "the cat sat on the mat, and the dog sat beside it. " * 40


@pytest.fixture
def recipe(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "one.txt"
    path.write_text(TEXT)
    return {**RECIPE, "texts": {str(path): file_digest(path)}}


def test_what_is_made_loads_as_hugging_faces_own(recipe, tmp_path):
    folder = tmp_path / "made"
    make(recipe, 1, tmp_path / "scratch", folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(TEXT[:90], add_special_tokens=False).input_ids
    assert tokenizer.decode(ids) == TEXT[:90]
    assert tokenizer.bos_token_id == 0
    with torch.inference_mode():
        assert model(torch.tensor([[0, *ids[:15]]])).logits.shape == (1, 16, 300)
    kept = json.loads((folder / "recipe.json").read_text())
    assert kept == recipe
    for line in (folder / "model.sha256").read_text().splitlines():
        digest, name = line.split()
        assert file_digest(folder / name) == digest


def test_a_text_that_is_not_the_recipes_is_refused(recipe, tmp_path):
    (path,) = recipe["texts"]
    Path(path).write_text("another text")
    with pytest.raises(UserError, match=r"one\.txt: its digest is .* get the file again"):
        training_texts(recipe["texts"])
    with pytest.raises(UserError, match=r"gone\.txt: no such file"):
        training_texts({"gone.txt": "0" * 64})


def test_a_stream_is_the_documents_each_behind_the_token_that_begins():
    tokenizer = learn(["a b", "c"], 260, eos_token=BEGIN)
    ids = stream(tokenizer, ["a b", "c"]).tolist()
    assert ids.count(0) == 2 and ids[0] == 0
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a b\n\nc\n\n"


# ---- the shipped ones


def shipped() -> list[Path]:
    return sorted(path for path in SEEDS.iterdir() if path.is_dir())


def test_the_shipped_seeds_are_small_and_differ_in_the_seed_alone():
    folders = shipped()
    assert [folder.name for folder in folders] == ["a", "b", "c"]
    files = [path for path in SEEDS.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    recipes = [json.loads((folder / "recipe.json").read_text()) for folder in folders]
    assert [one.pop("seed") for one in recipes] == [0, 1, 2]
    assert recipes[0] == recipes[1] == recipes[2]
    tokenizers = {(folder / "tokenizer.json").read_bytes() for folder in folders}
    assert len(tokenizers) == 1
    weights = {(folder / "model.safetensors").read_bytes() for folder in folders}
    assert len(weights) == 3


def test_the_shipped_seeds_are_as_their_digests_and_the_config_say():
    config = yaml.safe_load((ROOT / "config/universal.yaml").read_text())
    made = config["models"]["seed-a-made"]["recipe"]
    assert json.loads((SEEDS / "a/recipe.json").read_text()) == made
    for path, digest in made["texts"].items():
        assert file_digest(ROOT / path) == digest
    assert not [path for path in made["texts"] if "news" in path]
    for folder in shipped():
        for line in (folder / "model.sha256").read_text().splitlines():
            digest, name = line.split()
            assert file_digest(folder / name) == digest, folder / name


def test_the_shipped_seeds_know_more_of_unseen_news_than_how_often_tokens_come():
    news = documents("news", [ROOT / "workflow/data/universal/texts/news.jsonl.gz"])
    tokenizer = AutoTokenizer.from_pretrained(SEEDS / "a")
    ids = stream(tokenizer, [one.text for one in news])
    counts = Counter(ids.tolist())
    # The best that any one distribution over tokens can do on this very text.
    unigram = -sum(n / len(ids) * math.log(n / len(ids)) for n in counts.values())
    torch.set_num_threads(1)
    for folder in shipped():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        rows = ids[: 4 * 256].reshape(4, 256)
        with torch.inference_mode():
            loss = float(model(input_ids=rows, labels=rows).loss)
        assert loss < unigram - 0.5, (folder, loss, unigram)
