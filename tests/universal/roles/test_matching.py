from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.universal.roles.matching import matched, plain

POOL = pd.DataFrame(
    {
        "layer": [0] * 6 + [1] * 3,
        "neuron": [0, 1, 2, 3, 4, 5, 0, 1, 2],
        "w_out_norm": [1.0, 1.1, 2.0, 4.0, 8.0, 16.0, 1.0, 1.0, 1.0],
        "size": [1.0] * 9,
        "sign": [1, -1, 1, 1, 1, 1, -1, 1, 1],
    }
)


def pick(*rows: int) -> pd.DataFrame:
    return POOL.iloc[list(rows)]


def test_the_nearest_of_the_layer_in_norm_are_taken():
    found = matched(pick(0), POOL, 2, "prediction")
    assert found["neuron"].tolist() == [1, 2]
    assert (found["layer"] == 0).all() and found["sign"].tolist() == [-1, 1]
    logs = np.log(POOL["w_out_norm"][1:6])
    np.testing.assert_allclose(found["distance"], logs[:2] / logs.std(ddof=0), rtol=1e-9)


def test_candidates_take_turns_and_share_no_control():
    found = matched(pick(0, 5), POOL, 4, "prediction")
    assert found["like_neuron"].tolist() == [0, 5, 0, 5]
    assert found["neuron"].tolist() == [1, 4, 2, 3]


def test_there_are_fewer_where_the_layer_has_no_more():
    assert len(matched(pick(6), POOL, 20, "prediction")) == 2
    assert matched(pick(), POOL, 20, "prediction").empty


def test_size_counts_as_much_as_norm():
    pool = POOL.assign(w_out_norm=1.0, size=[1.0, 50, 40, 30, 2, 3, 1, 1, 1])
    assert matched(pool.iloc[[0]], pool, 2, "x")["neuron"].tolist() == [4, 5]


def test_plain_neurons_are_drawn_once_each_and_by_the_seed():
    first, again, other = (plain(POOL, 4, "entropy", seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)
    assert not first.duplicated(["layer", "neuron"]).any() and len(first) == 4
    assert len(plain(POOL, 99, "entropy", 0)) == 9
