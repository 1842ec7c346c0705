"""Statistics of neurons against scipy's on the pooled values; halves and blocks by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.studies.universal.moment_shards import MomentShards, Neurons, Part
from clampsweep.studies.universal.neuron_table import (
    HALVES,
    RELIABILITY,
    STATS,
    every_domain,
    rank_correlation,
    tables_of,
)
from universal.blocks import exchangeable, sums_of, two_domains, write_shards


def kurt(values: np.ndarray) -> np.ndarray:
    """Of [block, pos, neuron]."""
    return stats.kurtosis(values.reshape(-1, values.shape[-1]), axis=0, fisher=False)


def part(values: np.ndarray) -> Part:
    half = values.shape[2] // 2
    return Part(Neurons(np.repeat([0, 1], half), np.tile(np.arange(half), 2)), sums_of(values))


VALUES = exchangeable(np.random.default_rng(0), 7) + np.linspace(-1, 1, 60)


def test_moments_are_those_of_scipy():
    flat = VALUES.reshape(-1, 60)
    found = tables_of("prose", "gate", part(VALUES)).stats
    assert (found["n"] == len(flat)).all()
    for name, wanted in {
        "mean": flat.mean(0), "variance": flat.var(0, ddof=1), "skew": stats.skew(flat, axis=0),
        "kurt": kurt(VALUES), "freq": (flat > 0).mean(0), "kurt_discovery": kurt(VALUES[::2]),
        "kurt_confirmation": kurt(VALUES[1::2]),
    }.items():  # fmt: skip
        assert found[name].to_numpy() == pytest.approx(wanted, rel=1e-6)
    left = np.log([kurt(np.delete(VALUES, at, 0)) for at in range(7)])
    assert found["log_kurt_se"].to_numpy() == pytest.approx(np.sqrt(6 * left.var(0)), rel=1e-6)


def halves(values: np.ndarray, without: int | None) -> tuple[float, float]:
    """Rank correlation of the halves and growth, without a block."""
    kept = [at for at in range(len(values)) if at != without]
    even, odd = (kurt(values[[at for at in kept if at % 2 == side]]) for side in (0, 1))
    median = [np.median(np.log(one)) for one in (kurt(values[kept]), even, odd)]
    return stats.spearmanr(even, odd).statistic, median[0] - (median[1] + median[2]) / 2


def test_halves_by_brute_force():
    found = tables_of("prose", "gate", part(VALUES)).halves.set_index("measure")
    rho, growth = halves(VALUES, None)
    left = np.array([halves(VALUES, at) for at in range(7)])
    for name, value, at in (("spearman", rho, 0), ("growth", growth, 1)):
        assert found.loc[name, "value"] == pytest.approx(value)
        assert found.loc[name, "se"] == pytest.approx(np.sqrt(6 * left[:, at].var()))
    below = [(np.delete(VALUES, at, 0).mean((0, 1)) < 0).mean() for at in range(7)]
    assert found.loc["negative", "value"] == (VALUES.mean((0, 1)) < 0).mean()
    assert found.loc["negative", "se"] == pytest.approx(np.sqrt(6 * np.var(below)))


def test_layers_are_reliable_where_neurons_differ_and_not_where_they_do_not():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(6, 200, 80))
    values[:, :, :40] *= np.exp(rng.normal(size=(6, 200, 40)) * np.linspace(0, 1.5, 40))
    found = tables_of("prose", "post", part(values)).reliability.set_index("layer")
    assert found.loc[0, "reliable"] and found.loc[0, "spearman"] > 0.7
    assert not found.loc[1, "reliable"] and abs(found.loc[1, "spearman"]) < 0.4
    assert found.loc[1, "median_kurt"] == pytest.approx(np.median(kurt(values)[40:]))


def test_a_constant_neuron_has_no_kurtosis_and_disturbs_no_other():
    values = VALUES.copy()
    values[:, :, 0] = 2.5
    found, whole = (tables_of("prose", "gate", part(one)) for one in (values, VALUES))
    assert np.isnan(found.stats["kurt"][0])
    assert found.reliability["n_neurons"].tolist() == [29, 30]
    assert found.stats["kurt"][1:].equals(whole.stats["kurt"][1:])
    constant = tables_of("prose", "gate", part(np.ones((6, 4, 8))))
    assert constant.reliability["spearman"].isna().all()
    assert constant.halves.set_index("measure")["value"].isna().tolist() == [True, True, False]


def test_every_domain_is_in_the_tables(tmp_path):
    values = two_domains()
    found = every_domain(MomentShards(*write_shards(tmp_path / "results", values)))
    for name, schema in (("stats", STATS), ("reliability", RELIABILITY), ("halves", HALVES)):
        tables.write(getattr(found, name), tmp_path / f"{name}.parquet", schema, {})
        assert len(tables.read(tmp_path / f"{name}.parquet", schema)) == len(getattr(found, name))
    for (domain, var), own in values.items():
        rows = found.stats[(found.stats["domain"] == domain) & (found.stats["var"] == var)]
        assert rows["kurt"].to_numpy() == pytest.approx(kurt(own))


def test_rank_correlation_is_spearmans_and_leaves_out_what_is_not_known():
    rng = np.random.default_rng(2)
    one, two = rng.integers(0, 9, (2, 50)).astype(float)
    one[3] = np.nan
    wanted = stats.spearmanr(np.delete(one, 3), np.delete(two, 3)).statistic
    assert rank_correlation(one, two) == pytest.approx(wanted)
    assert np.isnan(rank_correlation(one, np.ones(50)))
    assert np.isnan(rank_correlation(one[:2], two[:2]))
