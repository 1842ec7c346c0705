"""Claims on a new domain and a known one: what holds of neurons, their ranks, the top ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from clampsweep.ledger import LABEL_PERMUTATIONS, Control, ran, skipped
from clampsweep.studies.universal.claims.tested import Tested
from clampsweep.studies.universal.jackknife import Estimate, p_above
from clampsweep.studies.universal.new_data import RANK_MARGIN
from clampsweep.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED, Claim, Result

HOLDS = "holds on new data"
RANKS = "ranks of neurons hold on new data"
TOP = "top neurons stay at the top on new data"

MEASURE_NAMES: Mapping[tuple[str, str], str] = {
    ("post", "kurt"): "post kurtosis",
    ("gate", "kurt"): "gate kurtosis",
    ("gate", "freq"): "share above 0",
    ("gate", "mean"): "gate mean",
}


def _pair_of(row: Mapping[str, Any]) -> str:
    return f"{row['new']} and {row['known']}"


def _named(row: Mapping[str, Any]) -> str:
    return MEASURE_NAMES[row["var"], row["measure"]]


def _rests_on(row: Mapping[str, Any]) -> str:
    return (
        f"{row['n_neurons']:,} neurons; {row['blocks_new']} and {row['blocks_known']} blocks of "
        f"documents left out in turn; {row['density_new']:.2f} and {row['density_known']:.2f} "
        "tokens a character"
    )


def holds(row: Mapping[str, Any]) -> Tested:
    """Whether a measure is about the same on the new domain.

    Args:
        row: Of `NEW_DATA`.
    """
    shift = row["measure"] == "mean"
    unit = "standard deviations" if shift else "log-ratio"
    claim = Claim("universal", HOLDS, _pair_of(row), "equivalent", unit, _named(row), row["margin"])
    numbers = row["estimate"], row["low"], row["high"]
    way = "higher" if row["estimate"] > 0 else "lower"
    how = f"{way} by {abs(row['estimate']):.2f} standard deviations" if shift else (
        f"{np.exp(row['estimate']):.2f} times as large"
    )  # fmt: skip
    words = {
        SUPPORTED: f"holds: {how}",
        CONTRADICTED: f"does not hold: {how}",
        INCONCLUSIVE: f"no answer: {how}",
    }
    why = f"median over neurons of new against known, {_rests_on(row)}"
    result = Result(*numbers, 0.0, row["n_neurons"], row["p_within"])
    return Tested(claim, result, words, why, [_permuted(row)])


def _permuted(row: Mapping[str, Any]) -> Control:
    if not row["n_mixed"]:
        return skipped(LABEL_PERMUTATIONS, "none was asked for")
    return ran(
        LABEL_PERMUTATIONS,
        row["n_mixed"],
        f"blocks dealt out anew: medians from {row['mixed_low']:.3f} to {row['mixed_high']:.3f}, "
        f"{100 * row['excluded']:.0f} % of the 95 % intervals exclude 0",
    )


def _ranked(row: Mapping[str, Any], name: str) -> Control:
    return ran(LABEL_PERMUTATIONS, row["n_ranked"], f"blocks dealt out anew: {row[name]:.2f}")


def ranks(row: Mapping[str, Any]) -> Tested:
    """Whether neurons are ranked as alike as where texts are mixed.

    Args:
        row: Of `NEW_DATA`, of kurtosis.
    """
    claim = Claim("universal", RANKS, _pair_of(row), "equivalent", "difference of Spearman's rho",
                  _named(row), RANK_MARGIN)  # fmt: skip
    both = f"rho {row['spearman']:.2f}, {row['spearman_mixed']:.2f} where texts are mixed"
    words = {
        SUPPORTED: f"ranks hold ({both})",
        CONTRADICTED: f"neurons are ranked otherwise ({both})",
        INCONCLUSIVE: f"no answer ({both})",
    }
    numbers = row["change"], row["change_low"], row["change_high"]
    result = Result(*numbers, 0.0, row["n_neurons"], row["change_p"])
    why = f"rank correlation less that of blocks dealt out anew, {_rests_on(row)}"
    return Tested(claim, result, words, why, [_ranked(row, "spearman_mixed")])


def top(row: Mapping[str, Any]) -> Tested:
    """Whether most of the top neurons stay near the top.

    Args:
        row: Of `NEW_DATA`, of kurtosis.
    """
    claim = Claim("universal", TOP, _pair_of(row), "greater", "share", _named(row))
    stay = f"{100 * row['retained']:.0f} % of the top 1 % are in the new top 5 %"
    words = {SUPPORTED: stay, CONTRADICTED: f"only {stay}", INCONCLUSIVE: f"about half: {stay}"}
    ends = ("", "_low", "_high", "_se", "_df")
    found = Estimate(*(row[f"retained{end}"] for end in ends))
    result = Result(*found[:3], 0.5, row["n_neurons"], p_above(found, 0.5))
    return Tested(claim, result, words, _rests_on(row), [_ranked(row, "retained_mixed")])
