"""Add sums up over examples, with a bootstrap that needs no example twice.

Each example has a weight in each of the resamples, drawn from a Poisson distribution of mean 1 by
its number: resampling with replacement, but for the number of examples, which varies by its root
(Chamandy et al. 2012). So a tally takes in shard after shard, in any order, and its size does not
depend on the number of examples. The same weights hold for all experiments: differences are paired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64

from clampsweep.studies.scrubbing.masks import CATEGORIES

N_RESAMPLES = 1000


class Means(NamedTuple):
    """Mean losses, and how they vary over resamples of examples; nan where there is no position.

    Attributes:
        experiments: Names, in the order of the axis; categories are in that of `CATEGORIES`.
        mean: Nats.
        resampled: The same in each resample.
    """

    experiments: tuple[str, ...]
    mean: Float64[np.ndarray, "experiment category"]
    resampled: Float64[np.ndarray, "resample experiment category"]


class Tally:
    """What is known of the losses of all examples so far.

    Args:
        experiments: Names.
        seed: Of the bootstrap.
        n_resamples: Number of resamples.
    """

    def __init__(
        self, experiments: Sequence[str], seed: int = 0, n_resamples: int = N_RESAMPLES
    ) -> None:
        shape = len(experiments), len(CATEGORIES)
        self.experiments, self._seed = tuple(experiments), seed
        self.count = np.zeros(shape[1])
        self.n_examples = np.zeros(shape[1], dtype=int)  # that have a position of the category
        self._total, self._squares = np.zeros(shape), np.zeros(shape)
        self._counts = np.zeros((n_resamples, shape[1]))
        self._totals = np.zeros((n_resamples, *shape))

    def add(self, sums: pd.DataFrame) -> None:
        """Take in some examples.

        Args:
            sums: Rows of `SUMS`: all experiments and categories of each example.
        """
        examples, row = np.unique(sums["example"], return_inverse=True)
        place = (
            row,
            sums["experiment"].map({name: i for i, name in enumerate(self.experiments)}),
            sums["category"].map({name: i for i, name in enumerate(CATEGORIES)}),
        )
        parts = np.zeros((3, len(examples), *self._total.shape))
        for part, column in zip(parts, ("count", "total", "squares"), strict=True):
            part[place] = sums[column]
        count, total, squares = (
            parts[0][:, 0],
            parts[1],
            parts[2],
        )  # [example, (experiment,) category]
        self.count += count.sum(0)
        self.n_examples += (count > 0).sum(0)
        self._total += total.sum(0)
        self._squares += squares.sum(0)
        weights = self._weights(examples.tolist())
        self._counts += weights @ count
        self._totals += np.einsum("re,exc->rxc", weights, total, optimize=True)

    @property
    def variance(self) -> Float64[np.ndarray, "experiment category"]:
        """Unbiased variance of the losses over positions; nan for fewer than two."""
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = self._squares - self._total**2 / self.count
            return np.where(self.count > 1, centred / (self.count - 1), np.nan)

    @property
    def means(self) -> Means:
        """Mean losses and their resamples."""
        with np.errstate(invalid="ignore", divide="ignore"):
            resampled = self._totals / self._counts[:, None]
            return Means(self.experiments, self._total / self.count, resampled)

    def _weights(self, examples: Sequence[int]) -> Float64[np.ndarray, "resample example"]:
        """How often each example is drawn, by its number alone."""
        n = len(self._counts)
        drawn = [np.random.default_rng([self._seed, one]).poisson(1, n) for one in examples]
        return np.array(drawn, dtype=float).reshape(-1, n).T
