"""What statistics of activations say of GT2: do they hold on new data, and can they be relied on?

Claims that no text can fail, such as a high kurtosis of pooled values, get the verdict `vacuous`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.ledger import Control, ran, skipped
from clampsweep.statistics import rank_interval, rank_p
from clampsweep.studies.universal.claims.conclusions import Concluded
from clampsweep.studies.universal.claims.pairs import holds, ranks, top
from clampsweep.studies.universal.claims.tested import Tested, concluded
from clampsweep.studies.universal.data_view import DataView
from clampsweep.studies.universal.jackknife import Estimate, p_above, p_within
from clampsweep.studies.universal.neuron_table import RELIABLE
from clampsweep.studies.universal.places import GATE
from clampsweep.verdicts import (
    CONTRADICTED,
    INCONCLUSIVE,
    SUPPORTED,
    Claim,
    Result,
    conclude,
)

RELY = "kurtosis is reliable"
CONVERGED = "kurtosis has converged"
NEGATIVE = "most gates are negative on average"
PRODUCT = "post kurtosis exceeds that of a product"
POOLED = "pooled kurtosis is high"
BIAS = "negative input bias is typical"

GROWTH_MARGIN = float(np.log(1.05))


def claims(view: DataView) -> Concluded:
    """Verdicts on statistics of activations, each with its controls.

    Args:
        view: The tables.
    """
    of_pairs = _rows(view.new_data)
    kurtosis = [row for row in of_pairs if row["measure"] == "kurt"]
    families = (
        map(holds, of_pairs),
        map(ranks, kurtosis),
        map(top, kurtosis),
        _halves(view, "spearman", _reliable),
        _halves(view, "growth", _converged),
        _halves(view, "negative", _negative),
        _product(view),
    )
    return [one for family in families for one in concluded(list(family))] + _vacuous(view)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _halves(
    view: DataView, measure: str, make: Callable[[Mapping[str, Any], Estimate], Tested]
) -> list[Tested]:
    """A claim of each domain and kind of activation."""
    rows = view.halves[view.halves["measure"] == measure]
    if measure == "negative":
        rows = rows[rows["var"] == GATE]
    names = ("value", "low", "high", "se", "df")
    return [make(row, Estimate(*(row[name] for name in names))) for row in _rows(rows)]


def _blocks(row: Mapping[str, Any]) -> list[Control]:
    return [ran("blocks of documents left out", row["n_blocks"], "of each the interval is made")]


def _reliable(row: Mapping[str, Any], found: Estimate) -> Tested:
    claim = Claim("universal", RELY, row["domain"], "greater", "Spearman's rho", row["var"])
    words = {
        SUPPORTED: "two halves of the text rank neurons alike",
        CONTRADICTED: "two halves of the text rank neurons otherwise",
        INCONCLUSIVE: "no answer",
    }
    result = Result(*found[:3], RELIABLE, row["n_neurons"], p_above(found, RELIABLE))
    why = f"even against odd ones of {row['n_blocks']} blocks, all layers together"
    return Tested(claim, result, words, why, _blocks(row))


def _converged(row: Mapping[str, Any], found: Estimate) -> Tested:
    claim = Claim("universal", CONVERGED, row["domain"], "equivalent", "log-ratio", row["var"],
                  GROWTH_MARGIN)  # fmt: skip
    times = f"{np.exp(found.value):.3f} times that of half the text"
    words = {
        SUPPORTED: f"more text would not change it: {times}",
        CONTRADICTED: f"it still grows: {times}",
        INCONCLUSIVE: f"no answer: {times}",
    }
    result = Result(*found[:3], 0.0, row["n_neurons"], p_within(found, GROWTH_MARGIN))
    why = "median over neurons of log kurtosis, all text less the mean of its halves"
    return Tested(claim, result, words, why, _blocks(row))


def _negative(row: Mapping[str, Any], found: Estimate) -> Tested:
    claim = Claim("universal", NEGATIVE, row["domain"], "greater", "share of neurons")
    share = f"{100 * found.value:.0f} % of neurons"
    words = {SUPPORTED: share, CONTRADICTED: f"only {share}", INCONCLUSIVE: f"about half: {share}"}
    result = Result(*found[:3], 0.5, row["n_neurons"], p_above(found, 0.5))
    why = "a base rate of all neurons on this text; it tells nothing of universal ones"
    return Tested(claim, result, words, why, _blocks(row))


def _product(view: DataView) -> list[Tested]:
    """Whether gate and up make post heavier-tailed than their product by chance."""
    known = view.nulls.dropna()
    means = known.groupby("draw")["median_log_kurt"].mean()
    others = means[means.index >= 0].tolist()
    claim = Claim("universal", PRODUCT, view.domain, "greater", "log kurtosis")
    if -1 not in means.index or not others:
        why = "the MLPs have no gate, so there is no product"
        return [Tested(claim, Result(), {}, why, [skipped("permutations of up", why)])]
    own = float(means[-1])
    low, high = (end if np.isfinite(end) else None for end in rank_interval(own, others))
    null, p = float(np.median(others)), rank_p(own, others)
    times = f"{np.exp(own - null):.2f} times the kurtosis of a product by chance"
    words = {
        SUPPORTED: f"more: {times}",
        CONTRADICTED: f"less: {times}",
        INCONCLUSIVE: f"no answer: {times}",
    }
    result = Result(own, low, high, null, len(view.values), p)
    why = "mean over layers of the median neuron; 3 is no null for a product"
    controls = [ran("permutations of up against the gate", len(others))]
    return [Tested(claim, result, words, why, controls, 1 / (1 + len(others)))]


def _vacuous(view: DataView) -> Concluded:
    """The original's numbers that could not have failed."""
    return [
        _pooled(view.pooled, "three models: 1885, 2264 and 3017"),
        _pooled(view.pooled, "domains: 4007 to 7830"),
        _bias(view.halves[(view.halves["measure"] == "negative") & (view.halves["var"] == GATE)]),
    ]


def _pooled(pooled: pd.DataFrame, original: str) -> tuple[dict[str, Any], list[Control]]:
    own = pooled[(pooled["place"] == "residual") & (pooled["tokens"] == pooled["tokens"].max())]
    first, without = (own[own["first"] == counts].iloc[0] for counts in (True, False))
    claim = Claim("universal", POOLED, original, "greater", "share of the possible maximum")
    row = conclude(
        claim,
        Result(float(first["share"]), n=int(first["n_values"])),
        words=f"here {first['kurt']:,.0f}, of at most {first['possible']:,.0f}",
        why="original: pooled kurtosis of a few tokens counted as a pass",
        vacuous="it grows with how many values are pooled: the first position takes all it can",
    )
    why = f"{100 * without['share']:.1f} % of the possible maximum"
    return row, [ran("texts without their first position", int(without["n_texts"]), why)]


def _bias(negative: pd.DataFrame) -> tuple[dict[str, Any], list[Control]]:
    share = float(negative["value"].mean())
    row = conclude(
        Claim("universal", BIAS, "93.3 % of neurons", "greater", "share of neurons"),
        Result(share, n=int(negative["n_neurons"].iloc[0])),
        words=f"here {100 * share:.0f} % of gates are negative on average",
        why="original: 91,747 of 98,304 input biases are negative, counted as a pass",
        vacuous="a base rate of all neurons: universal ones are not held against the others",
    )
    return row, [skipped("neurons that are not universal", "the original compares none")]
