from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.studies.universal.roles.candidates import choose, neurons
from clampsweep.studies.universal.roles.tables import CONTROLS, ROLES, TRIED
from universal.roles.worlds import known, put, scores


def of(roles: pd.DataFrame, role: str) -> list[tuple[int, int]]:
    own = roles[roles["role"] == role].sort_values("rank")
    return list(zip(own["layer"], own["neuron"], strict=True))


def test_planted_neurons_are_candidates_of_their_roles():
    table = known()
    put(table, 3, 1, vocab_kurt=30, vocab_skew=2, sign=1)
    put(table, 3, 2, vocab_kurt=40, vocab_skew=-2, sign=-1)  # its write turns round
    put(table, 5, 3, vocab_kurt=20, vocab_skew=2, sign=-1)
    put(table, 2, 4, vocab_var=0.5)
    put(table, 5, 6, w_out_norm=9, vocab_var=1e-5)
    put(table, 1, 6, w_out_norm=9, vocab_var=1e-6)  # not of the last two layers
    found = choose(table, scores(L2N7=-3.0, L1N1=1.0), None, 2, 5, 0).roles
    assert of(found, "prediction") == [(3, 2), (3, 1)]
    assert of(found, "suppression") == [(5, 3)]
    assert of(found, "partition")[0] == (2, 4)
    assert of(found, "entropy")[0] == (5, 6)
    assert of(found, "attention") == [(2, 7), (1, 1)]


def test_no_neuron_is_a_candidate_where_none_stands_out():
    table = known().assign(w_out_norm=1.0)
    table["vocab_var"] = np.linspace(1, 2, len(table))
    found = choose(table, scores(), None, 5, 5, 0)
    for role in ("prediction", "suppression", "attention"):
        assert of(found.roles, role) == []
        assert not (found.controls["role"] == role).any()


def test_controls_are_neither_candidates_nor_of_the_kind():
    table = known()
    for at in range(4):
        put(table, 5, at, vocab_kurt=20 + at, vocab_skew=1, sign=1)
    put(table, 5, 30, w_out_norm=9, vocab_var=1e-5)
    found = choose(table, scores(), None, 2, 10, 0)
    own = found.controls[found.controls["role"] == "prediction"]
    assert (own["layer"] == 5).all() and len(own) == 10
    assert not own["neuron"].isin(range(4)).any()  # two of them are not even candidates
    late = table[table["layer"] >= 4].set_index(["layer", "neuron"])
    entropy = found.controls[found.controls["role"] == "entropy"]
    for kind, rows in entropy.groupby("kind"):
        facts = late.loc[list(zip(rows["layer"], rows["neuron"], strict=True))]
        assert (facts["vocab_var"] > late["vocab_var"].quantile(0.1)).all(), kind
        if kind == "plain":
            assert (facts["w_out_norm"] < late["w_out_norm"].quantile(0.9)).all()
            assert len(rows) == 10


def test_what_is_chosen_fits_its_tables(tmp_path):
    features = pd.DataFrame(
        {"feature": ["digit"] * 2, "rank": [1, 2], "layer": [1, 2], "neuron": [3, 4],
         "vr_confirmation": [0.7, 0.2]}
    )  # fmt: skip
    found = choose(known(), scores(L0N0=1.0), features, 1, 5, 0)
    assert of(found.roles, "feature:digit") == [(1, 3)]
    tables.write(found.roles, tmp_path / "roles.parquet", ROLES, {})
    tables.write(found.controls, tmp_path / "controls.parquet", CONTROLS, {})
    assert len(tables.read(tmp_path / "controls.parquet", CONTROLS)) == len(found.controls)


def test_a_table_without_any_candidate_can_be_written(tmp_path):
    table = known().assign(vocab_var=np.nan)
    found = choose(table, scores(), None, 5, 5, 0)
    assert set(found.roles["role"]) & set(TRIED) == set()
    tables.write(found.controls, tmp_path / "controls.parquet", CONTROLS, {})


def test_neurons_are_joined_by_place_and_the_size_is_of_what_they_write():
    place = pd.DataFrame({"layer": [0, 0], "neuron": [0, 1]})
    both = pd.concat([place.assign(processing=name) for name in ("raw", "folded")])
    weights = both.assign(w_out_norm=[1.0, 2.0, 3.0, 4.0])
    words = both.assign(vocab_var=[0.0, 0, 5, 6], vocab_skew=1.0, vocab_kurt=3.0)
    stats = place.assign(mean=[3.0, 0.0], variance=[16.0, 1.0]).iloc[::-1]
    values = place.assign(top_sign=[-1, 0])
    found = neurons(weights, words, stats, values)
    assert found["w_out_norm"].tolist() == [3, 4]
    assert found["size"].tolist() == [5, 1]
    assert found["sign"].tolist() == [-1, 1]
    with pytest.raises(pd.errors.MergeError):
        neurons(weights, pd.concat([words, words]), stats, values)
