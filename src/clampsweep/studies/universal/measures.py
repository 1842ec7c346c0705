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

Statistic = Callable[[Sums], Float64[np.ndarray, "draw neuron"]]


def _log_kurt(sums: Sums) -> Float64[np.ndarray, "draw neuron"]:
    return np.asarray(np.log(sums.kurtosis))


def _log_freq(sums: Sums) -> Float64[np.ndarray, "draw neuron"]:
    share = sums.share_positive
    return np.asarray(np.log(share, out=np.full(share.shape, np.nan), where=share > 0))


def _mean(sums: Sums) -> Float64[np.ndarray, "draw neuron"]:
    return sums.mean


MEASURES: Mapping[str, Mapping[str, Statistic]] = MappingProxyType(
    {
        GATE: {"kurt": _log_kurt, "freq": _log_freq, "mean": _mean},
        POST: {"kurt": _log_kurt},
    }
)
"""What is computed of sums for each kind of activation; differences of it are taken."""

_AT_ONCE = 512  # neurons: what is computed of all draws stays in the cache


def in_units_of(known: Sums, *several: Sums) -> list[Sums]:
    """Sums of activations in standard deviations of a domain, neuron by neuron.

    Args:
        known: The domain's blocks.
        several: Of any blocks; constant neurons of the domain become nan.
    """
    spread = np.sqrt(add_up(known).variance[0])
    unit = np.where(spread > 0, spread, np.nan)
    return [
        Sums(one.n, one.n_positive, one.mean / unit, one.sum2 / unit**2, one.sum3 / unit**3,
             one.sum4 / unit**4)
        for one in several
    ]  # fmt: skip


def each(
    wanted: Mapping[str, Statistic], blocks: Sums, times: Int[np.ndarray, "draw block"]
) -> dict[str, Float64[np.ndarray, "draw neuron"]]:
    """Each statistic of draws of blocks, [draw, neuron].

    Args:
        wanted: A value of `MEASURES`.
        blocks: Sums of blocks, [block, neuron].
        times: How often each block counts in each draw.
    """
    n = blocks.n.shape[1]
    out = {name: np.empty((len(times), n)) for name in wanted}
    for start in range(0, n, _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        found = add_up(Sums(*(column[:, some] for column in blocks)), times)
        for name, statistic in wanted.items():
            out[name][:, some] = statistic(found)
    return out


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
