"""Choose target and clamp on one half of the prompts, score them on the other, and the reverse.

The best of many clamps looks better than it is on the prompts that chose it. On prompts that had no
part in the choice its net effect is unbiased. Definitions: docs/bcr.md.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.provenance import json_digest
from clampsweep.statistics import cluster_bootstrap, mcnemar_exact, sign_flip
from clampsweep.studies.bcr.rates import GROUP, RATES, best_first, counts
from clampsweep.studies.bcr.recovery import clusters
from clampsweep.tables import Column, Schema
from clampsweep.texts.tables import INTERVENTION

SPLIT_HALF = Schema(
    "split_half",
    {
        "detector": Column("str", "collapse detector"),
        "among": Column("str", "target whose clamps it was chosen among; empty for all targets'"),
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
    key=("detector", "among", "half"),
)  # fmt: skip

_MIN_CORES = 4  # with fewer, two halves of whole cores would differ too much

_CHOICE = ["detector", "among"]

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
    """The best clamp of each half, scored on the other: `SPLIT_HALF`.

    It is chosen among the pairs of all targets and clamps, which pays for the choice of a target;
    and where there are several targets, for each of them among its own clamps too. The best has the
    highest net, in pairs; of equals the one that harms fewer, then the smaller |value|, then the
    first by name. Only pairs that were run in both halves are compared. No rows where these are
    fewer than two: there is nothing to choose. `cluster_p` is of the two held-out halves together,
    the same in both rows: one alone has too few cores for a test.

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
        every = [both.assign(among="")]
        every += [both.assign(among=both["target"])] if both["target"].nunique() > 1 else []
        either = pd.concat(every)
        either["n_choices"] = either.groupby(_CHOICE)["target"].transform("size")
        best = best_first(either, "_chosen").drop_duplicates(_CHOICE)
        parts.append(best[best["n_choices"] > 1].assign(half=side))
    table = pd.concat(parts).sort_values([*_CHOICE, "half"], ignore_index=True)
    table = table.rename(columns={"net_chosen": "chosen_net"})
    tests = _over_clusters(recovery, prompts, half, table)
    return _with_p(table.merge(tests, on=_CHOICE, how="left"))[list(SPLIT_HALF.columns)]


def _over_clusters(
    recovery: pd.DataFrame, prompts: pd.DataFrame, half: np.ndarray, table: pd.DataFrame
) -> pd.DataFrame:
    """Test and interval over clusters of both held-out nets together, by detector and choice.

    The choices are kept: to choose anew at every flip would make rescuers of the worst clamps, and
    leave no power against them.
    """
    rows = recovery.assign(half=1 - half, cluster=clusters(recovery, prompts))
    scored = rows.merge(table[[*GROUP, "among", "half"]], on=[*GROUP, "half"])
    rescued, harmed = (
        scored[f"intervention_{name}_baseline"].astype(int) for name in ("improves", "harms")
    )
    each = scored.assign(net=rescued - harmed, n=1).groupby([*_CHOICE, "cluster"])
    found = []
    for choice, sums in each[["net", "n"]].sum().groupby(_CHOICE):
        net, n = (sums[[name]].to_numpy(float) for name in ("net", "n"))  # [cluster, 1]
        low, high = cluster_bootstrap(net, n)[0] * n.sum()
        found.append((*choice, float(sign_flip(net)[0]), low, high))
    columns = [*_CHOICE, "cluster_p", "net_boot_low", "net_boot_high"]
    frame = pd.DataFrame(found, columns=columns)
    return frame.astype(
        {name: table[name].dtype for name in _CHOICE} | dict.fromkeys(columns[2:], float)
    )


def pooled(split_half: pd.DataFrame) -> pd.DataFrame:
    """Both held-out halves together: counts and tests of `RATES`, interval of net, by detector.

    Every prompt is in it once, under the pair of target and clamp that the other half chose.

    Args:
        split_half: A `SPLIT_HALF` table.
    """
    return both_halves(split_half[split_half["among"] == ""])


def both_halves(rows: pd.DataFrame) -> pd.DataFrame:
    """The same of some rows of a `SPLIT_HALF` table, such as those among one target's clamps.

    Args:
        rows: The rows, two of a detector.
    """
    together = ("cluster_p", "net_boot_low", "net_boot_high")
    how = {**dict.fromkeys(_COUNTS, "sum"), **dict.fromkeys(together, "first")}
    return _with_p(rows.groupby("detector").agg(how))


def _with_p(table: pd.DataFrame) -> pd.DataFrame:
    changed = zip(table["n_rescued"], table["n_harmed"], strict=True)
    return table.assign(mcnemar_p=np.array([mcnemar_exact(b, c) for b, c in changed], dtype=float))
