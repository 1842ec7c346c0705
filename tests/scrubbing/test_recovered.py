from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.recovered import (
    RECOVERED,
    original_layout,
    recovered_of,
    recovered_table,
)
from clampsweep.studies.scrubbing.tally import Means
from clampsweep.tables import read, write
from scrubbing.tallied import NAMES, losses, tally

FOUND = losses()
NOTHING_LOST, EMPTY = list(CATEGORIES)[-2:]


@pytest.fixture(scope="module")
def table():
    return recovered_table(tally(FOUND))


def test_loss_recovered_is_the_share_of_the_baselines_harm_that_is_undone(table):
    rows = table.set_index(["experiment", "category"])
    for c, category in list(enumerate(CATEGORIES))[:-2]:
        every = [FOUND.nll[:, e].astype(float)[FOUND.flags[:, c]].mean() for e in range(4)]
        for e, name in enumerate(NAMES):
            row = rows.loc[(name, category)]
            expected = (every[1] - every[e]) / (every[1] - every[0])
            assert row["loss_recovered"] == pytest.approx(expected)
            assert row["ci_low"] <= expected <= row["ci_high"]
            assert not row["undefined"]
    overall = rows.xs("OVERALL", level="category")["loss_recovered"]
    assert overall["unscrubbed"] == 1 and overall["baseline"] == 0
    assert overall["half"] == pytest.approx(0.5, abs=0.05)


def test_intervals_are_of_paired_resamples(table):
    ratios = tally(FOUND).means.resampled[:, :, 0]
    expected = (ratios[:, 1] - ratios[:, 2]) / (ratios[:, 1] - ratios[:, 0])
    row = table[(table["experiment"] == "half") & (table["category"] == "OVERALL")].iloc[0]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(expected, [0.025, 0.975]))
    # Were they not paired, the interval would be as wide as losses differ between examples.
    apart = (ratios[:, 1] - np.roll(ratios[:, 2], 1)) / (ratios[:, 1] - ratios[:, 0])
    assert np.ptp(np.quantile(apart, [0.025, 0.975])) > 3 * (row["ci_high"] - row["ci_low"])


def test_where_the_baseline_harms_nothing_there_is_no_number(table):
    rows = table[table["category"] == NOTHING_LOST]
    assert rows["undefined"].all() and rows["mean"].notna().all()
    assert rows[["loss_recovered", "ci_low", "ci_high"]].isna().all(axis=None)


def test_an_empty_category_has_a_count_of_0_and_no_numbers(table):
    rows = table[table["category"] == EMPTY]
    assert (rows["count"] == 0).all() and rows["undefined"].all()
    assert rows[["mean", "variance", "loss_recovered"]].isna().all(axis=None)


def test_a_baseline_that_helps_is_defined_and_a_difference_of_rounding_is_not():
    n = len(CATEGORIES)
    for harm, undefined in [(-0.5, False), (0.5, False), (1e-6, True), (0.0, True)]:
        mean = np.tile([[2.0], [2.0 + harm]], (1, n))
        _, found = recovered_of(Means(("unscrubbed", "baseline"), mean, np.stack([mean] * 3)))
        assert found.tolist() == [undefined] * n, harm


def test_the_table_is_one_of_its_schema(table, tmp_path):
    write(table, tmp_path / "t.parquet", RECOVERED, {})
    back = read(tmp_path / "t.parquet", RECOVERED)
    assert len(back) == len(NAMES) * len(CATEGORIES)


def test_it_prints_as_the_original_does(table):
    lines = original_layout(table).splitlines()
    row = table.iloc[1]
    assert lines[0] == "unscrubbed"
    assert lines[2].split() == [
        "CANDIDATES", f"{row['mean']:.3f}", f"{row['variance']:.3f}", str(row["count"]),
    ]  # fmt: skip
    assert lines[len(CATEGORIES)].split()[-3:] == ["nan", "nan", "0"]
    assert lines[len(CATEGORIES) + 1 : len(CATEGORIES) + 3] == ["", "baseline"]
