"""Rescue and harm by clamp: counts, rates with intervals, tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clampsweep.statistics import (
    benjamini_hochberg,
    cluster_bootstrap,
    mcnemar_exact,
    sign_flip,
    wilson,
)
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.tables import Column, Schema
from clampsweep.texts.tables import INTERVENTION

_SWEPT = {
    name: INTERVENTION[name]
    for name in ("target", "layer", "neuron", "operation", "value", "scope")
}


def _bootstrap(name: str) -> dict[str, Column]:
    """The two ends of a bootstrap interval, null where fewer than 2 clusters count."""
    doc = "cluster bootstrap 95 % interval"
    return {
        f"{name}_boot_low": Column("float", f"{doc}, lower end", null=True),
        f"{name}_boot_high": Column("float", f"{doc}, upper end", null=True),
    }


RATES = Schema(
    "rates",
    {
        "detector": Column("str", "collapse detector"),
        **_SWEPT,
        "n": Column("int", "number of pairs of baseline and intervened text (prompts x seeds)"),
        "n_clusters": Column("int", "number of cores, or of prompts if some have no core"),
        "n_collapsed_baseline": Column("int", "pairs whose baseline is collapsed"),
        "n_rescued": Column("int", "of these, outputs not collapsed"),
        "rescue_rate": Column("float", "n_rescued / n_collapsed_baseline; null if none", null=True),
        "rescue_low": Column("float", "Wilson 95 % interval, lower end", null=True),
        "rescue_high": Column("float", "Wilson 95 % interval, upper end", null=True),
        **_bootstrap("rescue"),
        "n_fine_baseline": Column("int", "pairs whose baseline is not collapsed"),
        "n_harmed": Column("int", "of these, outputs collapsed"),
        "harm_rate": Column("float", "n_harmed / n_fine_baseline; null if none", null=True),
        "harm_low": Column("float", "Wilson 95 % interval, lower end", null=True),
        "harm_high": Column("float", "Wilson 95 % interval, upper end", null=True),
        **_bootstrap("harm"),
        "net": Column("int", "n_rescued - n_harmed"),
        **_bootstrap("net"),
        "mcnemar_p": Column("float", "exact two-sided McNemar p of rescue against harm"),
        "mcnemar_q": Column(
            "float", "the p value after Benjamini-Hochberg over all rows of the detector"
        ),
        "cluster_p": Column(
            "float", "two-sided p of net under sign flips of whole cores (or prompts, as above)"
        ),
        "cluster_q": Column(
            "float", "the p value after Benjamini-Hochberg over all rows of the detector"
        ),
    },
    key=("detector", "target", "operation", "value", "scope"),
)

GROUP = ["detector", "target", "operation", "scope", "value"]  # what a rate is of


def counts(recovery: pd.DataFrame) -> pd.DataFrame:
    """Numbers of pairs per detector and intervention, sorted by both: the counts of `RATES`.

    Args:
        recovery: A `RECOVERY` table.
    """
    table = recovery.groupby(GROUP, dropna=False, as_index=False).agg(
        layer=("layer", "first"),
        neuron=("neuron", "first"),
        n=("key", "size"),
        n_collapsed_baseline=("baseline_collapsed", "sum"),
        n_rescued=("intervention_improves_baseline", "sum"),
        n_harmed=("intervention_harms_baseline", "sum"),
    )
    table["n_fine_baseline"] = table["n"] - table["n_collapsed_baseline"]
    table["net"] = table["n_rescued"] - table["n_harmed"]
    return table


def changes(before: pd.Series[bool], after: pd.Series[bool]) -> dict[str, int]:
    """The counts of `RATES`, but for `n`, of texts that were collapsed or not and now are or not.

    Args:
        before: Whether each baseline is collapsed.
        after: The same of the text that is compared with it.
    """
    rescued, harmed = int((before & ~after).sum()), int((~before & after).sum())
    return {
        "n_collapsed_baseline": int(before.sum()),
        "n_rescued": rescued,
        "n_fine_baseline": int((~before).sum()),
        "n_harmed": harmed,
        "net": rescued - harmed,
    }


def q_if(p: Sequence[float], place: int, instead: float) -> float:
    """The q after Benjamini-Hochberg of one of some tests, were its p another one.

    Args:
        p: P values of all of them.
        place: Which one.
        instead: Its p.
    """
    tried = list(p)
    tried[place] = instead
    return float(benjamini_hochberg(tried)[place])


def best_first(table: pd.DataFrame, suffix: str = "") -> pd.DataFrame:
    """Rows by net effect, best first; of equals by fewest harmed, smallest |value|, then name.

    Args:
        table: Rows with the counts of `RATES`.
        suffix: Of the names of the columns `net` and `n_harmed` that decide.
    """
    order = [f"net{suffix}", f"n_harmed{suffix}", "size", *GROUP]
    ascending = [name != f"net{suffix}" for name in order]
    ordered = table.assign(size=table["value"].abs()).sort_values(order, ascending=ascending)
    return ordered.drop(columns="size")


def _by_cluster(recovery: pd.DataFrame, cluster: pd.Series[str]) -> dict[str, np.ndarray]:
    """Sums over the pairs of each cluster and row of `counts`: float arrays [cluster, row]."""
    codes, names = pd.factorize(cluster, sort=True)
    rows = recovery.groupby(GROUP, dropna=False).ngroup().to_numpy()
    shape = (len(names), int(rows.max(initial=-1)) + 1)

    def sums(flags: np.ndarray) -> np.ndarray:
        places = codes * shape[1] + rows
        total = np.bincount(places, flags, minlength=math.prod(shape))
        return total.reshape(shape).astype(float)  # of no pairs it is of integers

    found = {
        "rescued": sums(recovery["intervention_improves_baseline"].to_numpy(dtype=float)),
        "harmed": sums(recovery["intervention_harms_baseline"].to_numpy(dtype=float)),
        "collapsed": sums(recovery["baseline_collapsed"].to_numpy(dtype=float)),
        "pairs": sums(np.ones(len(recovery))),
    }
    return {**found, "net": found["rescued"] - found["harmed"]}


def _add_bootstrap(table: pd.DataFrame, sums: Mapping[str, np.ndarray]) -> None:
    """Add n_clusters and the bootstrap intervals to a table of `counts`, in place.

    All in one call: the draws, of which there are 4,000 times the clusters, are the same for each.
    """
    pairs, collapsed = sums["pairs"], sums["collapsed"]
    table["n_clusters"] = (pairs > 0).sum(0)
    parts = np.hstack([sums["rescued"], sums["harmed"], sums["net"]])
    ends = cluster_bootstrap(parts, np.hstack([collapsed, pairs - collapsed, pairs]))
    units = (1, 1, table["n"].to_numpy())
    for name, own, unit in zip(("rescue", "harm", "net"), np.split(ends, 3), units, strict=True):
        low, high = own.T * unit
        table[f"{name}_boot_low"], table[f"{name}_boot_high"] = low, high


def rates(recovery: pd.DataFrame, prompts: pd.DataFrame) -> pd.DataFrame:
    """Rescue and harm rates (`RATES`) per detector and intervention, sorted by both.

    Shares in 0..1 with two 95 % intervals: Wilson, which takes pairs as independent, and the
    bootstrap over clusters (cores, or prompts if some have no core). The bootstrap of the net, in
    pairs, is that of net / n, times n. Two tests of rescue against harm: exact McNemar, which takes
    pairs as independent, and sign flips of whole clusters, where n clusters with a net allow no p
    below 2 / 2**n. Each has its q after Benjamini-Hochberg over all rows of a detector.

    Args:
        recovery: A `RECOVERY` table.
        prompts: The `PROMPTS` table of the same sweep.

    Raises:
        UserError: A prompt of the recovery table is not among the prompts.
    """
    table = counts(recovery)
    for name, part, whole in (
        ("rescue", "n_rescued", "n_collapsed_baseline"),
        ("harm", "n_harmed", "n_fine_baseline"),
    ):
        table[f"{name}_rate"] = table[part] / table[whole]
        ends = [wilson(k, n) for k, n in zip(table[part], table[whole], strict=True)]
        table[[f"{name}_low", f"{name}_high"]] = np.array(ends, dtype=float).reshape(-1, 2)
    sums = _by_cluster(recovery, clusters(recovery, prompts))
    _add_bootstrap(table, sums)
    changed = zip(table["n_rescued"], table["n_harmed"], strict=True)
    table["mcnemar_p"] = np.array([mcnemar_exact(b, c) for b, c in changed], dtype=float)
    table["cluster_p"] = sign_flip(sums["net"])
    for test in ("mcnemar", "cluster"):
        table[f"{test}_q"] = np.nan
        for _, family in table.groupby("detector")[f"{test}_p"]:
            table.loc[family.index, f"{test}_q"] = benjamini_hochberg(family.tolist())
    return table[list(RATES.columns)]
