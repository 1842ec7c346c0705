from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.two_heads import TWO_HEADS, attribution_correlation, two_heads
from clampsweep.tables import read, write
from scrubbing.tallied import losses, tally


def test_harm_is_loss_above_the_models_own_and_the_difference_is_paired(tmp_path):
    found, total = losses(), tally(losses())
    table = two_heads(total.means, "baseline", "half")
    write(table, tmp_path / "t.parquet", TWO_HEADS, {})
    back = read(tmp_path / "t.parquet", TWO_HEADS).set_index("category")
    every = found.nll.astype(float).mean((0, 2))
    row = back.loc["OVERALL"]
    assert row["first_harm"] == pytest.approx(every[1] - every[0])
    assert row["second_harm"] == pytest.approx(every[2] - every[0])
    assert row["difference"] == pytest.approx(every[1] - every[2])
    for value, low, high in [
        ("first_harm", "first_low", "first_high"),
        ("second_harm", "second_low", "second_high"),
        ("difference", "low", "high"),
    ]:
        assert row[low] < row[value] < row[high]
    resampled = total.means.resampled[:, 1, 0] - total.means.resampled[:, 2, 0]
    assert [row["low"], row["high"]] == pytest.approx(np.quantile(resampled, [0.025, 0.975]))
    assert back.iloc[-1].isna().all() and list(back.index) == list(CATEGORIES)


def rows(second: str, values: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame({"position": range(len(values)), "dloss": values})
    return frame.assign(example=0, first="unscrubbed", second=second)


def test_attributions_are_compared_by_rank_and_the_first_token_is_none():
    one = rows("scrub-1", [9.0, 0.1, 0.2, 0.4, 3.0])
    alike = rows("scrub-2", [-9.0, 1.0, 2.0, 3.0, 4.0])
    assert attribution_correlation(pd.concat([one, alike]), "scrub-1", "scrub-2") == pytest.approx(
        1
    )
    other = rows("scrub-2", [-9.0, 4.0, 3.0, 2.0, 1.0])
    found = attribution_correlation(pd.concat([one, other]), "scrub-1", "scrub-2")
    assert found == pytest.approx(-1)
    flat = rows("scrub-2", [0.0, 1.0, 1.0, 1.0, 1.0])
    assert math.isnan(attribution_correlation(pd.concat([one, flat]), "scrub-1", "scrub-2"))
