"""Other places of the same texts: what two models do there, they do not do of one token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int


def shifted_places(lengths: Sequence[int], rng: np.random.Generator) -> Int[np.ndarray, " place"]:
    """Places of a batch, each sequence's shifted in a circle by a distance of its own.

    Args:
        lengths: Places of each sequence.
        rng: Where distances come from, 1 or more where a sequence has two places.
    """
    starts = np.cumsum([0, *lengths[:-1]])
    found = [np.zeros(0, dtype=np.int64)]
    for start, length in zip(starts, lengths, strict=True):
        distance = rng.integers(1, max(length, 2))
        found.append(start + (np.arange(length) + distance) % max(length, 1))
    return np.concatenate(found)


def swapped_places(lengths: Sequence[int], rng: np.random.Generator) -> Int[np.ndarray, " place"]:
    """Places of a batch, those of each sequence taken from another: the same from its beginning.

    All sequences move on alike, round in a circle. Of one that has another number of places, places
    as far along.

    Args:
        lengths: Places of each sequence.
        rng: Where the distance comes from, 1 or more where there are two sequences.
    """
    starts, n = np.cumsum([0, *lengths[:-1]]), len(lengths)
    distance = int(rng.integers(1, max(n, 2)))
    found = [np.zeros(0, dtype=np.int64)]
    for number, length in enumerate(lengths):
        source = (number + distance) % n
        if not lengths[source]:
            source = number
        along = np.arange(length) * lengths[source] // max(length, 1)
        found.append(starts[source] + along)
    return np.concatenate(found)
