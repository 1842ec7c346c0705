"""Pooled kurtosis against scipy, with and without the first position."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from clampsweep import tables
from clampsweep.studies.universal.convergence import possible
from clampsweep.studies.universal.pooled import POOLED, pooled

SEQUENCES = [list(range(5 + at, 25 + at)) for at in range(3)]


def test_it_is_that_of_all_values_of_a_text(llama, tmp_path):
    tables.write(pooled(llama, SEQUENCES), tmp_path / "p.parquet", POOLED, {})
    found = tables.read(tmp_path / "p.parquet", POOLED).set_index(["place", "tokens", "first"])
    assert sorted(set(found.index.get_level_values("tokens"))) == [3, 5, 9, 19]
    with torch.no_grad():
        states = llama.plain(torch.tensor(SEQUENCES)[:, :9], output_hidden_states=True)
    residual = states.hidden_states[llama.n_layers // 2 + 1].numpy()
    for first in (True, False):
        own = residual[:, 0 if first else 1 :].reshape(3, -1)
        row = found.loc[("residual", 9, first)]
        wanted = np.median(stats.kurtosis(own, axis=1, fisher=False))
        assert row["kurt"] == pytest.approx(wanted, rel=1e-6)
        assert row["n_values"] == own.shape[1]
        assert row["share"] == pytest.approx(wanted / possible(own.shape[1]), rel=1e-6)
    post = found.xs("post", level="place")
    assert post.loc[(9, True), "n_values"] == 9 * llama.n_layers * llama.d_mlp
    assert (found["share"] <= 1).all() and (found["n_texts"] == 3).all()
