"""What spotlight resonance shows: do groups of texts differ in the plane, is the plane special."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.ledger import (
    HELD_OUT_PROMPTS,
    LABEL_PERMUTATIONS,
    Conclusions,
    Control,
    conclusions,
    ran,
    skipped,
)
from clampsweep.studies.srm.differences import N_PERMUTATIONS
from clampsweep.studies.srm.plane import Srm
from clampsweep.verdicts import (
    CONTRADICTED,
    LEVEL,
    SUPPORTED,
    UNTESTABLE,
    Claim,
    Result,
    conclude,
)
from clampsweep.words import counted, listed

DIFFER, SPECIAL = "groups differ", "plane is special"


class _Said(NamedTuple):
    """What the pairs of a factor say."""

    result: Result
    words: str
    why: str
    untestable: str = ""


def judge(groups: pd.DataFrame, differences: pd.DataFrame, srm: Srm) -> Conclusions:
    """The verdicts on an entry, by factor on its groups and one on the plane; their controls.

    Args:
        groups: `SRM_GROUPS`.
        differences: `SRM_DIFFERENCES`.
        srm: The plane and the factors.
    """
    rows = [_differ(factor, groups, differences, srm) for factor in srm.group_by]
    whole = groups[groups["factor"] == "all"].iloc[0].to_dict()
    return conclusions([*rows, _special(whole, srm)])


def _differ(
    factor: str, groups: pd.DataFrame, differences: pd.DataFrame, srm: Srm
) -> tuple[dict[str, Any], Sequence[Control]]:
    """A factor's verdict and its controls."""
    pairs = differences[differences["factor"] == factor]
    said = _pairs(pairs, groups[groups["factor"] == factor])
    unit = "length of unit vectors' difference"
    claim = Claim("srm", DIFFER, srm.title, "greater", unit, by=factor)
    row = conclude(claim, said.result, said.words, said.why, untestable=said.untestable)
    dealt = ran(LABEL_PERMUTATIONS, N_PERMUTATIONS, "the labels of each pair, dealt out anew")
    if pairs["p"].isna().all():
        dealt = skipped(LABEL_PERMUTATIONS, "no two groups have two prompts each")
    return row, [dealt, _held_out(srm)]


def _held_out(srm: Srm) -> Control:
    """Whether the plane is seen with texts that did not make it."""
    if not srm.prompt_groups:
        return skipped(HELD_OUT_PROMPTS, "two neurons that the config names span the plane")
    return skipped(HELD_OUT_PROMPTS, "the texts compared span the plane themselves")


def _pairs(pairs: pd.DataFrame, groups: pd.DataFrame) -> _Said:
    """What the pairs of a factor say: the largest difference, or the surest if none is sure."""
    tested = pairs[pairs["p"].notna()]
    n, left = counted(len(tested), "pair"), ""
    if len(tested) < len(pairs):
        without = counted(len(pairs) - len(tested), "pair")
        left = f" Not compared: {without} with fewer than two prompts on a side."
    if tested.empty:
        nothing = "nothing to compare"
        return _Said(Result(), nothing, f"{nothing}.{left}", "no two groups have two prompts each")
    sure = tested[tested["q"] < LEVEL]
    order = ["q", "distance"] if sure.empty else ["distance"]
    shown = tested if sure.empty else sure
    best = shown.sort_values(order, ascending=[name == "q" for name in order]).iloc[0].to_dict()
    result = Result(
        estimate=best["distance"],
        low=best["low"],
        high=best["high"],
        null=best["expected"],
        n=best["n_a"] + best["n_b"],
        p=best["p"],
        q=best["q"],
    )
    if (least := tested["least_p"].min()) >= LEVEL and tested["distance"].any():
        few = f"so few prompts allow no p below {least:.2g}"
        return _Said(result, "cannot tell: too few prompts", f"no answer, {few} ({n}).{left}", few)
    if sure.empty:
        why = f"a null result, none of {n} differs (smallest q = {best['q']:.2g}).{left}"
        return _Said(result, "no effect", why)
    heights = groups.set_index("group")["r"]
    r = [f"{heights[best[name]]:.2g}" for name in ("group_a", "group_b")]
    why = (
        f"{len(sure)} of {n} with q below {LEVEL}. The largest difference, {best['group_a']} "
        f"against {best['group_b']}, is {best['distance']:.2g} (their r: {listed(r)}), "
        f"q = {best['q']:.2g}.{left}"
    )
    return _Said(result, DIFFER, why)


_OF_PLANE = {
    SUPPORTED: "special",
    CONTRADICTED: "less than a random plane",
    UNTESTABLE: "cannot tell: too few prompts",
}


def _special(row: dict[Any, Any], srm: Srm) -> tuple[dict[str, Any], Sequence[Control]]:
    """Whether the baselines lie in the plane more than in one drawn at random."""
    expected, known = row["expected_power"], pd.notna(row["mean_power"])
    found = conclude(
        Claim("srm", SPECIAL, srm.title, "greater", "share of squared length"),
        Result(
            estimate=row["mean_power"],
            low=row["power_low"],
            high=row["power_high"],
            null=expected if known else None,
            n=row["n"],
            p=row["power_p"],
            q=row["power_p"],  # one test of its kind
        ),
        words="",
        why=_power(row),
        least_q=2 / 2 ** row["n_clusters"],
        untestable="" if known else "fewer than two prompts have a vector",
    )
    found["words"] = _OF_PLANE.get(found["verdict"], "no effect")
    drawn = f"what a plane drawn at random holds on average is known: 2 / D = {expected:.2g}"
    return found, [skipped("random planes", drawn), _held_out(srm)]


def _power(row: dict[Any, Any]) -> str:
    """How much of the vectors lies in the plane, and in one drawn at random."""
    of = f"{row['n']:,} baselines; {counted(row['n_left_out'], 'blank one')} left out"
    if pd.isna(row["mean_power"]):
        return f"Fewer than two prompts have a vector ({of})."
    expected, than = row["expected_power"], "a null result, about what"
    if row["power_low"] > expected:
        than = f"{row['mean_power'] / expected:,.3g} times what"
    elif row["power_high"] < expected:
        than = "less than"
    low, mean, high = (
        f"{100 * row[f'{n}']:.3g}" for n in ("power_low", "mean_power", "power_high")
    )
    return (
        f"The vectors have {mean} % of their squared length in it [{low}, {high}], {than} a plane "
        f"drawn at random holds on average, {100 * expected:.2g} % (2 / D, D = "
        f"{round(2 / expected):,} coordinates; {of})."
    )
