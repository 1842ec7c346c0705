"""Holds every neuron's statistics on a new kind of text against those on a known one (GT2).

Neurons are paired with themselves: of each, a measure on the new domain is held against the same
on the known one. The estimate is the median over neurons; its interval leaves out one block of
documents at a time, in either domain. If the domains were alike, blocks might change places: each
draw deals all blocks of both out anew, which gives what the medians, rank correlations and
intervals are where nothing differs but chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from tqdm import tqdm

from clampsweep.models.moments import Sums
from clampsweep.studies.universal.dealt import deal, excluded, joined, mixed
from clampsweep.studies.universal.jackknife import (
    Estimate,
    all_but_one,
    estimate,
    p_other,
    p_within,
)
from clampsweep.studies.universal.measures import (
    MEASURES,
    defined,
    each,
    in_units_of,
    median_difference,
    retention,
)
from clampsweep.studies.universal.moment_shards import MomentShards
from clampsweep.studies.universal.neuron_table import rank_correlation
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.tables import Column, Schema

NEW_DATA = Schema(
    "universal gt2",
    {
        "new": Column("str", "the new domain"),
        "known": Column("str", "the domain that it is held against"),
        "var": Column("str", "kind of activation"),
        "measure": Column(
            "str",
            "kurt: log-ratio of kurtosis, new over known; freq: of the share of positions above 0; "
            "mean: difference of means in standard deviations of the known domain",
        ),
        "n_neurons": Column("int", "neurons whose measure is defined in every draw"),
        "blocks_new": Column("int", "blocks of the new domain"),
        "blocks_known": Column("int", "blocks of the known domain"),
        "tokens_new": Column("int", "positions of the new domain"),
        "tokens_known": Column("int", "positions of the known domain"),
        "estimate": Column("float", "median of the measure over neurons", null=True),
        "low": Column("float", "95 % interval, lower end (blocks left out in turn)", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "margin": Column("float", "what still counts as equivalent"),
        "p_within": Column("float", "p value of lying within the margin (TOST)", null=True),
        "p_other": Column("float", "p value of differing from 0", null=True),
        "share_higher": Column("float", "share of neurons with a measure above 0", null=True),
        "mixed_low": Column("float", "2.5th percentile of estimate with blocks dealt out anew",
                            null=True),
        "mixed_high": Column("float", "97.5th percentile of the same", null=True),
        "p_mixed": Column("float", "share of such draws that lie as far from 0", null=True),
        "n_mixed": Column("int", "number of such draws"),
        "excluded": Column(
            "float", "share of such draws whose 95 % interval excludes 0: 0.05 if it is honest",
            null=True,
        ),
        "spearman": Column("float", "rank correlation over neurons, new and known", null=True),
        "spearman_mixed": Column("float", "its median with blocks dealt out anew", null=True),
        "change": Column("float", "spearman less spearman_mixed", null=True),
        "change_low": Column("float", "its 95 % interval, lower end", null=True),
        "change_high": Column("float", "the same, upper end", null=True),
        "change_p": Column("float", "p value of change lying within 0.1 (TOST)", null=True),
        "retained": Column("float", "share of the known domain's top 1 % that are in the new one's "
                           "top 5 %", null=True),
        "retained_low": Column("float", "its 95 % interval, lower end", null=True),
        "retained_high": Column("float", "the same, upper end", null=True),
        "retained_se": Column("float", "its standard error", null=True),
        "retained_df": Column("float", "degrees of freedom of its t distribution", null=True),
        "retained_mixed": Column("float", "its median with blocks dealt out anew", null=True),
        "density_new": Column("float", "tokens per character of the new domain"),
        "density_known": Column("float", "tokens per character of the known domain"),
        "n_ranked": Column("int", "such draws in which neurons were ranked"),
    },
    key=("new", "known", "var", "measure"),
)  # fmt: skip

MARGINS = MappingProxyType({"kurt": float(np.log(1.25)), "freq": float(np.log(1.25)), "mean": 0.2})

RANK_MARGIN = 0.1


class Pair(NamedTuple):
    """A new domain and the known one, by name."""

    new: str
    known: str


def every_pair(
    shards: MomentShards,
    pairs: Sequence[Pair],
    tokens: pd.DataFrame,
    n_draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table `NEW_DATA` of a run.

    Args:
        shards: The run's moments.
        pairs: The domains that are compared.
        tokens: `TOKENS`.
        n_draws: How often blocks are dealt out anew.
        seed: Of the draws.
    """
    dense, found = density(tokens), []
    for pair in tqdm(pairs, unit="pair"):
        for var in MEASURES:
            parts = [shards.read(domain, var) for domain in pair]
            new, known = (part.sums for part in parts if part is not None)
            rows = new_data(pair, var, new, known, n_draws, seed)
            found.append(rows.assign(density_new=dense[pair.new], density_known=dense[pair.known]))
    return pd.concat(found, ignore_index=True) if found else no_rows(NEW_DATA)


