"""What spotlight resonance shows: do groups of texts differ in the plane, is the plane special."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep.studies.srm.plane import Srm
from clampsweep.verdicts import frame
from clampsweep.words import counted, listed

LEVEL = 0.05
DIFFER, SPECIAL = "groups differ", "plane is special"


def verdicts(groups: pd.DataFrame, differences: pd.DataFrame, srm: Srm) -> pd.DataFrame:
    """The verdicts on an entry, `VERDICTS`: by factor on its groups, and one on the plane.

    A difference has no interval: `differences` holds what chance makes of it.

    Args:
        groups: `SRM_GROUPS`.
        differences: `SRM_DIFFERENCES`.
        srm: The plane and the factors.
    """
    rows = [_differ(factor, groups, differences) for factor in srm.group_by]
    rows.append(_special(groups[groups["factor"] == "all"].iloc[0].to_dict()))
    own = {"study": "srm", "subject": srm.title}
    return frame(own | row for row in rows)


def _differ(factor: str, groups: pd.DataFrame, differences: pd.DataFrame) -> dict[str, Any]:
    """What the pairs of a factor say: the largest difference, or the surest if none is sure."""
    pairs = differences[differences["factor"] == factor]
    tested = pairs[pairs["p"].notna()]
    row = {"claim": DIFFER, "by": factor, "unit": "length of unit vectors' difference"}
    n, left = counted(len(tested), "pair"), ""
    if len(tested) < len(pairs):
        without = counted(len(pairs) - len(tested), "pair")
        left = f" Not compared: {without} with fewer than two prompts on a side."
    if tested.empty:
        return row | {"verdict": "nothing to compare", "why": f"nothing to compare.{left}"}
    sure = tested[tested["q"] < LEVEL]
    order = ["q", "distance"] if sure.empty else ["distance"]
    shown = tested if sure.empty else sure
    best = shown.sort_values(order, ascending=[name == "q" for name in order]).iloc[0].to_dict()
    row |= {
        "estimate": best["distance"],
        "n": best["n_a"] + best["n_b"],
        "p": best["p"],
        "q": best["q"],
    }
    if (least := tested["least_p"].min()) >= LEVEL and tested["distance"].any():
        why = f"no answer, so few prompts allow no p below {least:.2g} ({n}).{left}"
        return row | {"verdict": "cannot tell: too few prompts", "why": why}
    if sure.empty:
        why = f"a null result, none of {n} differs (smallest q = {best['q']:.2g}).{left}"
        return row | {"verdict": "no effect", "why": why}
    heights = groups[groups["factor"] == factor].set_index("group")["r"]
    r = [f"{heights[best[name]]:.2g}" for name in ("group_a", "group_b")]
    why = (
        f"{len(sure)} of {n} with q below {LEVEL}. The largest difference, {best['group_a']} "
        f"against {best['group_b']}, is {best['distance']:.2g} (their r: {listed(r)}), "
        f"q = {best['q']:.2g}.{left}"
    )
    return row | {"verdict": "groups differ", "why": why}


def _special(row: dict[Any, Any]) -> dict[str, Any]:
    """Whether the baselines lie in the plane more than in one drawn at random."""
    found = {"claim": SPECIAL, "by": "", "unit": "share of squared length", "n": row["n"]}
    of = f"{row['n']:,} baselines; {counted(row['n_left_out'], 'blank one')} left out"
    if pd.isna(row["mean_power"]):
        why = f"Fewer than two prompts have a vector ({of})."
        return found | {"verdict": "cannot tell: too few prompts", "why": why}
    expected = row["expected_power"]
    if row["power_low"] > expected:
        verdict, than = "special", f"{row['mean_power'] / expected:,.3g} times what"
    elif row["power_high"] < expected:
        verdict, than = "less than a random plane", "less than"
    else:
        verdict, than = "no effect", "a null result, about what"
    low, mean, high = (
        f"{100 * row[f'{n}']:.3g}" for n in ("power_low", "mean_power", "power_high")
    )
    why = (
        f"The vectors have {mean} % of their squared length in it [{low}, {high}], {than} a plane "
        f"drawn at random holds on average, {100 * expected:.2g} % (2 / D, D = "
        f"{round(2 / expected):,} coordinates; {of})."
    )
    return found | {
        "estimate": row["mean_power"],
        "low": row["power_low"],
        "high": row["power_high"],
        "null": expected,
        "verdict": verdict,
        "why": why,
    }
