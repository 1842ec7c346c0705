"""GT1: are neurons that other models share like the paper's universal ones, in a new model?

Statistics of the neurons that are universal (excess correlation above the cut) against those of the
rest of their layer, and against neurons of like weights (Gurnee et al. 2024, figure 4). The same
for as many neurons chosen by chance: those whose best correlation is highest where the text is
shifted. No torch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clampsweep.models.moments import Sums, add_up
from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.contrasts import Population, beyond, contrast
from clampsweep.studies.universal.gt1_tables import (
    BALANCE,
    CHANCE,
    GT1,
    METRICS,
    NEURONS,
    PLACE,
    UNIVERSAL,
)


def neuron_metrics(
    stats: pd.DataFrame, weights: pd.DataFrame, vocabulary: pd.DataFrame
) -> pd.DataFrame:
    """Statistics of each neuron over all domains, and of its folded weights.

    Args:
        stats: The entry's `un_stats`.
        weights: Its `un_weights`.
        vocabulary: Its `un_vocab`.

    Returns:
        The table `NEURONS`; `bias` is the mean of the gate where the MLP has no input bias.
    """
    gate = pooled(stats[stats["var"] == "gate"])
    folded = weights[weights["processing"] == "folded"].drop(columns="processing")
    words = vocabulary[vocabulary["processing"] == "folded"].drop(columns="processing")
    found = gate.merge(folded, on=PLACE).merge(words, on=PLACE)
    bias = found["input_bias"].astype(float)
    has_bias = bool(bias.notna().any())
    found["bias"] = bias if has_bias else found["mean"]
    found["bias_is"] = "input bias" if has_bias else "mean of the gate"
    return pd.DataFrame(found, columns=list(NEURONS.columns))


def pooled(stats: pd.DataFrame) -> pd.DataFrame:
    """Moments of each neuron over all domains, as if their positions had been counted together.

    Columns `layer`, `neuron`, `n`, `mean`, `variance`, `skew`, `kurt` and `freq`.

    Args:
        stats: Rows of `un_stats` of one kind of activation.
    """
    stats = stats.sort_values(["domain", *PLACE])
    shape = stats["domain"].nunique(), -1
    n, mean, variance, skew, kurt, freq = (
        stats[name].to_numpy(float).reshape(shape)
        for name in ("n", "mean", "variance", "skew", "kurt", "freq")
    )
    spread = variance * (n - 1) / n
    sums = Sums(
        n, n * freq, mean, n * spread, n * spread**1.5 * np.nan_to_num(skew),
        n * spread**2 * np.nan_to_num(kurt),
    )  # fmt: skip
    total = add_up(sums)
    first = stats.iloc[: n.shape[1]]
    return pd.DataFrame(
        {
            **{name: first[name].to_numpy() for name in PLACE},
            "n": total.n[0],
            "mean": total.mean[0],
            "variance": total.variance[0],
            "skew": total.skewness[0],
            "kurt": total.kurtosis[0],
            "freq": total.share_positive[0],
        }
    )


def gt1(metrics: pd.DataFrame, corr: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table `GT1`.

    Args:
        metrics: What `neuron_metrics` gives.
        corr: A `CORR` table; neurons that it lacks do not count.
        seed: Of draws and permutations.
    """
    found = metrics.merge(corr, on=PLACE)
    groups = {name: _population(found, name) for name in (UNIVERSAL, CHANCE)}
    rows: list[dict[str, Any]] = []
    for name, population in groups.items():
        for metric in (*METRICS, *BALANCE):
            values = found[metric].to_numpy(float)
            row = {"chosen": name, "metric": metric, **_plain(values, population)}
            row |= contrast(values, population, seed)._asdict()
            if name == UNIVERSAL and metric in METRICS:
                more = beyond(values, population, groups[CHANCE], seed)
                row |= {"beyond": more.value, "beyond_low": more.low, "beyond_high": more.high}
                row["beyond_p"] = more.p
            rows.append(row)
    return _corrected(pd.DataFrame(rows, columns=[*GT1.columns]))


def _population(found: pd.DataFrame, chosen: str) -> Population:
    norm = found["w_out_norm"].to_numpy(float)
    return Population(found["layer"].to_numpy(), norm, found[chosen].to_numpy(bool))


def _plain(values: np.ndarray, population: Population) -> dict[str, Any]:
    """Numbers of a group that need no draws."""
    known = np.isfinite(values)
    own, rest = (values[known & part] for part in (population.chosen, ~population.chosen))
    table = pd.DataFrame({"layer": population.layer, "value": values})
    ranks = table.groupby("layer")["value"].rank(pct=True).to_numpy() * 100
    own_ranks = ranks[known & population.chosen]
    return {
        "n_rest": len(rest),
        "median": float(np.median(own)) if len(own) else None,
        "median_rest": float(np.median(rest)) if len(rest) else None,
        "percentile": float(own_ranks.mean()) if len(own_ranks) else None,
    }


def _corrected(rows: pd.DataFrame) -> pd.DataFrame:
    """The same with q values, over the tested metrics of a group."""
    numbers = [name for name, column in GT1.columns.items() if column.type == "float"]
    rows = rows.astype(dict.fromkeys(numbers, float))
    for _, own in rows[rows["metric"].isin(list(METRICS))].groupby("chosen"):
        for p, q in (("p", "q"), ("beyond_p", "beyond_q")):
            known = own.index[own[p].notna()]
            rows.loc[known, q] = benjamini_hochberg(rows.loc[known, p].tolist())
    return rows


def base_rates(metrics: pd.DataFrame, corr: pd.DataFrame) -> pd.DataFrame:
    """The table `RATES`: what the original evaluation reports, which says nothing by itself.

    Args:
        metrics: What `neuron_metrics` gives.
        corr: A `CORR` table, which may be empty.
    """
    chosen = corr.loc[corr["universal"].astype(bool), PLACE].astype(int)
    own = metrics.merge(chosen, on=PLACE)
    rows = []
    for rate, holds in (("negative", _negative), ("rare", _rare)):
        rows.append(
            {
                "rate": rate,
                "bias_is": metrics["bias_is"].iloc[0],
                "share": float(holds(metrics).mean()),
                "n": len(metrics),
                "share_universal": float(holds(own).mean()) if len(own) else None,
                "n_universal": len(own),
            }
        )
    return pd.DataFrame(rows)


def _negative(metrics: pd.DataFrame) -> pd.Series:
    return metrics["bias"] < 0


def _rare(metrics: pd.DataFrame) -> pd.Series:
    return metrics["freq"] < 0.5
