"""Examples, lists of tokens and heads of the shipped model, and of models in published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tokenizers import Tokenizer

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.fetching import fetch
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.scrubbing.candidates import candidates
from clampsweep.studies.scrubbing.head_scores import repeated
from clampsweep.studies.scrubbing.preparing import Prepared, Ready, prepare, ready
from clampsweep.studies.scrubbing.roles import HEADS, THRESHOLDS
from clampsweep.studies.scrubbing.tables import CORPUS, EXAMPLES, TOKENS
from scrubbing.published_folders import hooked, redwood, save

ROOT = Path(__file__).parents[2]
DATA = ROOT / "workflow/data/scrubbing"
MODEL = DATA / "model"
D_VOCAB = 2048


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelSpec]:
    """The shipped model, fetched by its entry of the config."""
    entry = yaml.safe_load((ROOT / "config/scrubbing.yaml").read_text())["models"]["attn2l"]
    spec = ModelSpec(where="models.attn2l", name="attn2l", **{**entry, "path": str(MODEL)})
    found = tmp_path_factory.mktemp("shipped") / "model"
    fetch(spec, found)
    return found, spec


@pytest.fixture(scope="module")
def shipped(folder: tuple[Path, ModelSpec]) -> Ready:
    return ready(folder[0], folder[1].loading(), 1)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the form of redwood_attn_2l: 20 tokens, a context of 32."""
    return redwood(tmp_path_factory.mktemp("published"))[0]


def wanted(number: int, length: int, candidates: float | str = 0.2, **more: Any) -> dict[str, Any]:
    basic = {"where": "scrubbing.x", "cut": False, "thresholds": THRESHOLDS}
    return {**basic, "number": number, "length": length, "candidates": candidates, **more}


def tokens_of(found: Prepared) -> list[list[int]]:
    return [list(one) for one in found.examples["tokens"]]


def chosen(found: Prepared) -> list[int]:
    return np.flatnonzero(found.tokens["candidate"]).tolist()


# The shipped model


def test_a_token_stands_for_what_the_tokenizers_file_says(shipped):
    plain = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    assert len(shipped.texts) == shipped.weights.d_vocab == D_VOCAB
    for token in (0, 1, 300, 777, D_VOCAB - 1):
        assert shipped.texts[token] == plain.decode([token], skip_special_tokens=False)
    assert shipped.texts[0] == "<|begin|>"


@pytest.fixture(scope="module")
def from_file(shipped: Ready) -> Prepared:
    return prepare(shipped, DATA / "examples.parquet", wanted(60, 300))


def test_heads_have_the_roles_that_the_documentation_shows(from_file):
    roles = {(row.layer, row.head): row.roles for row in from_file.heads.itertuples()}
    assert roles[0, 0] == "prev1"
    assert {head for (layer, head), role in roles.items() if "self" in role} == {3, 5, 6, 7}
    assert {role for (layer, head), role in roles.items() if layer == 1 and role} == {
        f"induction{rank}" for rank in range(1, 6)
    }
    assert not any("first" in role for role in roles.values())


def test_thresholds_decide_which_heads_have_a_role(shipped):
    thresholds = {**THRESHOLDS, "self": 0.98, "induction": 0.8}
    found = prepare(shipped, DATA / "examples.parquet", wanted(60, 300, thresholds=thresholds))
    roles = found.heads["roles"].tolist()
    assert [head for head in range(8) if "self" in roles[head]] == [3, 7]
    assert [head for head in range(8) if "induction" in roles[8 + head]] == [2, 3, 5]


def test_what_is_prepared_fits_its_tables(from_file, tmp_path):
    for frame, schema in zip(from_file, (EXAMPLES, TOKENS, HEADS), strict=True):
        tables.write(frame, tmp_path / "table.parquet", schema, {})
        assert len(tables.read(tmp_path / "table.parquet", schema)) == len(frame)


def test_the_first_rows_of_a_table_are_scrubbed_and_candidates_are_chosen_on_the_others(from_file):
    every = np.array(tables.read(DATA / "examples.parquet", EXAMPLES)["tokens"].tolist())
    assert tokens_of(from_file) == every[:60].tolist()
    assert chosen(from_file) == np.flatnonzero(candidates(every[60:], D_VOCAB, 0.2)).tolist()
    counts = np.bincount(every[:60].ravel(), minlength=D_VOCAB)
    common = from_file.tokens["common"].to_numpy()
    assert common.sum() == 200 and counts[common].min() >= counts[~common].max()


