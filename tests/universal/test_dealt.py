"""Blocks dealt out anew: each once, against brute force; intervals miss 0 as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clampsweep.studies.universal.dealt import deal, excluded, joined, mixed
from clampsweep.studies.universal.measures import MEASURES
from universal.blocks import exchangeable, sums_of


def test_every_draw_deals_all_blocks():
    dealt = deal(3, 5, 200, np.random.default_rng(0))
    assert dealt.shape == (200, 8) and (dealt.sum(1) == 3).all()
    assert dealt.mean(0) == pytest.approx(np.full(8, 3 / 8), abs=0.12)


def test_a_draw_by_brute_force():
    values = exchangeable(np.random.default_rng(0), 9)
    dealt = deal(4, 5, 3, np.random.default_rng(1))
    pool = joined(sums_of(values[:4]), sums_of(values[4:]))
    found = mixed(MEASURES["post"], pool, dealt)["kurt"]
    for draw, own in enumerate(dealt.astype(bool)):
        new, known = (
            np.log(stats.kurtosis(values[side].reshape(-1, 60), axis=0, fisher=False))
            for side in (own, ~own)
        )
        assert found["median"][draw] == pytest.approx(np.median(new - known))
        assert found["spearman"][draw] == pytest.approx(stats.spearmanr(new, known).statistic)


def test_intervals_miss_zero_about_as_often_as_they_say():
    rng = np.random.default_rng(2)
    new, known = (sums_of(exchangeable(rng, 10, 20, 24)) for _ in range(2))
    found = excluded("gate", new, known, deal(10, 10, 60, rng))
    assert set(found) == {"kurt", "freq", "mean"}
    # 0.05 of 60 draws are 3; more than 9 are as rare as 1 in 500.
    assert all(share <= 0.15 for share in found.values()), found
