"""Activations that are read a layer at a time, against the tables that they stand in."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from backtracking.capturing import plan
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.shards.shard import KEY, Item, of_shard, read_shard
from clampsweep.studies.backtracking.captured import Captured
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.studies.backtracking.tables import ACTIVATIONS

N_LAYERS, D_MLP, D_MODEL = 2, 5, 3
PLACES = {"a": [30, 40], "b": [30], "twin of b": [30], "c": [9]}
ITEMS = [Item(name, [name.removeprefix("twin of "), at]) for name, at in PLACES.items()]


def _vector(trace, place, kind, layer):
    """Values that tell where they come from."""
    seed = [ord(trace), place, KINDS.index(kind), layer]
    return np.random.default_rng(seed).normal(size=D_MLP + D_MODEL).astype(np.float16)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Plan and shards, one trace in each; the first in float32."""
    found = plan(tmp_path_factory.mktemp("results"), ITEMS, 1)
    shards = []
    for number, pinned in enumerate(found.shards):
        shards.append(pinned.with_suffix(".parquet"))
        with tables.appending(shards[-1], of_shard(ACTIVATIONS), {}) as append:
            for layer in range(N_LAYERS):
                rows = [
                    (item.key, at, kind, _vector(item.content[0], at, kind, layer))
                    for item in read_shard(pinned).items
                    for at in item.content[1]
                    for kind in KINDS
                ]
                keys, places, kinds, vectors = zip(*rows, strict=True)
                wide = np.stack(vectors).astype(np.float16 if number else np.float32)
                append(
                    {KEY: keys, "place": places, "kind": kinds, "layer": [layer] * len(rows),
                     "vector": wide}
                )  # fmt: skip
    return found.path, shards


def _samples(*places):
    names, onsets = zip(*places, strict=True)
    return pd.DataFrame({"trace_id": names, "onset": onsets})


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_a_layer_comes_in_the_order_of_samples_and_kinds(written, layer):
    captured = Captured(*written, D_MLP)
    places = [("b", 30), ("a", 40), ("c", 9), ("a", 30), ("b", 30)]
    for kind in ("window", "pred"):
        own = captured.layer(layer, kind, _samples(*places))
        wanted = np.stack([_vector(name, at, kind, layer) for name, at in places])
        np.testing.assert_array_equal(own.post, wanted[:, :D_MLP])
        np.testing.assert_array_equal(own.residual, wanted[:, D_MLP:])
        assert own.post.dtype == own.residual.dtype == np.float32


def test_traces_of_one_content_share_what_was_computed_once(written):
    captured = Captured(*written, D_MLP)
    assert len(written[1]) == 3
    first, second = captured.layer(0, "pre", _samples(("b", 30), ("twin of b", 30))).post
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("place", [("a", 31), ("d", 30)])
def test_a_sample_that_no_shard_holds_is_said_with_a_remedy(written, place):
    captured = Captured(*written, D_MLP)
    with pytest.raises(UserError, match=r"no shard holds .*; delete results/shards/.* run again"):
        captured.layer(0, "pre", _samples(place))


def test_a_shard_that_is_missing_is_said(written):
    captured = Captured(written[0], written[1][1:], D_MLP)
    places = [(name, at) for name, some in PLACES.items() for at in some]
    with pytest.raises(UserError, match="no shard holds"):
        captured.layer(0, "pre", _samples(*places))


def test_what_other_entries_had_computed_is_passed_over(written, tmp_path):
    """A plan that names less than the shards hold, as where two entries share them."""
    less = plan(tmp_path, ITEMS[:1], 1)
    captured = Captured(less.path, written[1], D_MLP)
    found = captured.layer(1, "onset", _samples(("a", 30)))
    np.testing.assert_array_equal(found.post[0], _vector("a", 30, "onset", 1)[:D_MLP])
    with pytest.raises(UserError):
        captured.layer(1, "onset", _samples(("b", 30)))
