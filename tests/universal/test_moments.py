"""Moments of a shard's blocks against scipy's, of what Hugging Face's own model computes."""

from __future__ import annotations

import pytest
from scipy import stats

from clampsweep.models.moments_schema import MOMENTS
from clampsweep.shards.shard import Keyed, Shard
from clampsweep.studies.universal.moments import moments, points
from universal.hooked import by_hand

SEQUENCES = [[list(range(5 + at, 25 + at)) for at in range(3)], [list(range(40, 60))]]


def shard(skip: int) -> Shard:
    items = [Keyed(str(at), {"sequences": one, "skip": skip}) for at, one in enumerate(SEQUENCES)]
    return Shard("universal_moments", "tiny", {}, items)


def test_moments_are_those_of_scipy(llama):
    found = dict(moments(llama, shard(4)))
    assert list(found) == ["0", "1"]
    for key, sequences in zip(found, SEQUENCES, strict=True):
        for name, values in by_hand(llama, 1, sequences).items():
            own = found[key][(found[key]["hook_point"] == name) & (found[key]["layer"] == 1)]
            flat = values[:, 4:].reshape(-1, values.shape[-1])
            assert (own["n"] == len(flat)).all()
            assert (own["n_positive"].to_numpy() == (flat > 0).sum(0)).all()
            assert own["mean"].to_numpy() == pytest.approx(flat.mean(0), rel=1e-6, abs=1e-9)
            kurt = own["n"] * own["sum4"] / own["sum2"] ** 2
            assert kurt.to_numpy() == pytest.approx(
                stats.kurtosis(flat, axis=0, fisher=False), rel=1e-6
            )
            skew = own["n"] ** 0.5 * own["sum3"] / own["sum2"] ** 1.5
            assert skew.to_numpy() == pytest.approx(stats.skew(flat, axis=0), rel=1e-6, abs=1e-9)


def test_positions_that_are_skipped_count_nowhere(llama):
    few, every = (dict(moments(llama, shard(skip)))["1"] for skip in (19, 0))
    assert (few["n"] == 1).all()
    assert (few["sum2"] == 0).all()
    assert (every["n"] == 20).all()


def test_a_model_without_a_gate_has_no_up(gpt2, llama):
    assert {point.name for point in points(gpt2)} == {"mlp.hook_pre", "mlp.hook_post"}
    assert len(points(llama)) == 3 * llama.n_layers
    table = dict(moments(gpt2, shard(4)))["0"]
    assert set(table["hook_point"]) == {"mlp.hook_pre", "mlp.hook_post"}


def test_the_table_is_that_of_the_models(gpt2):
    table = dict(moments(gpt2, shard(4)))["0"]
    assert set(table.columns) == set(MOMENTS.columns) - {"block"}