def density(tokens: pd.DataFrame) -> dict[str, float]:
    """Tokens per character of each domain.

    Args:
        tokens: `TOKENS`.
    """
    counted = tokens.assign(n=tokens["tokens"].map(len), letters=tokens["text"].str.len())
    sums = counted.groupby("domain")[["n", "letters"]].sum()
    return {str(name): float(value) for name, value in (sums["n"] / sums["letters"]).items()}


def new_data(pair: Pair, var: str, new: Sums, known: Sums, n_draws: int, seed: int) -> pd.DataFrame:
    """Rows of `NEW_DATA` of a pair of domains and a kind of activation.

    Args:
        pair: The domains' names.
        var: Kind of activation, a key of `MEASURES`.
        new: Sums of the new domain's blocks, [block, neuron].
        known: Those of the known one.
        n_draws: How often blocks are dealt out anew.
        seed: Of the draws.
    """
    wanted, (new, known) = MEASURES[var], in_units_of(known, new, known)
    left = [each(wanted, one, all_but_one(len(one.n))) for one in (new, known)]
    dealt = deal(len(new.n), len(known.n), n_draws, np.random.default_rng(seed))
    chance = mixed(wanted, joined(new, known), dealt)
    calibrated = excluded(var, new, known, dealt)
    sizes = {
        "blocks_new": len(new.n),
        "blocks_known": len(known.n),
        "tokens_new": int(new.n[:, 0].sum()),
        "tokens_known": int(known.n[:, 0].sum()),
        "n_mixed": n_draws,
    }
    return pd.DataFrame(
        {
            **pair._asdict(), "var": var, "measure": name, **sizes,
            **_compared(left[0][name], left[1][name], MARGINS[name]),
            **_against(left[0][name], left[1][name], chance[name]),
            "excluded": calibrated[name],
        }
        for name in wanted
    )  # fmt: skip


def _compared(
    new: Float64[np.ndarray, "draw_new neuron"],
    known: Float64[np.ndarray, "draw_known neuron"],
    margin: float,
) -> dict[str, float | int | None]:
    """Median difference, its interval and its tests, from statistics without each block."""
    both = defined(new, known)
    found, higher = median_difference(*both), np.nan
    if both[0].size:
        higher = float((both[0][0] > both[1][0]).mean())
    return {
        "n_neurons": both[0].shape[1],
        "estimate": found.value,
        "low": found.low,
        "high": found.high,
        "margin": margin,
        "p_within": p_within(found, margin),
        "p_other": p_other(found),
        "share_higher": higher,
    }


def _against(
    new: Float64[np.ndarray, "draw_new neuron"],
    known: Float64[np.ndarray, "draw_known neuron"],
    mixed: pd.DataFrame,
) -> dict[str, float | int | None]:
    """The same held against blocks dealt out anew: median, ranks, top neurons."""
    own, far = median_difference(*defined(new, known)).value, np.abs(mixed["median"])
    spearman, retained = (_jackknifed(of, new, known) for of in (rank_correlation, retention))
    typical = mixed[["spearman", "retained"]].dropna()
    change = spearman._replace(value=spearman.value - typical["spearman"].median())
    reach = spearman.high - spearman.value
    return {
        "mixed_low": float(mixed["median"].quantile(0.025)),
        "mixed_high": float(mixed["median"].quantile(0.975)),
        "p_mixed": float((1 + (far >= abs(own)).sum()) / (1 + len(far))),
        "spearman": spearman.value,
        "spearman_mixed": float(typical["spearman"].median()),
        "change": change.value,
        "change_low": change.value - reach,
        "change_high": change.value + reach,
        "change_p": p_within(change, RANK_MARGIN),
        **{"retained" + ("" if name == "value" else f"_{name}"): number
           for name, number in retained._asdict().items()},
        "retained_mixed": float(typical["retained"].median()),
        "n_ranked": len(typical),
    }  # fmt: skip


def _jackknifed(
    of: Callable[[np.ndarray, np.ndarray], float],
    new: Float64[np.ndarray, "draw_new neuron"],
    known: Float64[np.ndarray, "draw_known neuron"],
) -> Estimate:
    """A measure of two columns, with all blocks, and its interval."""
    groups = [of(one, known[0]) for one in new[1:]], [of(new[0], one) for one in known[1:]]
    return estimate(of(new[0], known[0]), groups)
