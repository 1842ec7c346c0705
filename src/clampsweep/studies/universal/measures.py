"""What is compared between domains: measures of each neuron, their median difference, top neurons.

A measure is a function of sums over blocks, so that it is had of any draw of blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64, Int

from clampsweep.models.moments import Sums, add_up
from clampsweep.studies.universal.jackknife import Estimate, estimate
from clampsweep.studies.universal.places import GATE, POST

MEASURES = MappingProxyType({GATE: ("kurt", "freq", "mean"), POST: ("kurt",)})

_AT_ONCE = 10  # draws: some 100 MB for 46,080 neurons

Statistic = Callable[[Sums], Float64[np.ndarray, "draw neuron"]]


def statistics(var: str, known: Sums) -> dict[str, Statistic]:
    """What is computed of sums, [draw, neuron], for each measure; differences of it are taken."""
    spread = np.sqrt(add_up(known).variance)

    def log_freq(sums: Sums) -> Float64[np.ndarray, "draw neuron"]:
        share = sums.share_positive
        nan = np.full(share.shape, np.nan)
        return np.asarray(np.log(share, out=nan, where=share > 0))

    every: Mapping[str, Statistic] = {
        "kurt": lambda sums: np.log(sums.kurtosis),
        "freq": log_freq,
        "mean": lambda sums: sums.mean / np.where(spread > 0, spread, np.nan),
    }
    return {name: every[name] for name in MEASURES[var]}


def each(
    wanted: Mapping[str, Statistic], blocks: Sums, times: Int[np.ndarray, "draw block"]
) -> dict[str, Float64[np.ndarray, "draw neuron"]]:
    """Each statistic of draws of blocks, [draw, neuron]."""
    parts: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for start in range(0, len(times), _AT_ONCE):
        found = add_up(blocks, times[start : start + _AT_ONCE])
        for name, statistic in wanted.items():
            parts[name].append(statistic(found))
    return {name: np.concatenate(part) for name, part in parts.items()}


def defined(
    new: Float64[np.ndarray, "draw_new neuron"], known: Float64[np.ndarray, "draw_known neuron"]
) -> tuple[Float64[np.ndarray, "draw_new some"], Float64[np.ndarray, "draw_known some"]]:
    """The neurons whose statistic is defined in every draw of both."""
    fine = np.isfinite(new).all(0) & np.isfinite(known).all(0)
    return new[:, fine], known[:, fine]


def median_difference(
    new: Float64[np.ndarray, "draw_new neuron"], known: Float64[np.ndarray, "draw_known neuron"]
) -> Estimate:
    """Median over neurons of new - known, with all blocks first, then without each in turn."""
    if not new.shape[1]:
        return Estimate(*[np.nan] * 5)
    value = float(np.median(new[0] - known[0]))
    groups = np.median(new[1:] - known[0], axis=1), np.median(new[0] - known[1:], axis=1)
    return estimate(value, [group.tolist() for group in groups])


def retention(new: Float64[np.ndarray, " neuron"], known: Float64[np.ndarray, " neuron"]) -> float:
    """Share of the top 1 % of `known` that are in the top 5 % of `new`; 0.05 by chance.

    Args:
        new: A value of each neuron.
        known: Another of each; neurons that lack one are left out.
    """
    fine = np.isfinite(new) & np.isfinite(known)
    n = int(fine.sum())
    if not n:
        return np.nan
    few, some = max(1, round(n / 100)), max(1, round(n / 20))
    top = np.argpartition(-known[fine], few - 1)[:few]
    return float((new[fine][top] >= np.partition(new[fine], n - some)[n - some]).mean())
