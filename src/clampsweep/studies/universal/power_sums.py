"""Sums of powers of many neurons' values, as fast as they can be had of float32.

`models.moments.Moments` takes each power in float64, some 7 ns a value, which for gate, up and post
of all layers is most of a forward pass. Here powers are of the distance from a point near the mean,
in the values' own type, summed over few positions before they are added up in float64: some 2 ns,
and the same numbers to about 1e-7.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from clampsweep.models.moments import Sums

_AT_ONCE = 32  # positions: powers stay in the cache, and sums in float32 are exact enough

_FIRST = 64  # positions, spread over those that come first, whose mean is the point


class PowerSums:
    """Running sums of a block.

    Args:
        n_neurons: Number of neurons.
    """

    def __init__(self, n_neurons: int):
        self._n = 0
        self._point: Float[np.ndarray, " neuron"] | None = None
        self._powers: Float64[np.ndarray, "4 neuron"] = np.zeros((4, n_neurons))
        self._positive: Float64[np.ndarray, " neuron"] = np.zeros(n_neurons)

    def add(self, values: Float[np.ndarray, "pos neuron"]) -> None:
        """Count more positions; those that come first set the point, so give more than a few."""
        if not len(values):
            return
        if self._point is None:
            some = values[:: max(1, len(values) // _FIRST)]
            self._point = some.mean(0, dtype=np.float64).astype(values.dtype)
        for start in range(0, len(values), _AT_ONCE):
            self._add(values[start : start + _AT_ONCE], self._point)
        self._n += len(values)

    def _add(
        self, values: Float[np.ndarray, "few neuron"], point: Float[np.ndarray, " neuron"]
    ) -> None:
        away = values - point
        square = away * away
        self._powers[0] += away.sum(0)
        self._powers[1] += square.sum(0)
        away *= square
        self._powers[2] += away.sum(0)
        square *= square
        self._powers[3] += square.sum(0)
        self._positive += np.add.reduce(values > 0, axis=0, dtype=np.uint8)  # at most _AT_ONCE

    @property
    def sums(self) -> Sums:
        """What can be added up; the mean is 0 without positions."""
        if self._point is None:
            return Sums(*np.zeros((6, len(self._positive))))
        n, (one, two, three, four) = float(self._n), self._powers
        mean = one / n  # from the point
        return Sums(
            np.full(len(mean), n),
            self._positive,
            self._point.astype(np.float64) + mean,
            np.maximum(two - n * mean**2, 0.0),
            three - 3 * mean * two + 2 * n * mean**3,
            four - 4 * mean * three + 6 * mean**2 * two - 3 * n * mean**4,
        )
