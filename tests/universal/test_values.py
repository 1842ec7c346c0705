"""The pass over values against what the moments and torch's own hooks say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.studies.universal.values import NULLS, VALUES, values
from universal.hooked import by_hand

SEQUENCES = [list(range(5 + at, 25 + at)) for at in range(6)]


def test_every_neuron_has_its_own_statistics(llama, tmp_path):
    found = values(llama, SEQUENCES, 4, 3, 0)
    tables.write(found.values, tmp_path / "v.parquet", VALUES, {})
    tables.write(found.nulls, tmp_path / "n.parquet", NULLS, {})
    read = tables.read(tmp_path / "v.parquet", VALUES)
    assert len(read) == llama.n_layers * llama.d_mlp
    for layer in range(llama.n_layers):
        own = read[read["layer"] == layer]
        kept = by_hand(llama, layer, SEQUENCES)
        gate, post = (kept[f"mlp.hook_{name}"][:, 4:].reshape(96, -1) for name in ("pre", "post"))
        assert (own["n"] == 96).all() and (own["n_all"] == 96).all()
        for name, one in (("kurt_gate", gate), ("kurt_post", post)):
            wanted = stats.kurtosis(one, axis=0, fisher=False)
            assert own[name].to_numpy() == pytest.approx(wanted, rel=1e-4)
        assert own["active"].to_numpy() == pytest.approx((np.abs(post) > 0.1).mean(0), abs=0.011)
        largest = post[np.abs(post).argmax(0), np.arange(post.shape[1])]
        assert own["top_mean"].to_numpy() == pytest.approx(largest, rel=1e-5)
        assert (own["top_sign"].to_numpy() == np.sign(largest)).all()
    draws = found.nulls.groupby("draw")["layer"].count()
    assert draws.index.tolist() == [-1, 0, 1, 2] and (draws == llama.n_layers).all()
    again = values(llama, SEQUENCES, 4, 3, 0)
    assert again.nulls.equals(found.nulls)


def test_a_model_without_a_gate_has_no_product(gpt2):
    found = values(gpt2, SEQUENCES, 4, 3, 0)
    assert found.values["kurt_null"].isna().all()
    assert found.nulls["draw"].tolist() == [-1] * gpt2.n_layers
