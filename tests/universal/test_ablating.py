"""A model's folder and tables on disk, ablated."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.studies.universal import ablation
from clampsweep.studies.universal.ablating import ablate
from clampsweep.studies.universal.agreed_tables import ABLATION
from clampsweep.studies.universal.domains import Document
from clampsweep.studies.universal.gt1_tables import NEURONS
from clampsweep.studies.universal.neuron_table import STATS
from clampsweep.studies.universal.pair_tables import CORR
from clampsweep.studies.universal.tokens import TOKENS, Cut, tokens
from clampsweep.tables import Schema
from conftest import TinyFolder
from tiny import D_MLP, N_LAYERS, tiny_tokenizer

N = N_LAYERS * D_MLP
PLACE = {
    "layer": np.repeat(np.arange(N_LAYERS), D_MLP),
    "neuron": np.tile(np.arange(D_MLP), N_LAYERS),
}


def ones(schema: Schema, **known: object) -> pd.DataFrame:
    """A row a neuron, all else 1."""
    kinds = {"str": "tokens", "bool": False}
    rest = {name: kinds.get(column.type, 1) for name, column in schema.columns.items()}
    return pd.DataFrame({**rest, **PLACE, **known}, index=range(N))


def test_sets_are_of_the_tables_and_a_mean_of_the_post_activations(
    tiny_folder: TinyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "SETS", 2)
    folder, spec = tiny_folder("gpt2")
    text = [Document("a", "the cat ran on the hill, she said no. " * 20)]
    universal = np.arange(N) % 10 == 0
    frames = {
        "tokens": (tokens({"prose": text}, tiny_tokenizer(), Cut(6, 32, 2, False)), TOKENS),
        "corr": (ones(CORR, universal=universal), CORR),
        "neurons": (ones(NEURONS, w_out_norm=np.arange(N) + 1.0), NEURONS),
        "stats": (
            pd.concat([
                ones(STATS, domain="prose", var="post", mean=0.0),
                ones(STATS, domain="prose", var="gate", mean=99.0),
            ]),
            STATS,
        ),
    }  # fmt: skip
    for name, (frame, schema) in frames.items():
        tables.write(frame, tmp_path / name, schema, {})
    given = SimpleNamespace(**{name: tmp_path / name for name in frames})
    wanted = {"skip": 4, "sequences": 2, "seed": 0}
    found = ablate(given, folder, spec.loading(), wanted, 1, "cpu")
    assert list(found) == list(ABLATION.columns)
    assert len(found) == 2 * 2 * (1 + 2)
    assert set(found["n_neurons"]) == {universal.sum()}
    kl = found.pivot(index=["set", "seq_id"], columns="held", values="kl")
    np.testing.assert_allclose(kl["mean"], kl["zero"])  # the mean of the post-activations is 0