def test_other_examples_have_the_same_candidates_and_other_texts_apart_have_others(
    shipped, from_file, tmp_path
):
    given = tables.read(DATA / "examples.parquet", EXAMPLES)
    drawn = np.random.default_rng(0).integers(1, D_VOCAB, (60, 300))
    others = [[0, *row] for row in drawn.tolist()]
    for place, same in ((slice(0, 60), True), (slice(60, 120), False)):
        edited = given.copy()
        edited["tokens"] = [
            *given["tokens"][: place.start],
            *others,
            *given["tokens"][place.stop :],
        ]
        tables.write(edited, tmp_path / "edited.parquet", EXAMPLES, {})
        found = prepare(shipped, tmp_path / "edited.parquet", wanted(60, 300))
        assert (chosen(found) == chosen(from_file)) is same
        assert found.tokens["common"].equals(from_file.tokens["common"]) is not same


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 documents, each second one held out: after a word comes, in each, always the same one."""
    text = "a value of list returns an array with shape or name in which each item is"
    words = text.split()
    rng, rows = np.random.default_rng(0), []
    for at in range(40):
        follows = dict(zip(words, rng.permutation(words).tolist(), strict=True))
        pairs = [f"{word} {follows[word]}" for word in rng.choice(words, 30).tolist()]
        rows.append(("toy", f"{at}.py", at % 2 == 0, " ".join(pairs)))
    path = tmp_path_factory.mktemp("corpus") / "corpus.parquet"
    frame = pd.DataFrame(rows, columns=list(CORPUS.columns))
    tables.write(frame, path, CORPUS, {})
    return path


def stretches(path: Path, held_out: bool, length: int) -> dict[str, list[int]]:
    """Examples of a corpus's documents, by name, with the tokenizers' own class."""
    plain = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    found = {}
    for row in tables.read(path, CORPUS).itertuples():
        ids = plain.encode(row.text, add_special_tokens=False).ids
        for start in range(0, len(ids), length):
            if row.held_out == held_out and start + length <= len(ids):
                found[f"toy/{row.file}:{start}"] = [0, *ids[start : start + length]]
    return found


def test_a_corpus_is_cut_and_candidates_are_chosen_on_what_was_not_held_out(shipped, corpus):
    found = prepare(shipped, corpus, wanted(30, 20, 0.5, cut=True))
    known = stretches(corpus, True, 20)
    assert len(set(found.examples["example"])) == 30
    assert tokens_of(found) == [known[name] for name in found.examples["example"]]
    apart = np.array([*stretches(corpus, False, 20).values()])
    assert len(apart) >= 50
    assert chosen(found) == np.flatnonzero(candidates(apart, D_VOCAB, 0.5)).tolist()
    assert chosen(found)


def test_a_corpus_with_too_little_beside_the_examples_is_refused(shipped, corpus):
    n = len(stretches(corpus, False, 50))
    assert 0 < n < 50
    with pytest.raises(UserError) as caught:
        prepare(shipped, corpus, wanted(5, 50, cut=True))
    assert str(caught.value).startswith(
        f"scrubbing.x.candidates: got the share 0.2, and {n} examples are left to choose on"
    )


def test_a_corpus_that_is_cut_is_named(shipped, corpus, tmp_path):
    path = tmp_path / "corpus.parquet"
    path.write_bytes(corpus.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"corpus\.parquet: not a whole Parquet file"):
        prepare(shipped, path, wanted(5, 20, cut=True))


def test_a_list_of_candidates_is_taken_as_it_is_and_needs_no_texts_apart(shipped, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("7\n2047\n300\n")
    found = prepare(shipped, DATA / "examples.parquet", wanted(200, 300, str(path)))
    assert chosen(found) == [7, 300, 2047]
    path.write_text("2048\n")
    with pytest.raises(UserError, match=r"mine\.txt: line 1: got '2048'"):
        prepare(shipped, DATA / "examples.parquet", wanted(200, 300, str(path)))


# Models in published layout


def validation_data(path: Path, n: int = 60, begin: int = 19) -> list[list[int]]:
    """Examples as the original has them: a row of token ids for each."""
    drawn = np.random.default_rng(1).integers(0, 19, (n, 24))
    drawn[:, 12:] = drawn[:, :12]
    rows = [[begin, *row] for row in drawn.tolist()]
    torch.save(torch.tensor(rows, dtype=torch.int32), path)
    return rows


def test_the_originals_examples_are_the_first_rows_of_its_file(published, tmp_path):
    rows = validation_data(tmp_path / "validation_data.pt")
    model = ready(published, None, 1)
    found = prepare(model, tmp_path / "validation_data.pt", wanted(10, 20, 0.4))
    assert tokens_of(found) == [row[:21] for row in rows[:10]]
    assert found.examples["example"].tolist() == [str(at) for at in range(10)]
    apart = np.array([row[:21] for row in rows[10:]])
    assert chosen(found) == np.flatnonzero(candidates(apart, 20, 0.4)).tolist()
    assert chosen(found)
    for frame, schema in zip(found, (EXAMPLES, TOKENS, HEADS), strict=True):
        tables.write(frame, tmp_path / "table.parquet", schema, {})


def test_the_originals_candidates_are_flags_and_need_no_texts_apart(published, tmp_path):
    validation_data(tmp_path / "validation_data.pt", n=10)
    flags = torch.zeros(20)
    flags[[3, 11]] = 1
    torch.save(flags, tmp_path / "good_induction_candidates.pt")
    given = wanted(10, 24, str(tmp_path / "good_induction_candidates.pt"))
    model = ready(published, None, 1)
    assert chosen(prepare(model, tmp_path / "validation_data.pt", given)) == [3, 11]
    with pytest.raises(UserError, match=r"candidates: got the share 0.2, and 0 examples are left"):
        prepare(model, tmp_path / "validation_data.pt", wanted(10, 24))


@pytest.mark.parametrize("begin", [0, 19])
def test_heads_are_scored_with_transformerlens_patterns_after_the_examples_first_token(
    tmp_path, begin
):
    model = hooked()
    path = tmp_path / "validation_data.pt"
    validation_data(path, begin=begin)
    found = prepare(ready(save(tmp_path, model.state_dict()), None, 1), path, wanted(5, 24))
    ids = repeated(20, begin, 15, 16, 0)  # as much as the context of 32 holds
    assert (ids[:, 0] == begin).all()
    with torch.inference_mode():
        _, cache = model.run_with_cache(torch.from_numpy(ids))
    for row in found.heads.itertuples():
        pattern = cache["pattern", row.layer][:, row.head].double().numpy()
        previous = np.mean([pattern[:, t, t - 1] for t in range(1, 31)])
        induction = np.mean([pattern[:, t, t - 14] for t in range(16, 31)])
        assert (row.previous, row.induction) == pytest.approx((previous, induction), abs=1e-5)


def test_texts_are_of_the_vocabulary_that_lies_beside_the_model_or_numbers(published, tmp_path):
    assert ready(published, None, 1).texts == [f"<{token}>" for token in range(20)]
    folder, _ = redwood(tmp_path)
    (folder / "vocab.json").write_text(json.dumps({"Ġthe": 3, "Ã©": 7, "A": 0}))
    texts = ready(folder, None, 1).texts
    assert (texts[3], texts[7], texts[0], texts[1]) == (" the", "é", "A", "<1>")
    (folder / "vocab.json").write_text(json.dumps({"Ġthe": 20}))
    with pytest.raises(UserError, match=r"vocab\.json: 'Ġthe' has number 20; there are 20 tokens"):
        ready(folder, None, 1)


# What does not fit


@pytest.mark.parametrize("n_layers", [1, 3])
def test_a_model_of_another_depth_is_refused_before_anything_is_made_of_it(tmp_path, n_layers):
    save(tmp_path, hooked(n_layers=n_layers).state_dict(), n_layers=n_layers)
    with pytest.raises(UserError) as caught:
        ready(tmp_path, None, 1)
    assert str(caught.value).startswith(f"{tmp_path}: the model has {n_layers} layer(s)")


def test_examples_longer_than_the_models_context_are_refused(published, shipped, corpus, tmp_path):
    rows = torch.randint(0, 20, (60, 41), generator=torch.Generator().manual_seed(0))
    torch.save(rows, tmp_path / "long.pt")
    model = ready(published, None, 1)
    with pytest.raises(UserError) as caught:
        prepare(model, tmp_path / "long.pt", wanted(5, 33))
    assert str(caught.value) == (
        "scrubbing.x.examples.length: got 33, and the model's context is 32 tokens; ask for no more"
    )
    assert len(prepare(model, tmp_path / "long.pt", wanted(5, 32)).examples) == 5
    with pytest.raises(UserError, match=r"length: got 301, and the model's context is 300 tokens"):
        prepare(shipped, corpus, wanted(1, 301, cut=True))


@pytest.mark.parametrize(("place", "token"), [(3, 20), (3, -1), (55, 20)])
def test_a_token_that_the_model_has_not_is_refused_with_the_file(published, tmp_path, place, token):
    rows = np.random.default_rng(0).integers(0, 20, (60, 9))
    rows[place, 4] = token
    names = {"example": [str(at) for at in range(60)], "package": "", "file": ""}
    path = tmp_path / "mine.parquet"
    tables.write(pd.DataFrame({**names, "tokens": rows.tolist()}), path, EXAMPLES, {})
    with pytest.raises(UserError) as caught:
        prepare(ready(published, None, 1), path, wanted(5, 8))
    assert str(caught.value) == (
        f"{path}: an example holds token {token}, and the model has tokens 0 to 19; give examples "
        "in this model's own tokens"
    )


@pytest.mark.parametrize(
    ("number", "length", "said"),
    [
        (61, 24, "examples.number: got 61, and there are 60 examples; ask for fewer"),
        (5, 25, "examples.length: got 25, and an example of "),
    ],
)
def test_a_file_that_holds_too_little_is_refused(published, tmp_path, number, length, said):
    validation_data(tmp_path / "validation_data.pt")
    with pytest.raises(UserError) as caught:
        prepare(ready(published, None, 1), tmp_path / "validation_data.pt", wanted(number, length))
    assert str(caught.value).startswith(f"scrubbing.x.{said}")
