"""Splits by topic: against every way to part them, and what they do not depend on."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pytest

from clampsweep.studies.steering.pairs import Pair, read_tsv
from clampsweep.studies.steering.topic_split import SHARES, split_by_topic

SHIPPED = Path(__file__).parents[2] / "promptsets" / "steering"


def made(n: int = 24, topics: int = 12) -> list[Pair]:
    return [Pair(f"Prompt {at}?", "yes", "no", f"t{at % topics:02}") for at in range(n)]


@pytest.mark.parametrize("seed", range(8))
def test_shipped_pairs_are_split_as_wanted_with_whole_topics(seed):
    pairs = read_tsv(SHIPPED / "french.tsv")
    split = split_by_topic(pairs, seed)
    assert Counter(split) == SHARES
    assert len(set(zip((one.topic for one in pairs), split, strict=True))) == 12


def test_the_split_follows_the_seed_and_not_the_order_of_the_pairs():
    pairs = made(120)
    split = dict(zip(pairs, split_by_topic(pairs, 3), strict=True))
    assert dict(zip(pairs[::-1], split_by_topic(pairs[::-1], 3), strict=True)) == split
    assert list(split.values()) != split_by_topic(pairs, 4)
    train = Counter()
    for seed in range(300):
        chosen = split_by_topic(pairs[:12], seed)
        train.update(one.topic for one, name in zip(pairs, chosen, strict=False) if name == "train")
    assert set(train) == {one.topic for one in pairs}
    assert all(110 < count < 190 for count in train.values())  # 150 of 300, 4.6 SD each way


@pytest.mark.parametrize("sizes", [(9, 5, 4, 2), (10, 1, 1), (3, 3, 3, 3, 3), (40, 30, 20, 20, 10)])
def test_uneven_topics_are_parted_nearly_as_well_as_they_can_be(sizes):
    pairs = [Pair(f"{t} {at}", "a", "b", str(t)) for t, n in enumerate(sizes) for at in range(n)]
    total = sum(SHARES.values())
    wanted = [sum(sizes) * share / total for share in SHARES.values()]

    def farthest(counts: list[float]) -> float:
        return max(abs(a - b) for a, b in zip(counts, wanted, strict=True))

    best = min(
        farthest([sum(n for n, s in zip(sizes, dealt, strict=True) if s == at) for at in range(3)])
        for dealt in itertools.product(range(3), repeat=len(sizes))
        if len(set(dealt)) == 3
    )
    for seed in range(5):
        counts = Counter(split_by_topic(pairs, seed))
        assert set(counts) == set(SHARES)
        assert farthest([counts[name] for name in SHARES]) <= best + max(sizes) / 2


def test_pairs_without_topics_are_split_by_prompt():
    pairs = [Pair(f"prompt {at % 30}", f"a {at}", f"b {at}") for at in range(60)]
    split = split_by_topic(pairs, 0)
    assert split[:30] == split[30:] and Counter(split) == {"train": 30, "dev": 10, "test": 20}


def test_too_few_topics_and_shares_of_nothing_are_refused():
    with pytest.raises(ValueError, match="2 topics for 3 splits"):
        split_by_topic(made(topics=2), 0)
    with pytest.raises(ValueError, match="write numbers above 0"):
        split_by_topic(made(), 0, {"train": 1, "test": 0})
