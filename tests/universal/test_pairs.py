"""Two model folders, loaded and compared on a table of sequences."""

from __future__ import annotations

from clampsweep.studies.universal.domains import Document
from clampsweep.studies.universal.pair_tables import NULLS, PAIRS
from clampsweep.studies.universal.pairs import compare
from clampsweep.studies.universal.tokens import Cut, tokens
from conftest import TinyFolder
from tiny import D_MLP, N_LAYERS, tiny_tokenizer

WANTED = {"skip": 4, "neurons": 30, "shifts": 24, "seed": 0}


def test_a_model_and_the_same_with_bos(tiny_folder: TinyFolder) -> None:
    documents = [Document("a", "the cat ran on the hill, she said no. " * 20)]
    found = tokens({"prose": documents}, tiny_tokenizer(), Cut(6, 32, 2, False))
    (folder, spec), (other, same) = tiny_folder("gpt2"), tiny_folder("gpt2", prepend_bos=True)
    loading = [spec.loading(), same.loading()]
    found = compare(found, (folder, other), loading, WANTED, 1, "cpu")
    assert set(found.pairs.columns) | {"other"} == set(PAIRS.columns)
    assert set(found.nulls.columns) | {"other"} == set(NULLS.columns)
    assert len(found.pairs) == 30
    assert found.pairs["n"].iloc[0] == 6 * 28
    assert (found.pairs["aligned"] == "tokens").all()
    assert found.pairs["other_layer"].between(0, N_LAYERS - 1).all()
    assert found.pairs["other_neuron"].between(0, D_MLP - 1).all()
