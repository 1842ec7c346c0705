"""Labels moved to where they have no right to be: what a neuron explains of them is chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int, Shaped

from clampsweep.studies.universal.features.labels import Labels


def shift(
    values: Shaped[np.ndarray, "sequence pos column"], by: Int[np.ndarray, " sequence"]
) -> Shaped[np.ndarray, "sequence pos column"]:
    """Each sequence's rows, turned round by its own number of positions.

    Args:
        values: Something at each position.
        by: How far, positions.
    """
    length = values.shape[1]
    from_where = (np.arange(length) - by[:, None]) % length
    return np.take_along_axis(values, from_where[:, :, None], axis=1)


def turns(n: int, length: int, rng: np.random.Generator) -> Int[np.ndarray, " sequence"]:
    """How far each of n sequences is turned: any number of positions but none at all."""
    return rng.integers(1, max(2, length), n)


def moved(
    found: Labels, blocks: Int[np.ndarray, " sequence"], rng: np.random.Generator
) -> Bool[np.ndarray, "sequence pos feature"]:
    """Labels that keep how many there are in a sequence, and how they follow one another.

    Each sequence is turned round by a number of its own. A feature that whole sequences have would
    not change: it is dealt out anew among the blocks.

    Args:
        found: The labels; a feature that whole sequences have is alike in all of a block.
        blocks: Which block a sequence is of, from 0.
        rng: Draws.
    """
    whole = np.array([one.whole for one in found.features], dtype=bool)
    values = shift(found.values, turns(len(blocks), found.values.shape[1], rng))
    if whole.any():
        first = np.unique(blocks, return_index=True)[1]  # a sequence of each block
        dealt = first[rng.permutation(len(first))][blocks]
        values[:, :, whole] = found.values[dealt][:, :, whole]
    return values


def numbered(names: Sequence[object]) -> Int[np.ndarray, " sequence"]:
    """Numbers from 0 for names, in the order in which they come."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(name, len(known)) for name in names], dtype=np.int64)
