"""Moments that are read from shards against the values that they were made of."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.universal.moment_shards import MomentShards
from clampsweep.studies.universal.places import GATE, POST, UP
from universal.blocks import sums_of, two_domains, write_shards


def test_a_domain_comes_back_in_the_order_of_blocks_and_neurons(tmp_path):
    values = two_domains()
    shards = MomentShards(*write_shards(tmp_path, values))
    assert shards.domains == ["known", "new"]
    for (domain, var), own in values.items():
        part = shards.read(domain, var)
        assert part.neurons.layer.tolist() == [0] * 30 + [1] * 30
        assert part.neurons.number.tolist() == [*range(30), *range(30)]
        for got, wanted in zip(part.sums, sums_of(own), strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_what_a_model_does_not_have_is_none(tmp_path):
    shards = MomentShards(*write_shards(tmp_path, two_domains()))
    assert shards.read("known", UP) is None


def test_a_block_that_two_shards_hold_counts_once(tmp_path):
    values = two_domains()
    plan, paths = write_shards(tmp_path, values)
    _, others = write_shards(tmp_path / "other", values, per_shard=5)
    part = MomentShards(plan, [*paths, *others]).read("new", GATE)
    np.testing.assert_array_equal(part.sums.sum4, sums_of(values["new", GATE]).sum4)


def test_a_block_that_is_missing_is_said(tmp_path):
    plan, paths = write_shards(tmp_path, two_domains())
    with pytest.raises(UserError, match=r"no shard holds \d blocks of 'known', such as .* again"):
        MomentShards(plan, paths[1:]).read("known", POST)
