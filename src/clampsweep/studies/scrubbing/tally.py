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
from jaxtyping import Bool, Float32, Float64

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

    Attributes:
        experiments: Names.
        count: Number of positions.
        n_examples: Number of examples that have one.
        draws: Of each experiment, number of draws that are the example itself, and of all.

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
        self.count, self.n_examples = np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
        self.draws = np.zeros((len(experiments), 2), dtype=int)
        self._total, self._squares = np.zeros(shape), np.zeros(shape)
        self._counts = np.zeros((n_resamples, *shape))
        self._totals = np.zeros((n_resamples, *shape))
        self._drawn: tuple[tuple[int, ...], np.ndarray] = (), np.zeros((n_resamples, 0))

    def add(
        self,
        experiment: str,
        examples: Sequence[int],
        nll: Float32[np.ndarray, "example pos"],
        flags: Bool[np.ndarray, "example category pos"],
    ) -> None:
        """Take in the losses of some examples under an experiment.

        Args:
            experiment: Its name.
            examples: Their numbers.
            nll: Their losses, nats.
            flags: Whether a position is in a category, in the order of `CATEGORIES`.
        """
        row, losses = self.experiments.index(experiment), nll.astype(np.float64)
        count = flags.sum(2)  # [example, category]
        total = np.einsum("ep,ecp->ec", losses, flags)
        self.count[row] += count.sum(0)
        self.n_examples[row] += (count > 0).sum(0)
        self._total[row] += total.sum(0)
        self._squares[row] += np.einsum("ep,ecp->c", losses**2, flags)
        weights = self._weights(tuple(examples))
        self._counts[:, row] += weights @ count
        self._totals[:, row] += weights @ total

    def add_draws(self, experiment: str, own: int, number: int) -> None:
        """Take in where an experiment's draws come from.

        Args:
            experiment: Its name.
            own: Number of draws that are the example itself.
            number: Of all.
        """
        self.draws[self.experiments.index(experiment)] += own, number

    @property
    def variance(self) -> Float64[np.ndarray, "experiment category"]:
        """Unbiased variance of the losses over positions; nan for fewer than two."""
        with np.errstate(invalid="ignore", divide="ignore"):
            centred = self._squares - self._total**2 / self.count
            return np.where(self.count > 1, centred / (self.count - 1), np.nan)

    @property
    def means(self) -> Means:
        """Mean losses and their resamples; these are nan too where one example has all positions.

        Nothing then tells how examples differ.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, resampled = self._total / self.count, self._totals / self._counts
        resampled[:, self.n_examples < 2] = np.nan
        return Means(self.experiments, mean, resampled)

    def _weights(self, examples: tuple[int, ...]) -> Float64[np.ndarray, "resample example"]:
        """How often each example is drawn, by its number alone."""
        if examples != self._drawn[0]:
            n = len(self._counts)
            drawn = [np.random.default_rng([self._seed, one]).poisson(1, n) for one in examples]
            self._drawn = examples, np.array(drawn, dtype=float).reshape(-1, n).T
        return self._drawn[1]
