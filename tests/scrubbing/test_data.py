"""Examples, lists of tokens and heads: cut from texts that are written by hand, and read back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.candidates import candidates
from clampsweep.studies.scrubbing.data import (
    N_APART,
    choose,
    cut_corpus,
    cut_file,
    cut_rows,
    read_chosen,
    read_data,
    tokens_table,
)
from clampsweep.studies.scrubbing.roles import HEADS
from clampsweep.studies.scrubbing.tables import EXAMPLES, TOKENS

BEGIN = 99


class Said(NamedTuple):
    input_ids: list[int]


class Letters:
    """A tokenizer whose tokens are letters."""

    bos_token_id: int | None = BEGIN

    def __call__(self, text: str, add_special_tokens: bool = True) -> Said:
        return Said([BEGIN] * add_special_tokens + [ord(letter) - ord("a") for letter in text])


class NoBegin(Letters):
    bos_token_id = None


# A document of 7 letters has two examples of 3 predictions, and a rest.
CORPUS = pd.DataFrame(
    [
        ("one", "a.py", True, "abcabcd"),
        ("one", "b.py", False, "deffed"),
        ("two", "c.py", True, "ghi"),
        ("two", "d.py", True, "jk"),
        ("two", "e.py", False, "lmnop"),
    ],
    columns=["package", "file", "held_out", "text"],
)


def rows(n: int, length: int = 4, d_vocab: int = 20) -> pd.DataFrame:
    """Examples with as many predictions."""
    drawn = np.random.default_rng(0).integers(1, d_vocab, (n, length)).tolist()
    columns = {"example": [f"p/f:{at}" for at in range(n)], "package": "p", "file": "f"}
    return pd.DataFrame({**columns, "tokens": [[0, *one] for one in drawn]})


def saved(frame: pd.DataFrame, path: Path, schema: tables.Schema = EXAMPLES) -> Path:
    tables.write(frame, path, schema, {})
    return path


# Cutting


def test_examples_are_cut_from_what_was_held_out_and_the_others_from_the_rest():
    found = cut_corpus(CORPUS, Letters(), 3, 3, "here")
    assert dict(zip(found.examples["example"], found.examples["tokens"], strict=True)) == {
        "one/a.py:0": [BEGIN, 0, 1, 2],
        "one/a.py:3": [BEGIN, 0, 1, 2],
        "two/c.py:0": [BEGIN, 6, 7, 8],
    }
    assert sorted(found.apart.tolist()) == [
        [BEGIN, 3, 4, 5],
        [BEGIN, 5, 4, 3],
        [BEGIN, 11, 12, 13],
    ]
    assert list(found.examples.index) == [0, 1, 2]


def test_fewer_examples_are_the_first_of_more():
    whole, part = (cut_corpus(CORPUS, Letters(), 3, n, "here").examples for n in (3, 2))
    assert part["example"].tolist() == whole["example"].tolist()[:2]


def test_a_corpus_that_holds_too_little_is_refused_with_the_number_that_it_holds():
    with pytest.raises(UserError) as caught:
        cut_corpus(CORPUS, Letters(), 3, 4, "scrubbing.x.examples")
    assert str(caught.value) == (
        "scrubbing.x.examples.number: got 4, and there are 3 examples; ask for fewer"
    )
    with pytest.raises(UserError, match=r"^here\.number: got 1, and there are 0 examples"):
        cut_corpus(CORPUS, Letters(), 8, 1, "here")


def test_a_tokenizer_without_a_token_that_begins_a_text_is_refused():
    with pytest.raises(UserError, match=r"^here: the model's tokenizer has no BOS token"):
        cut_corpus(CORPUS, NoBegin(), 3, 1, "here")


def test_the_first_rows_of_a_file_are_examples_and_the_others_are_apart(tmp_path):
    given = rows(7)
    found = cut_file(saved(given, tmp_path / "mine.parquet"), 4, 3, "here")
    every = given["tokens"].tolist()
    assert [list(one) for one in found.examples["tokens"]] == every[:3]
    assert found.examples["example"].tolist() == ["p/f:0", "p/f:1", "p/f:2"]
    assert found.apart.tolist() == every[3:]


def test_longer_examples_are_cut_off_at_the_end(tmp_path):
    given = rows(4, length=9)
    found = cut_file(saved(given, tmp_path / "mine.parquet"), 4, 2, "here")
    every = [one[:5] for one in given["tokens"]]
    assert [list(one) for one in found.examples["tokens"]] == every[:2]
    assert found.apart.tolist() == every[2:]
    assert [len(one) for one in given["tokens"]] == [10] * 4  # what was given stays


def test_examples_may_be_of_several_lengths_if_each_is_long_enough():
    given = rows(3, length=6)
    given.at[1, "tokens"] = given.at[1, "tokens"][:5]
    assert cut_rows(given, Path("mine"), 4, 2, "here").examples["tokens"].map(len).tolist() == [
        5,
        5,
    ]
    with pytest.raises(UserError) as caught:
        cut_rows(given, Path("mine"), 5, 2, "here")
    assert str(caught.value) == (
        "here.length: got 5, and an example of mine has 4 predictions; ask for no more"
    )


@pytest.mark.parametrize("n", [0, 2])
def test_a_file_that_holds_too_few_examples_is_refused_with_their_number(tmp_path, n):
    path = saved(rows(5)[:n], tmp_path / "mine.parquet")
    with pytest.raises(UserError, match=rf"^here\.number: got 3, and there are {n} examples; ask"):
        cut_file(path, 4, 3, "here")


def test_all_rows_may_be_examples_and_then_none_is_apart(tmp_path):
    found = cut_file(saved(rows(3), tmp_path / "mine.parquet"), 4, 3, "here")
    assert len(found.examples) == 3
    assert found.apart.shape == (0, 5)


def test_a_file_that_is_cut_missing_or_another_table_is_named(tmp_path):
    path = saved(rows(30), tmp_path / "mine.parquet")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"mine\.parquet: not a whole Parquet file"):
        cut_file(path, 4, 3, "here")
    path.unlink()
    with pytest.raises(UserError, match=r"mine\.parquet: no such file"):
        cut_file(path, 4, 3, "here")
    saved(pd.DataFrame({"text": ["x"]}), path, tables.Schema("texts", TEXT, ("text",)))
    with pytest.raises(UserError, match=r"mine\.parquet: holds a 'texts' table"):
        cut_file(path, 4, 3, "here")


TEXT = {"text": tables.Column("str", "a text")}


# Lists of tokens


@pytest.mark.parametrize("text", ["3\n0\n19\n", "3\r\n0\r\n19", "  3\n\n0\n19\n19\n"])
def test_a_list_of_candidates_is_a_token_id_a_line(tmp_path, text):
    path = tmp_path / "candidates.txt"
    path.write_bytes(text.encode())
    assert np.flatnonzero(read_chosen(path, 20)).tolist() == [0, 3, 19]
    assert len(read_chosen(path, 20)) == 20


def test_an_empty_list_chooses_none(tmp_path):
    (tmp_path / "candidates.txt").write_text("")
    assert not read_chosen(tmp_path / "candidates.txt", 20).any()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("3\n20\n", "line 2: got '20'; write a token id from 0 to 19 on each line"),
        ("3\n\n20\n", "line 3: got '20'"),
        ("-1\n", "line 1: got '-1'"),
        ("3\n4 5\n", "line 2: got '4 5'"),
        ("3,4\n", "line 1: got '3,4'"),
        ("1.0", "line 1: got '1.0'"),
        ("\u00b2", "line 1: got '\u00b2'"),
        ("the\n", "line 1: got 'the'"),
        ("9" * 5000, f"line 1: got '{'9' * 20}'"),
        ("word" * 100, "line 1: got 'wordwordwordwordword'"),
    ],
)
def test_a_line_that_is_no_token_id_is_named(tmp_path, text, said):
    path = tmp_path / "candidates.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(f"{path}: {said}")) as caught:
        read_chosen(path, 20)
    assert "\n" not in str(caught.value)


def test_a_list_that_is_no_text_or_no_file_is_named(tmp_path):
    path = tmp_path / "candidates.txt"
    path.write_bytes(b"\xff\xfe3\x00")
    for _ in range(2):
        with pytest.raises(UserError, match=rf"{path}: cannot be read as text; give a file of to"):
            read_chosen(path, 20)
        path.unlink(missing_ok=True)


# Candidates by share


def test_candidates_are_chosen_on_the_examples_apart_by_their_gain():
    apart = np.array(rows(60, length=40, d_vocab=6)["tokens"].tolist())
    apart[:, 11:21] = apart[:, 1:11]
    assert choose(apart, 6, 0.4, "here").tolist() == candidates(apart, 6, 0.4).tolist()
    assert choose(apart, 6, 0.4, "here").sum() == 2


@pytest.mark.parametrize("n", [0, 49])
def test_too_few_examples_apart_are_refused_with_their_number(tmp_path, n):
    found = cut_file(saved(rows(3 + n), tmp_path / "mine.parquet"), 4, 3, "here")
    with pytest.raises(UserError) as caught:
        choose(found.apart, 20, 0.2, "scrubbing.x")
    assert str(caught.value) == (
        f"scrubbing.x.candidates: got the share 0.2, and {n} examples are left to choose on, "
        "beside those that are scrubbed; leave 50, or give a file"
    )


def test_no_more_than_some_examples_apart_are_taken():
    found = cut_rows(rows(N_APART + 12), Path("mine"), 4, 10, "here")
    assert len(found.apart) == N_APART
    choose(cut_rows(rows(60), Path("mine"), 4, 10, "here").apart, 20, 0.2, "here")  # 50 are enough


# The tables


def written(folder: Path, **changes: Any) -> Path:
    """The three tables, by hand."""
    examples = rows(2, length=3, d_vocab=5)
    known = pd.DataFrame(
        {
            "token": range(5),
            "text": ["<b>", "a", " A", "b", "."],
            "candidate": [False, True, True, False, False],
            "common": [True, False, False, False, True],
            "fuzzy": [0, 1, 1, 2, 3],
        }
    )
    scores = dict.fromkeys(("previous", "induction", "duplicate", "self", "first"), 0.25)
    heads = pd.DataFrame([{"layer": layer, "head": 0, **scores, "roles": ""} for layer in (0, 1)])
    whole = {"examples": examples, "tokens": known, "heads": heads, **changes}
    for name, schema in (("examples", EXAMPLES), ("tokens", TOKENS), ("heads", HEADS)):
        saved(whole[name], folder / f"{name}.parquet", schema)
    return folder


def test_what_was_written_is_read_in_the_order_of_tokens(tmp_path):
    found = read_data(written(tmp_path))
    assert found.tokens.tolist() == rows(2, length=3, d_vocab=5)["tokens"].tolist()
    assert found.tokens.dtype == np.int64
    shuffled = tables.read(tmp_path / "tokens.parquet", TOKENS).sample(frac=1, random_state=1)
    assert shuffled["token"].tolist() != [0, 1, 2, 3, 4]
    for lists in (found.lists, read_data(written(tmp_path, tokens=shuffled)).lists):
        assert lists.candidates.tolist() == [False, True, True, False, False]
        assert lists.common.tolist() == [True, False, False, False, True]
        assert lists.fuzzy.tolist() == [0, 1, 1, 2, 3]
    assert found.heads["layer"].tolist() == [0, 1]


@pytest.mark.parametrize("name", ["examples", "tokens", "heads"])
def test_a_table_that_is_missing_or_cut_is_named(tmp_path, name):
    path = written(tmp_path) / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match=rf"{name}\.parquet: not a whole Parquet file"):
        read_data(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=rf"{name}\.parquet: no such file"):
        read_data(tmp_path)


def test_the_table_of_tokens_counts_the_examples_that_are_scrubbed():
    # 0 begins both, 100 to 298 occur twice, all else once: these are the 200 most frequent.
    every = [*range(1, 300), *range(100, 300)]
    examples = pd.DataFrame({"tokens": [[0, *every[:249]], [0, *every[249:498]]]})
    texts = [f"{token}" for token in range(300)]
    chosen = np.zeros(300, dtype=bool)
    chosen[[5, 7]] = True
    found = tokens_table(examples, texts, chosen)
    assert found["token"].tolist() == list(range(300))
    assert found["text"].tolist() == texts
    assert np.flatnonzero(found["candidate"]).tolist() == [5, 7]
    assert np.flatnonzero(found["common"]).tolist() == [0, *range(100, 299)]


def test_tokens_that_differ_by_case_and_marks_at_their_ends_have_one_fuzzy_number():
    texts = ["the", " The", '("THE', "then", "", " ", ".", "a.b", "A.B;"]
    examples = pd.DataFrame({"tokens": [[0, 1, 2]]})
    found = tokens_table(examples, texts, np.zeros(len(texts), dtype=bool))["fuzzy"].tolist()
    groups: dict[int, list[str]] = {}
    for text, number in zip(texts, found, strict=True):
        groups.setdefault(number, []).append(text)
    assert list(groups.values()) == [
        ["the", " The", '("THE'], ["then"], ["", " ", "."], ["a.b", "A.B;"],
    ]  # fmt: skip
