"""What statistics of activations say of GT2: do they hold on new data, are they reliable?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from clampsweep.ledger import Control, ran
from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.jackknife import Estimate, p_above, p_within
from clampsweep.studies.universal.new_data import RANK_MARGIN
from clampsweep.studies.universal.places import GATE, POST
from clampsweep.verdicts import CONTRADICTED, SUPPORTED, Claim, Result, conclude

HOLDS = "holds on new data: {}"
RELIABLE = "kurtosis is reliable"
CONVERGED = "kurtosis has converged"
TOGETHER = "gate and up act together"
NEGATIVE = "share of neurons with a negative mean gate"
POOLED = "pooled kurtosis is high"

MEASURED: Mapping[str, str] = {"kurt": "kurtosis", "freq": "frequency", "mean": "mean"}
UNITS: Mapping[str, str] = {"kurt": "log-ratio", "freq": "log-ratio", "mean": "standard deviations"}

GROWTH_MARGIN = float(np.log(1.1))

Concluded = list[tuple[dict[str, Any], list[Control]]]


def claims(
    new_data: pd.DataFrame,
    halves: pd.DataFrame,
    nulls: pd.DataFrame,
    pooled: pd.DataFrame,
    known: str,
) -> Concluded:
    """Verdicts on the statistics of activations, each with its controls.

    Args:
        new_data: `NEW_DATA`; may be empty.
        halves: `HALVES`.
        nulls: `NULLS`; of MLPs without a gate, without draws.
        pooled: `POOLED`.
        known: The known domain.
    """
    own = halves[halves["domain"] == known]
    return [
        *holding(new_data),
        *ranking(new_data),
        *retaining(new_data),
        *relying(halves),
        *converging(own),
        _acting_together(nulls),
        _negative(own),
        _pooled(pooled),
    ]


def holding(new_data: pd.DataFrame) -> Concluded:
    """Of each pair of domains and each measure, whether its median stays within the margin."""
    rows = new_data.to_dict("records")
    corrected = _corrected([row["p_within"] for row in rows])
    found = []
    for row, q in zip(rows, corrected, strict=True):
        name = MEASURED[row["measure"]]
        claim = Claim("universal", HOLDS.format(name), _pair(row), "equivalent",
                      UNITS[row["measure"]], row["var"], row["margin"])  # fmt: skip
        result = Result(row["estimate"], row["low"], row["high"], 0.0, row["n_neurons"],
                        row["p_within"], q)  # fmt: skip
        made = conclude(claim, result, "-", "-")
        made["words"] = _held(row, name, str(made["verdict"]))
        made["why"] = (
            f"median over {row['n_neurons']:,} neurons, paired; {row['blocks_new']} and "
            f"{row['blocks_known']} blocks left out in turn; two one-sided tests"
        )
        found.append((made, [_dealt(row)]))
    return found


def _held(row: Mapping[Any, Any], name: str, verdict: str) -> str:
    if pd.isna(row["estimate"]):
        return f"{name} is not defined"
    if row["measure"] == "mean":
        much = f"moves by {row['estimate']:+.2f} standard deviations"
    else:
        much = f"is {np.exp(row['estimate']):.2f} times as large"
    end = {SUPPORTED: "which is as good as equal", CONTRADICTED: "which is beyond the margin"}
    return f"{name} of {row['var']} {much}, {end.get(verdict, 'and it is not sure how much')}"


def _dealt(row: Mapping[Any, Any]) -> Control:
    share = "" if pd.isna(row["excluded"]) else f"; {100 * row['excluded']:.0f} % exclude 0"
    ends = f"95 % of them from {row['mixed_low']:+.3f} to {row['mixed_high']:+.3f}"
    return ran("blocks of both domains dealt out anew", int(row["n_mixed"]), ends + share)


def ranking(new_data: pd.DataFrame) -> Concluded:
    """Of each pair, whether neurons keep their ranks as well as they do within mixed blocks."""
    rows = new_data[new_data["measure"] == "kurt"].to_dict("records")
    corrected = _corrected([row["change_p"] for row in rows])
    found = []
    for row, q in zip(rows, corrected, strict=True):
        claim = Claim("universal", HOLDS.format("ranks"), _pair(row), "equivalent",
                      "rank correlation", row["var"], RANK_MARGIN)  # fmt: skip
        result = Result(row["change"], row["change_low"], row["change_high"], 0.0,
                        row["n_neurons"], row["change_p"], q)  # fmt: skip
        made = conclude(claim, result, "-", "-")
        made["words"] = f"ranks of {row['var']} kurtosis agree by {row['spearman']:.2f}"
        made["why"] = (
            f"Spearman over neurons less {row['spearman_mixed']:.2f}, what blocks of both domains "
            "dealt out anew give"
        )
        control = ran("blocks of both domains dealt out anew", int(row["n_ranked"]), "in which "
                      "neurons were ranked")  # fmt: skip
        found.append((made, [control]))
    return found


def retaining(new_data: pd.DataFrame) -> Concluded:
    """Of each pair, whether the top 1 % of neurons stay among the top 5 %, more than by chance."""
    rows = new_data[new_data["measure"] == "kurt"].to_dict("records")
    estimates = [
        Estimate(*(row[f"retained{end}"] for end in ("", "_low", "_high", "_se", "_df")))
        for row in rows
    ]
    p = [p_above(one, 0.05) for one in estimates]
    found = []
    for row, one, own_p, q in zip(rows, estimates, p, _corrected(p), strict=True):
        claim = Claim("universal", HOLDS.format("top neurons"), _pair(row), "greater", "share",
                      row["var"])  # fmt: skip
        result = Result(one.value, one.low, one.high, 0.05, row["n_neurons"], own_p, q)
        made = conclude(claim, result, "-", "-")
        made["words"] = f"of the top 1 % by {row['var']} kurtosis {100 * one.value:.0f} % stay"
        made["why"] = (
            "share of the known domain's top 1 % among the new one's top 5 %, 5 % by chance; "
            f"blocks dealt out anew give {100 * row['retained_mixed']:.0f} %"
        )
        control = ran("blocks of both domains dealt out anew", int(row["n_ranked"]), "in which "
                      "neurons were ranked")  # fmt: skip
        found.append((made, [control]))
    return found


def relying(halves: pd.DataFrame) -> Concluded:
    """Of each domain and kind of activation, whether halves of the text rank neurons alike."""
    rows = halves[halves["measure"] == "spearman"].to_dict("records")
    estimates = [_estimate(row) for row in rows]
    p = [p_above(one, 0.5) for one in estimates]
    found = []
    for row, one, own_p, q in zip(rows, estimates, p, _corrected(p), strict=True):
        claim = Claim("universal", RELIABLE, row["domain"], "greater", "rank correlation",
                      row["var"])  # fmt: skip
        result = Result(one.value, one.low, one.high, 0.5, row["n_neurons"], own_p, q)
        made = conclude(claim, result, "-", f"kurtosis over even and over odd blocks, "
                        f"{row['n_neurons']:,} neurons")  # fmt: skip
        made["words"] = f"halves of the text rank neurons alike by {one.value:.2f}"
        found.append((made, [ran("halves of the blocks", 2, f"{row['n_blocks']} blocks")]))
    return found


def converging(halves: pd.DataFrame) -> Concluded:
    """Whether twice the text leaves the median kurtosis as it is, of each kind of activation."""
    rows = halves[halves["measure"] == "growth"].to_dict("records")
    estimates = [_estimate(row) for row in rows]
    p = [p_within(one, GROWTH_MARGIN) for one in estimates]
    found = []
    for row, one, own_p, q in zip(rows, estimates, p, _corrected(p), strict=True):
        claim = Claim("universal", CONVERGED, row["domain"], "equivalent", "log-ratio",
                      row["var"], GROWTH_MARGIN)  # fmt: skip
        result = Result(one.value, one.low, one.high, 0.0, row["n_neurons"], own_p, q)
        made = conclude(claim, result, "-", "median log kurtosis of all blocks less that of half")
        made["words"] = f"twice the text makes {row['var']} kurtosis {np.exp(one.value):.2f} times"
        found.append((made, [ran("halves of the blocks", 2, f"{row['n_blocks']} blocks")]))
    return found


def _acting_together(nulls: pd.DataFrame) -> tuple[dict[str, Any], list[Control]]:
    claim = Claim("universal", TOGETHER, "all layers", "greater", "log kurtosis", POST)
    own = nulls[nulls["draw"] < 0].set_index("layer")["median_log_kurt"]
    drawn = nulls[nulls["draw"] >= 0].groupby("layer")["median_log_kurt"].mean()
    apart = (own - drawn).dropna().to_numpy(float)
    n_draws = int(nulls["draw"].max()) + 1
    if not len(apart):
        words = "an MLP without a gate has no product"
        row = conclude(claim, Result(), words, words, untestable=words)
        return row, [ran("layers without a gate", len(own), "nothing to permute")]
    value, n = float(apart.mean()), len(apart)
    result = Result(value, null=0.0, n=n)
    if n > 2:
        se = float(apart.std(ddof=1) / np.sqrt(n))
        reach = float(stats.t.ppf(0.975, n - 1)) * se
        p = float(stats.t.sf(value / se, n - 1)) if se else float(value <= 0)
        result = Result(value, value - reach, value + reach, 0.0, n, p, p)
    words = f"post kurtosis is {np.exp(value):.2f} times that of independent factors"
    why = "median log kurtosis over neurons, by layer, less that with up permuted against the gate"
    row = conclude(claim, result, words, why, untestable="too few layers" if n <= 2 else "")
    return row, [ran("permutations of up against the gate", n_draws)]


def _negative(halves: pd.DataFrame) -> tuple[dict[str, Any], list[Control]]:
    own = halves[(halves["measure"] == "negative") & (halves["var"] == GATE)].to_dict("records")[0]
    claim = Claim("universal", NEGATIVE, own["domain"], "greater", "share", GATE)
    result = Result(own["value"], own["low"], own["high"], n=own["n_neurons"])
    row = conclude(
        claim,
        result,
        words=f"{100 * own['value']:.0f} % of neurons have a negative mean",
        why="original: 93.3 % negative input bias (91,747 of 98,304), counted as a pass",
        vacuous="a base rate of one model: nothing is compared (agreement compares)",
    )
    return row, [ran("neurons", own["n_neurons"], "no control can fail it: nothing is compared")]


def _pooled(pooled: pd.DataFrame) -> tuple[dict[str, Any], list[Control]]:
    longest = pooled[pooled["first"] & (pooled["place"] == "residual")].iloc[-1]
    claim = Claim("universal", POOLED, f"texts of {int(longest['tokens'])} tokens", "greater",
                  "kurtosis", "residual")  # fmt: skip
    share = f"{100 * longest['share']:.0f} % of what so many values allow"
    row = conclude(
        claim,
        Result(float(longest["kurt"]), n=int(longest["n_values"])),
        words=f"{longest['kurt']:,.0f}, {share}",
        why="original: 1885, 2264 and 3017 on a new model, 4007 to 7830 on new data",
        vacuous="one position far out makes it about as large as the number of pooled values",
    )
    return row, [ran("texts", int(longest["n_texts"]), "no control can fail it: more text, more")]


def _estimate(row: Mapping[Any, Any]) -> Estimate:
    return Estimate(*(float(row[name]) for name in ("value", "low", "high", "se", "df")))


def _pair(row: Mapping[Any, Any]) -> str:
    return f"{row['new']} against {row['known']}"


def _corrected(p: Sequence[float | None]) -> list[float | None]:
    """Corrected p values of those that there are."""
    known = [at for at, one in enumerate(p) if one is not None and not pd.isna(one)]
    found: list[float | None] = [None] * len(p)
    for at, q in zip(known, benjamini_hochberg([float(p[at] or 0.0) for at in known]), strict=True):
        found[at] = float(q)
    return found
