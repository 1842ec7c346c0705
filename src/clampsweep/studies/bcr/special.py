"""Is a neuron special? Its rescues and its harm against the same clamps of its controls.

Controls are neurons of the same layer with like output weights and activation, or random directions
of the same norm. If the target were one of them, its rank among them would be random. Two questions
are asked apart: whether it rescues more than they do, and whether it harms more. A rank cannot
answer where the controls do all that can be done. Definitions: docs/bcr.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.studies.bcr.rates import q_if
from clampsweep.tables import Column, Schema

SPECIAL = Schema(
    "special",
    {
        "detector": Column("str", "collapse detector"),
        "target": Column("str", "neuron, or neurons joined by +, that is compared"),
        "kind": Column("str", "what it is compared with: neuron or direction controls"),
        "statistic": Column("str", "best_net or worst_net: a maximum over clamps"),
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
        "bound": Column("int", "the most that it can be: baselines compared that can change so"),
        "most_moved": Column("int", "most texts that target or control rescue (harm) at a clamp"),
        "n_at_bound": Column("int", "controls that are at the bound"),
        "n_near_bound": Column("int", "controls that are at the bound or one text from it"),
        "bound_q": Column("float", "the q of a target at the bound, the other targets as they are"),
        "least_q": Column("float", "the q of a target above all controls, the others as they are"),
    },
    key=("detector", "target", "kind", "statistic"),
)

STATISTICS = MappingProxyType({"special": "best_net", "special_harm": "worst_net"})
"""What decides each claim."""

CAN_TELL, NOTHING, CEILING, FLOOR, REACHED, TOO_FEW = (
    "can tell", "nothing to change", "ceiling", "floor", "reached", "too few controls",
)  # fmt: skip
"""What stands in the way of an answer, if anything: see `obstacle`."""

MIN_CONTROLS = 20  # of each kind, per target of the entry: with fewer no q is below 0.05

_CLAMP = ["operation", "value", "scope"]

_PLACE = ["detector", "prompt_id", "seed", *_CLAMP]


def special(
    recovery: pd.DataFrame, control_recovery: pd.DataFrame, controls: pd.DataFrame
) -> pd.DataFrame:
    """Targets ranked among their controls, `SPECIAL`: a row per kind and statistic.

    The statistics, in pairs: `best_net`, the largest rescued - harmed; `worst_net`, the largest
    harmed - rescued. Each is a maximum over the clamps, for the target and for every control alike,
    so that the choice of the best clamp is paid for. They are computed on the texts that target and
    controls have in common: same prompt, seed and clamp. An operation `mean` is the same clamp
    whatever its value, which each neuron has of its own.

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
    for _, family in table.groupby(["detector", "kind", "statistic"]):
        _correct(table, family)
    return table


def _correct(table: pd.DataFrame, family: pd.DataFrame) -> None:
    """Add the q values of a family of targets to the table, in place."""
    p, n = family["p"].to_numpy(float), family["n_controls"].to_numpy(int)
    table.loc[family.index, "q"] = benjamini_hochberg(p.tolist())
    could_be = {
        "bound_q": (1 + family["n_at_bound"].to_numpy(int)) / (1 + n),
        "least_q": 1 / (1 + n),
    }
    for name, instead in could_be.items():
        for place, row in enumerate(family.index):
            table.loc[row, name] = q_if(p.tolist(), place, float(instead[place]))


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
    """Rows of `SPECIAL` but for the q values, target and kind."""
    by_detector = common.groupby("detector")
    n_prompts, n_clamps = (by_detector[name].nunique() for name in ("prompt_id", "clamp"))
    for (detector, statistic), scores in _scores(common).groupby(["detector", "statistic"]):
        observed, *others = scores.sort_values("unit")["score"].astype(float).tolist()
        bound = int(scores["bound"].max())  # the same of all, which have the same texts
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
            "n_prompts": int(n_prompts[str(detector)]),
            "n_clamps": int(n_clamps[str(detector)]),
            "percentile": 100 * (below + level / 2) / len(others),
            "p": rank_p(observed, others),
            "bound": bound,
            "most_moved": int(scores["moved"].max()),
            "n_at_bound": sum(other >= bound for other in others),
            "n_near_bound": sum(other >= bound - 1 for other in others),
        }


def _scores(common: pd.DataFrame) -> pd.DataFrame:
    """Each unit's score by detector and statistic, its bound, and what it moves: in pairs."""
    rescued, harmed = "intervention_improves_baseline", "intervention_harms_baseline"
    both = common.assign(fine=~common["baseline_collapsed"])
    sums = both.groupby(["detector", "unit", "clamp"])[
        [rescued, harmed, "baseline_collapsed", "fine"]
    ].sum()
    net = sums[rescued] - sums[harmed]
    parts = [
        pd.DataFrame({"score": score, "moved": sums[moved], "bound": sums[of]})
        .groupby(["detector", "unit"])
        .max()
        .assign(statistic=name)
        for name, score, moved, of in (
            ("best_net", net, rescued, "baseline_collapsed"),
            ("worst_net", -net, harmed, "fine"),
        )
    ]
    return pd.concat(parts).reset_index()


def obstacle(row: Mapping[Any, Any], level: float = 0.05) -> str:
    """What keeps a rank from an answer: the first that holds, else `CAN_TELL`.

    - `NOTHING`: no baseline compared can be rescued (harmed).
    - `CEILING`: at least half of the controls are within one text of the bound.
    - `FLOOR`: neither the target nor a control rescues (harms) a text.
    - `TOO_FEW`: even above all controls the target's q would not be below the level.
    - `REACHED`: even at the bound it would not be, for the controls that are there too.

    Args:
        row: Of a `SPECIAL` table.
        level: In 0..1.
    """
    if not row["bound"]:
        return NOTHING
    if 2 * row["n_near_bound"] >= row["n_controls"]:
        return CEILING
    if not row["most_moved"]:
        return FLOOR
    if row["least_q"] >= level:
        return TOO_FEW
    return REACHED if row["bound_q"] >= level else CAN_TELL


def is_special(
    special: pd.DataFrame, statistic: str = "best_net", level: float = 0.05
) -> pd.DataFrame:
    """Verdict per detector and target: columns `special` and `can_tell`, both bool.

    A target is special if its q is below the level for every kind of controls that was run, and
    each kind can tell (`obstacle`). The only special one of m targets has q = m / (n + 1) with n
    controls, so that at level 0.05 each needs 20 m.

    Args:
        special: A `SPECIAL` table.
        statistic: `best_net`, does it rescue more; `worst_net`, does it harm more.
        level: In 0..1.
    """
    rows = special[special["statistic"] == statistic]
    tells = [obstacle(row, level) == CAN_TELL for row in rows.to_dict("records")]
    can_tell = np.array(tells, dtype=bool)
    verdict = rows.assign(special=(rows["q"] < level) & can_tell, can_tell=can_tell)
    keys = ["detector", "target"]
    return verdict.groupby(keys, as_index=False)[["special", "can_tell"]].all()
