"""Choose target and clamp on one half of the prompts, score them on the other, and the reverse.

The best of many clamps looks better than it is on the prompts that chose it. On prompts that had no
part in the choice its net effect is unbiased. Definitions: docs/bcr.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.provenance import json_digest
from clampsweep.statistics import cluster_bootstrap, mcnemar_exact, sign_flip
from clampsweep.studies.bcr.rates import GROUP, RATES, counts
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.tables import Column, Schema
from clampsweep.texts.tables import INTERVENTION

SPLIT_HALF = Schema(
    "split_half",
    {
        "detector": Column("str", "collapse detector"),
        "half": Column("int", "half of the prompts, 0 or 1, on which the clamp was chosen"),
        "target": Column("str", "neuron, or neurons joined by +, that was chosen"),
        **{name: INTERVENTION[name] for name in ("operation", "value", "scope")},
        "n_choices": Column("int", "pairs of target and clamp among which it was chosen"),
        "chosen_net": Column("int", "n_rescued - n_harmed on the half that chose"),
        **{
            name: Column("int", f"{RATES.columns[name].doc}; on the other half")
            for name in (
                "n", "n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net",
            )
        },
        "mcnemar_p": Column("float", f"{RATES.columns['mcnemar_p'].doc}; on the other half"),
        "cluster_p": Column("float", f"{RATES.columns['cluster_p'].doc}; other halves together"),
        **{
            name: Column("float", f"{RATES.columns[name].doc}; other halves together", null=True)
            for name in ("net_boot_low", "net_boot_high")
        },
    },
    key=("detector", "half"),
)  # fmt: skip

_MIN_CORES = 4  # with fewer, two halves of whole cores would differ too much

_COUNTS = ["n", "n_collapsed_baseline", "n_rescued", "n_fine_baseline", "n_harmed", "net"]


def halves(recovery: pd.DataFrame, prompts: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Half of the prompts that each row belongs to, 0 or 1: int, shape [n], in row order.

    Drawn by lot among whole cores if every prompt has one and there are at least 4, so that
    variants of a core never stand on both sides; else among prompts. The halves differ by at most
    one core or prompt. Each one's lot depends on its name and the seed alone.

    Args:
        recovery: A `RECOVERY` table.
        prompts: The `PROMPTS` table of the same sweep.
        seed: Of the lots.
    """
    names = clusters(recovery, prompts)
    if names.nunique() < _MIN_CORES:
        names = recovery["prompt_id"]
    in_order = sorted(names.unique(), key=lambda name: json_digest([seed, name]))
    second = set(in_order[(len(in_order) + 1) // 2 :])
    return names.isin(second).to_numpy(dtype=int)


def split_half(recovery: pd.DataFrame, prompts: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The best pair of target and clamp of each half, scored on the other: `SPLIT_HALF`.

    The best has the highest net, in pairs; of equals the one that harms fewer, then the smaller
    |value|, then the first by name. Only pairs that were run in both halves are compared. No rows
    for a detector where these are fewer than two: there is nothing to choose. `cluster_p` is of the
    two held-out halves together, the same in both rows: one alone has too few cores for a test.

    Args:
        recovery: A `RECOVERY` table.
        prompts: The `PROMPTS` table of the same sweep.
        seed: Of the split.

    Raises:
        UserError: A prompt of the recovery table is not among the prompts.
    """
    half = halves(recovery, prompts, seed)
    counted = [counts(recovery[half == side])[[*GROUP, *_COUNTS]] for side in (0, 1)]
    parts = []
    for side in (0, 1):
        both = counted[side].merge(counted[1 - side], on=GROUP, suffixes=("_chosen", ""))
        both["size"] = both["value"].abs()
        both["n_choices"] = both.groupby("detector")["detector"].transform("size")
        order = ["net_chosen", "n_harmed_chosen", "size", *GROUP]
        ascending = [name != "net_chosen" for name in order]
        best = both.sort_values(order, ascending=ascending).drop_duplicates("detector")
        parts.append(best[best["n_choices"] > 1].assign(half=side))
    table = pd.concat(parts).sort_values(["detector", "half"], ignore_index=True)
    table = table.rename(columns={"net_chosen": "chosen_net"})
    for name, values in _over_clusters(recovery, prompts, half, table).items():
        table[name] = table["detector"].map(values)
    return _with_p(table)[list(SPLIT_HALF.columns)]


def _over_clusters(
    recovery: pd.DataFrame, prompts: pd.DataFrame, half: np.ndarray, table: pd.DataFrame
) -> dict[str, dict[str, float]]:
    """Test and interval over clusters of both held-out nets together: column, detector, value.

    The choices are kept: to choose anew at every flip would make rescuers of the worst clamps, and
    leave no power against them.
    """
    rows = recovery.assign(half=1 - half, cluster=clusters(recovery, prompts))
    scored = rows.merge(table[[*GROUP, "half"]], on=[*GROUP, "half"])
    rescued, harmed = (
        scored[f"intervention_{name}_baseline"].astype(int) for name in ("improves", "harms")
    )
    each = scored.assign(net=rescued - harmed, n=1).groupby(["detector", "cluster"])
    found: dict[str, dict[str, float]] = {
        name: {} for name in ("cluster_p", "net_boot_low", "net_boot_high")
    }
    for detector, sums in each[["net", "n"]].sum().groupby("detector"):
        net, n = (sums[[name]].to_numpy(float) for name in ("net", "n"))  # [cluster, 1]
        low, high = cluster_bootstrap(net, n)[0] * n.sum()
        values = (float(sign_flip(net)[0]), low, high)
        for name, value in zip(found, values, strict=True):
            found[name][str(detector)] = value
    return found


def pooled(split_half: pd.DataFrame) -> pd.DataFrame:
    """Both held-out halves together: counts and tests of `RATES`, interval of net, by detector.

    Every prompt is in it once, under the pair that the other half chose.

    Args:
        split_half: A `SPLIT_HALF` table.
    """
    together = ("cluster_p", "net_boot_low", "net_boot_high")
    how = {**dict.fromkeys(_COUNTS, "sum"), **dict.fromkeys(together, "first")}
    return _with_p(split_half.groupby("detector").agg(how))


def _with_p(table: pd.DataFrame) -> pd.DataFrame:
    changed = zip(table["n_rescued"], table["n_harmed"], strict=True)
    return table.assign(mcnemar_p=np.array([mcnemar_exact(b, c) for b, c in changed], dtype=float))
