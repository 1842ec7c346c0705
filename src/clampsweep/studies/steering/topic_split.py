"""Pairs split by topic, so that what is talked about in training is not in a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from clampsweep.errors import shown
from clampsweep.studies.steering.pairs import Pair

TRAIN, DEV, TEST = SPLITS = ("train", "dev", "test")
SHARES: Mapping[str, float] = {TRAIN: 60, DEV: 20, TEST: 40}


def plain(text: str) -> str:
    """A text without what makes no difference here: case, spaces, marks at its end."""
    return " ".join(text.casefold().split()).rstrip(" .!?")


def stays_with(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """What each pair stays with when pairs are split: its topic; without one, its prompt."""
    return [("", plain(one.prompt)) if one.topic is None else (one.topic, "") for one in pairs]


def split_by_topic(
    pairs: Sequence[Pair], seed: int, shares: Mapping[str, float] = SHARES
) -> list[str]:
    """Split of each pair, whole topics together, near to the shares.

    Topics in random order, larger ones first, each go to the split that lacks most pairs; no split
    is left without a topic. Pairs without topics are split by prompt. The order of the pairs makes
    no difference, so behaviours with the same prompts and topics are split alike.

    Args:
        pairs: At least one topic for each split.
        seed: Of the order of topics.
        shares: Of the splits, by name, in any unit: 60, 20 and 40 is as 3, 1 and 2.

    Raises:
        ValueError: There are fewer topics than splits, or a share is not above 0.
    """
    sizes = Counter(stays_with(pairs))
    if not shares or min(shares.values()) <= 0:
        raise ValueError(f"shares: got {shown(dict(shares))}; write numbers above 0")
    if len(sizes) < len(shares):
        raise ValueError(f"{len(sizes)} topics for {len(shares)} splits; each needs one at least")
    names = sorted(sizes)
    drawn = [names[at] for at in np.random.default_rng(seed).permutation(len(names))]
    drawn.sort(key=lambda group: -sizes[group])  # stable: equal ones stay in random order
    lacks = {name: len(pairs) * share / sum(shares.values()) for name, share in shares.items()}
    empty, split = list(shares), {}
    for left, group in zip(range(len(drawn), 0, -1), drawn, strict=True):
        allowed = empty if left == len(empty) else list(shares)
        name = max(allowed, key=lambda one: lacks[one])
        split[group] = name
        lacks[name] -= sizes[group]
        if name in empty:
            empty.remove(name)
    return [split[group] for group in stays_with(pairs)]
