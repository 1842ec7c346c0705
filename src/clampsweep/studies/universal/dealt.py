"""Blocks of two domains dealt out anew: what comparisons give where nothing differs but chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep.models.moments import Sums
from clampsweep.studies.universal.jackknife import all_but_one
from clampsweep.studies.universal.measures import (
    Statistic,
    defined,
    each,
    median_difference,
    retention,
    statistics,
)
from clampsweep.studies.universal.neuron_table import rank_correlation

_AT_ONCE = 10  # draws

_RANKED = 19  # draws in which neurons are ranked, which takes longest

_CALIBRATED = 3000  # about how many neurons the intervals of draws are made of


def deal(
    n_new: int, n_known: int, n_draws: int, rng: np.random.Generator
) -> Int[np.ndarray, "draw block"]:
    """Which blocks of both domains, the new one's first, go to the new one in each draw: 0 or 1."""
    own = np.concatenate([np.ones(n_new, int), np.zeros(n_known, int)])
    return rng.permuted(np.tile(own, (n_draws, 1)), axis=1)


def joined(new: Sums, known: Sums) -> Sums:
    """Blocks of both, the new domain's first."""
    return Sums(*(np.concatenate(both) for both in zip(new, known, strict=True)))


def mixed(
    wanted: Mapping[str, Statistic], pool: Sums, dealt: Int[np.ndarray, "draw block"]
) -> dict[str, pd.DataFrame]:
    """Of each measure a row a draw: median difference; of the first draws also ranks.

    Args:
        wanted: The measures.
        pool: Blocks of both domains.
        dealt: What `deal` gave.
    """
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in wanted}
    for start in range(0, len(dealt), _AT_ONCE):
        some = dealt[start : start + _AT_ONCE]
        new, known = (each(wanted, pool, one) for one in (some, 1 - some))
        for name in wanted:
            for at, pair in enumerate(zip(new[name], known[name], strict=True), start):
                rows[name].append(_row(*pair, at < _RANKED))
    columns = ["median", "spearman", "retained"]
    return {name: pd.DataFrame(own, columns=columns) for name, own in rows.items()}


def _row(new: np.ndarray, known: np.ndarray, ranked: bool) -> tuple[float, ...]:
    """Median difference; rank correlation and share of top neurons, nan where not ranked."""
    apart = new - known
    apart = apart[np.isfinite(apart)]
    median = float(np.median(apart)) if len(apart) else np.nan
    ranks = [of(new, known) if ranked else np.nan for of in (rank_correlation, retention)]
    return median, *ranks


def excluded(
    var: str, new: Sums, known: Sums, dealt: Int[np.ndarray, "draw block"]
) -> dict[str, float]:
    """Share of draws, of each measure, whose 95 % interval excludes 0; over some neurons.

    Args:
        var: Kind of activation.
        new: Sums of the new domain's blocks.
        known: Those of the known one.
        dealt: What `deal` gave.
    """
    step = max(1, new.n.shape[1] // _CALIBRATED)
    new, known = (Sums(*(column[:, ::step] for column in one)) for one in (new, known))
    wanted, pool = statistics(var, known), joined(new, known)
    count = dict.fromkeys(wanted, 0)
    for one in dealt.astype(bool):
        parts = [Sums(*(column[own] for column in pool)) for own in (one, ~one)]
        sides = [each(wanted, part, all_but_one(len(part.n))) for part in parts]
        for name in wanted:
            found = median_difference(*defined(*(side[name] for side in sides)))
            count[name] += not found.low <= 0 <= found.high
    return {name: many / len(dealt) for name, many in count.items()}
