"""Is a neuron special? Its effect on collapse against the same sweep of its controls.

Controls are neurons of the same layer with like output weights and activation, or random directions
of the same norm. If the target were one of them, its rank among them would be random.
Definitions: docs/bcr.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.tables import Column, Schema

SPECIAL = Schema(
    "special",
    {
        "detector": Column("str", "collapse detector"),
        "target": Column("str", "neuron, or neurons joined by +, that is compared"),
        "kind": Column("str", "what it is compared with: neuron or direction controls"),
        "statistic": Column("str", "largest_net, best_net or most_harmed: a maximum over clamps"),
        "observed": Column("float", "the target's value, in pairs"),
        "control_median": Column("float", "median of the controls' values, in pairs"),
        "control_low": Column("float", "lowest of the controls' values, in pairs"),
        "control_high": Column("float", "highest of the controls' values, in pairs"),
        "low": Column("float", "95 % lower bound of observed, null being control_median, in pairs"),
        "high": Column("float", "95 % upper bound, in the same way"),
        "n_controls": Column("int", "number of controls"),
        "n_prompts": Column("int", "prompts on which target and controls are compared"),
        "n_clamps": Column("int", "clamps over which the maximum is taken"),
        "percentile": Column("float", "controls below the target, ties half, in 0..100"),
        "p": Column("float", "(1 + controls at or above the target) / (1 + controls)"),
        "q": Column("float", "the p value after Benjamini-Hochberg over the targets"),
    },
    key=("detector", "target", "kind", "statistic"),
)

MIN_CONTROLS = 20  # of each kind, per target of the entry: with fewer no q is below 0.05

_CLAMP = ["operation", "value", "scope"]

_PLACE = ["detector", "prompt_id", "seed", *_CLAMP]


def special(
    recovery: pd.DataFrame, control_recovery: pd.DataFrame, controls: pd.DataFrame
) -> pd.DataFrame:
    """Targets ranked among their controls, `SPECIAL`: a row per kind and statistic.

    The statistics, in pairs: `largest_net`, the largest |rescued - harmed|, which is the primary
    one; `best_net`, the largest rescued - harmed; `most_harmed`, the largest number harmed. Each
    is a maximum over the clamps, for the target and for every control alike, so that the choice of
    the best clamp is paid for. They are computed on the texts that target and controls have in
    common: same prompt, seed and clamp. An operation `mean` is the same clamp whatever its value,
    which each neuron has of its own.

    p is the rank of the target (`statistics.rank_p`); q corrects it over the targets of one
    detector, kind and statistic.

    Args:
        recovery: The targets' `RECOVERY` table.
        control_recovery: The same of the controls; `target` is the control's name.
        controls: A `CONTROLS` table: which control is whose, and of what kind. Targets that
            are not in it are left out.

    Raises:
        UserError: A target and its controls have no texts in common.
    """
    rows: list[dict[str, Any]] = []
    for (target, kind), names in controls.groupby(["target", "kind"])["control"]:
        own = recovery[recovery["target"] == target]
        others = control_recovery[control_recovery["target"].isin(names)]
        common = _common(own, others, len(names))
        if own.empty or set(common["detector"]) != set(own["detector"]):
            raise UserError(
                f"target {target!r} and its {len(names)} controls of kind {kind!r} have no texts "
                "in common (same detector, prompt, seed, operation, value and scope); run the "
                "controls on prompts and clamps of the target's sweep"
            )
        rows += ({"target": target, "kind": kind, **row} for row in _ranked(common))
    table = pd.DataFrame(rows, columns=list(SPECIAL.columns))
    order = ["detector", "target", "kind"]
    table = table.sort_values(order, kind="stable", ignore_index=True)
    for _, family in table.groupby(["detector", "kind", "statistic"])["p"]:
        table.loc[family.index, "q"] = benjamini_hochberg(family.tolist())
    return table


def _common(own: pd.DataFrame, others: pd.DataFrame, n_controls: int) -> pd.DataFrame:
    """Rows of the places where target and controls all have a text, with their unit and clamp.

    `unit` is 0 for the target, and above it one number per control; `clamp` is a number too.
    """
    both = pd.concat([own, others], ignore_index=True)
    both["unit"] = np.append(np.zeros(len(own), int), pd.factorize(others["target"])[0] + 1)
    both["value"] = both["value"].mask(both["operation"] == "mean")
    both["clamp"] = both.groupby(_CLAMP, dropna=False).ngroup()
    n_units = both.groupby(_PLACE, dropna=False)["unit"].transform("size")
    return both[n_units == 1 + n_controls]


def _ranked(common: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of `SPECIAL` but for q, target and kind."""
    by_detector = common.groupby("detector")
    n_prompts, n_clamps = (by_detector[name].nunique() for name in ("prompt_id", "clamp"))
    for detector, scores in _scores(common).groupby("detector"):
        for statistic in scores.columns:
            observed, *others = scores[statistic].sort_index().astype(float).tolist()
            low, high = rank_interval(observed, others)
            below = sum(other < observed for other in others)
            level = sum(other == observed for other in others)
            yield {
                "detector": detector,
                "statistic": statistic,
                "observed": observed,
                "control_median": float(np.median(others)),
                "control_low": min(others),
                "control_high": max(others),
                "low": low,
                "high": high,
                "n_controls": len(others),
                "n_prompts": int(n_prompts[detector]),
                "n_clamps": int(n_clamps[detector]),
                "percentile": 100 * (below + level / 2) / len(others),
                "p": rank_p(observed, others),
            }


def _scores(common: pd.DataFrame) -> pd.DataFrame:
    """Each statistic, in pairs, by detector and unit (the index)."""
    changed = ["intervention_improves_baseline", "intervention_harms_baseline"]
    sums = common.groupby(["detector", "unit", "clamp"])[changed].sum()
    net, harmed = sums[changed[0]] - sums[changed[1]], sums[changed[1]]
    by_clamp = {"largest_net": net.abs(), "best_net": net, "most_harmed": harmed}
    return pd.DataFrame(by_clamp).groupby(["detector", "unit"]).max()


def is_special(special: pd.DataFrame, level: float = 0.05) -> pd.DataFrame:
    """Verdict per detector and target: columns `special` and `can_tell`, both bool.

    A target is special if the q of its `largest_net` is below the level for every kind of controls
    that was run. `can_tell` is false where it is not and could not have been for want of controls:
    the only special one of m targets has q = m / (n + 1) with n controls, so that at level 0.05
    each needs 20 m.

    Args:
        special: A `SPECIAL` table.
        level: In 0..1.
    """
    rows = special[special["statistic"] == "largest_net"]
    n_targets = rows.groupby(["detector", "kind"])["target"].transform("size")
    is_low = rows["q"] < level
    enough = n_targets / (1 + rows["n_controls"]) < level
    verdict = rows.assign(special=is_low, can_tell=is_low | enough)
    keys = ["detector", "target"]
    return verdict.groupby(keys, as_index=False)[["special", "can_tell"]].all()
