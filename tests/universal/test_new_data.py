"""New data against known: what is the same holds at the stated rate, what differs is found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from clampsweep import tables
from clampsweep.studies.universal.jackknife import all_but_one, p_within
from clampsweep.studies.universal.measures import MEASURES, each, median_difference
from clampsweep.studies.universal.moment_shards import MomentShards
from clampsweep.studies.universal.new_data import (
    MARGINS,
    NEW_DATA,
    Pair,
    density,
    every_pair,
    new_data,
)
from universal.blocks import exchangeable, sums_of, two_domains, write_shards

PAIR = Pair("new", "known")

TOKENS = pd.DataFrame(
    {"domain": ["known", "known", "new"], "tokens": [[1, 2], [3, 4], [5, 6, 7]],
     "text": ["abcd", "efgh", "abc"]}
)  # fmt: skip


def only(rows: pd.DataFrame, measure: str = "kurt") -> pd.Series:
    return rows.set_index("measure").loc[measure]


def test_the_estimate_is_the_median_of_paired_log_ratios():
    values = two_domains()
    new, known = values["new", "post"], values["known", "post"]
    row = only(new_data(PAIR, "post", sums_of(new), sums_of(known), 19, 0))
    kurt = [
        np.log(stats.kurtosis(one.reshape(-1, 60), axis=0, fisher=False)) for one in (new, known)
    ]
    assert row["estimate"] == pytest.approx(np.median(kurt[0] - kurt[1]))
    assert row["share_higher"] == (kurt[0] > kurt[1]).mean()
    assert row["spearman"] == pytest.approx(stats.spearmanr(*kurt).statistic)
    assert row["change"] == pytest.approx(row["spearman"] - row["spearman_mixed"])
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["n_neurons"], row["n_mixed"], row["n_ranked"]) == (60, 19, 19)


def test_a_domain_against_itself_holds_exactly():
    own = sums_of(two_domains()["new", "gate"])
    rows = new_data(PAIR, "gate", own, own, 19, 0)
    assert rows["estimate"].tolist() == [0, 0, 0]
    assert rows["spearman"].to_numpy() == pytest.approx(np.ones(3))
    assert (rows["p_other"] > 0.9).all() and (rows["p_mixed"] == 1).all()


def test_other_tails_are_found_and_do_not_hold():
    values = two_domains(heavier=3.0)
    sides = (sums_of(values[domain, "post"]) for domain in PAIR)
    row = only(new_data(PAIR, "post", *sides, 99, 0))
    assert row["low"] > MARGINS["kurt"] and row["p_within"] > 0.9
    assert row["p_mixed"] == 0.01 and row["estimate"] > row["mixed_high"]


def test_a_shift_of_means_is_in_standard_deviations():
    known = np.random.default_rng(0).normal(2, 4, size=(6, 300, 30))
    rows = new_data(PAIR, "gate", sums_of(known + 4), sums_of(known), 9, 0)
    assert only(rows, "mean")["estimate"] == pytest.approx(1, abs=0.05)
    assert only(rows)["estimate"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kind", ["same", "edge"])
def test_errors_are_as_rare_as_stated(kind):
    """Of 200 pairs of domains from one source, and of pairs just at the margin."""
    rng, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        new, known = (sums_of(exchangeable(rng, 8, 30, 24)) for _ in range(2))
        sides = [each(MEASURES["post"], one, all_but_one(8))["kurt"] for one in (new, known)]
        if kind == "edge":  # kurtosis is larger by just the margin, in every neuron
            sides[0] = sides[0] + MARGINS["kurt"]
        found = median_difference(*sides)
        held = p_within(found, MARGINS["kurt"])
        wrong += held < 0.05 if kind == "edge" else not found.low <= 0 <= found.high
    assert wrong <= 18  # 0.05 of 200 are 10; more than 18 would be less likely than 1 in 100


def test_tokens_per_character():
    assert density(TOKENS) == {"known": 0.5, "new": 1.0}


def test_the_table_has_every_pair(tmp_path):
    shards = MomentShards(*write_shards(tmp_path / "results", two_domains()))
    found = every_pair(shards, [PAIR, Pair("known", "new")], TOKENS, 5, 0)
    tables.write(found, tmp_path / "g.parquet", NEW_DATA, {})
    read = tables.read(tmp_path / "g.parquet", NEW_DATA).set_index(list(NEW_DATA.key))
    assert len(read) == 8
    there, back = (read.loc[(*pair, "post", "kurt")] for pair in (PAIR, PAIR[::-1]))
    assert there["estimate"] == pytest.approx(-back["estimate"])
    assert (there["density_new"], back["density_new"]) == (1.0, 0.5)


def test_no_pair_is_a_table_too(tmp_path):
    shards = MomentShards(*write_shards(tmp_path / "results", two_domains()))
    tables.write(every_pair(shards, [], TOKENS, 5, 0), tmp_path / "g.parquet", NEW_DATA, {})
    assert tables.read(tmp_path / "g.parquet", NEW_DATA).empty
