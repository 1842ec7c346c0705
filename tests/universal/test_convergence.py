"""Kurtosis over more text, and the largest that is possible, by hand and by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.studies.universal.convergence import (
    CONVERGENCE,
    convergence,
    every_var,
    possible,
)
from clampsweep.studies.universal.moment_shards import MomentShards
from universal.blocks import exchangeable, sums_of, two_domains, write_shards


@pytest.mark.parametrize("n", [2, 3, 5, 100])
def test_the_largest_kurtosis_is_that_of_one_outlier(n):
    one = np.zeros(n)
    one[0] = 1
    assert possible(n) == pytest.approx(stats.kurtosis(one, fisher=False))
    values = np.random.default_rng(n).standard_cauchy((n, 500))
    assert stats.kurtosis(values, axis=0, fisher=False).max() <= possible(n) * (1 + 1e-9)


def test_five_values_cannot_exceed_3_25():
    assert possible(5) == 3.25
    assert np.isnan(possible(1))


def test_all_blocks_give_the_kurtosis_of_all_values():
    values = exchangeable(np.random.default_rng(0))
    found = convergence("post", sums_of(values), 5, 0)
    assert found["blocks"].tolist() == [1, 2, 4, 6, 8]
    last = found.iloc[-1]
    kurt = stats.kurtosis(values.reshape(-1, 60), axis=0, fisher=False)
    assert last["median_kurt"] == pytest.approx(np.median(kurt))
    assert last["p95_kurt"] == pytest.approx(np.percentile(kurt, 95))
    assert (last["draws"], last["tokens"]) == (1, 320)
    assert last["share"] == pytest.approx(np.median(kurt) / possible(320))
    single = [np.median(stats.kurtosis(one, axis=0, fisher=False)) for one in values]
    first = found.iloc[0]
    for name in ("least", "highest"):
        assert np.isclose(first[name], single).any()
    assert found["tokens"].tolist() == [40, 80, 160, 240, 320]


def test_heavy_tails_grow_with_text_and_bounded_values_do_not():
    rng = np.random.default_rng(1)
    heavy = convergence("post", sums_of(rng.standard_cauchy((20, 40, 50))), 4, 0)["median_kurt"]
    flat = convergence("post", sums_of(rng.uniform(size=(20, 40, 50))), 4, 0)["median_kurt"]
    assert heavy.iloc[-1] > 5 * heavy.iloc[0]
    assert flat.iloc[-1] == pytest.approx(1.8, abs=0.05) and flat.iloc[0] < 2.1


def test_the_table_holds_what_the_model_has(tmp_path):
    shards = MomentShards(*write_shards(tmp_path / "results", two_domains()))
    tables.write(every_var(shards, "known", 3, 0), tmp_path / "c.parquet", CONVERGENCE, {})
    assert set(tables.read(tmp_path / "c.parquet", CONVERGENCE)["var"]) == {"gate", "post"}
