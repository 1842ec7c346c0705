"""Examples that are cut from held-out documents, by a tokenizer of one token a character."""

from __future__ import annotations

from types import SimpleNamespace

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.provenance import text_digest
from clampsweep.studies.scrubbing.making.examples import cut
from clampsweep.studies.scrubbing.tables import EXAMPLES


class Characters:
    """A tokenizer: the ids are those of the characters."""

    bos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool) -> SimpleNamespace:
        assert not add_special_tokens
        return SimpleNamespace(input_ids=[ord(char) for char in text])


CORPUS = pd.DataFrame(
    [("p", "a.py", True, "abcdefgh"), ("p", "b.py", False, "zzzzzz"), ("p", "c.py", True, "xy"),
     ("q", "d.py", True, "ijk")],
    columns=["package", "file", "held_out", "text"],
)  # fmt: skip

WANTED = {"p/a.py:0": "abc", "p/a.py:3": "def", "q/d.py:0": "ijk"}


def test_examples_are_whole_stretches_of_documents(tmp_path):
    found = cut(CORPUS[CORPUS["held_out"]], Characters(), 3, "here")
    said = {name: "".join(map(chr, ids[1:])) for name, ids in
            zip(found["example"], found["tokens"], strict=True)}  # fmt: skip
    assert said == WANTED
    assert all(ids[0] == 0 for ids in found["tokens"])
    tables.write(found, tmp_path / "examples.parquet", EXAMPLES, {})
    assert len(tables.read(tmp_path / "examples.parquet", EXAMPLES)) == 3


def test_their_order_has_no_meaning():
    found = cut(CORPUS[CORPUS["held_out"]], Characters(), 3, "here")
    assert list(found["example"]) == sorted(WANTED, key=text_digest)


def test_a_tokenizer_without_bos_is_refused():
    tokenizer = Characters()
    tokenizer.bos_token_id = None
    with pytest.raises(UserError, match=r"e\.model: the model's tokenizer has no BOS"):
        cut(CORPUS, tokenizer, 3, "e.model")
