"""Losses of some examples, drawn at random, and their tally."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.tally import Tally

NAMES = ("unscrubbed", "baseline", "half", "tenth")


class Losses(NamedTuple):
    nll: np.ndarray  # [example, experiment, pos]
    flags: np.ndarray  # [example, category, pos]


def losses(n: int = 30, n_pos: int = 40, seed: int = 0) -> Losses:
    """`half` lies half-way between the model and the baseline. No position is in the last category.

    In the last but one, the baseline harms nothing.
    """
    rng = np.random.default_rng(seed)
    flags = rng.random((n, len(CATEGORIES), n_pos)) < 0.4
    flags[:, 0], flags[:, -1] = True, False
    flags[: n // 2, 1] = False  # half of the examples have no position of the second
    least = rng.gamma(2.0, 1.0, (n, n_pos))
    harm = rng.normal(1.0, 0.5, (n, n_pos)) + rng.normal(0, 0.3, (n, 1))
    harm[flags[:, -2]] = rng.normal(0, 0.5, flags[:, -2].sum())
    noise = rng.normal(0, 0.1, (2, n, n_pos))
    each = [least, least + harm, least + harm / 2 + noise[0], least + 0.9 * harm + noise[1]]
    nll = np.stack(each, axis=1).astype(np.float32)
    return Losses(nll, flags)


def add(total: Tally, found: Losses, examples: list[int]) -> None:
    """Take in some of the examples, under each experiment."""
    for row, name in enumerate(NAMES):
        total.add(name, examples, found.nll[examples, row], found.flags[examples])


def tally(found: Losses, **options: int) -> Tally:
    total = Tally(NAMES, **options)
    add(total, found, list(range(len(found.nll))))
    return total
