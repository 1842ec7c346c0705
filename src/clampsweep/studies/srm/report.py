"""Report of spotlight resonance in Markdown: do groups differ, is the plane special; tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.studies.srm.plane import Srm
from clampsweep.words import counted, listed

SIGNIFICANT = 0.05

MAX_PAIRS = 15

_HOW_TO_READ = (
    "Vectors are scaled to length 1 and projected onto the plane; v.p is the projection on a probe "
    "p at an angle. A group's mean curve is a cosine of the angle: r is its height, angle its "
    "peak, in degrees from the first basis vector. Brackets: 95 % bootstrap intervals. Stability: "
    "mean cosine of the peaks of two random halves of the group. Power: mean squared length within "
    "the plane. Distance: largest difference of two mean curves. p: permutation test of the "
    "distance. q: p after Benjamini-Hochberg correction over the pairs of the factor."
)

_MADE_OF_TEXTS = (
    "The plane is made of mean vectors of these same texts, which flatters r, power and distances "
    "in it. Where the labels compared also make the plane, the permutation test makes it anew for "
    "each permutation, so p is not flattered."
)


def report(groups: pd.DataFrame, differences: pd.DataFrame, srm: Srm, title: str) -> str:
    """The answers in Markdown, then a table of the groups and tables of the pairs.

    Args:
        groups: `SRM_GROUPS`.
        differences: `SRM_DIFFERENCES`.
        srm: The plane and the factors.
        title: What the sweep and the plane are.
    """
    answers = [_answer(factor, groups, differences) for factor in srm.group_by]
    blocks = [
        f"# Spotlight resonance: {plain(title)}",
        "\n".join(["**Do groups of texts point different ways in this plane?**\n", *answers]),
        _power(groups),
        *([_MADE_OF_TEXTS] if srm.prompt_groups else []),
        "## Groups",
        _HOW_TO_READ,
        _groups_table(groups),
    ]
    return join([*blocks, *_pairs(srm, differences)])


def _answer(factor: str, groups: pd.DataFrame, differences: pd.DataFrame) -> str:
    """What the pairs of a factor say, as an item of a list."""
    pairs = differences[differences["factor"] == factor]
    tested = pairs[pairs["p"].notna()]
    n, left = counted(len(tested), "pair"), ""
    if len(tested) < len(pairs):
        without = counted(len(pairs) - len(tested), "pair")
        left = f" Not compared: {without} with fewer than two prompts on a side."
    if tested.empty:
        return f"- {factor}: nothing to compare.{left}"
    sure = tested[tested["q"] < SIGNIFICANT]
    if (least := tested["least_p"].min()) >= SIGNIFICANT and tested["distance"].any():
        return f"- {factor}: no answer, so few prompts allow no p below {least:.2g} ({n}).{left}"
    if sure.empty:
        q = tested["q"].min()
        return f"- {factor}: a null result, none of {n} differs (smallest q = {q:.2g}).{left}"
    best = sure.sort_values("distance", ascending=False).iloc[0].to_dict()
    heights = groups[groups["factor"] == factor].set_index("group")["r"]
    r = [f"{heights[best[name]]:.2g}" for name in ("group_a", "group_b")]
    return (
        f"- {factor}: {len(sure)} of {n} with q < {SIGNIFICANT}. The largest difference, "
        f"{plain(best['group_a'])} against {plain(best['group_b'])}, is {best['distance']:.2g} "
        f"(their r: {listed(r)}), q = {best['q']:.2g}.{left}"
    )


def _power(groups: pd.DataFrame) -> str:
    """Whether the baselines lie in the plane more than in one drawn at random."""
    row = groups[groups["factor"] == "all"].iloc[0].to_dict()
    of = f"{row['n']:,} baselines; {counted(row['n_left_out'], 'blank one')} left out"
    if pd.isna(row["mean_power"]):
        return f"**Is the plane special?** Fewer than two prompts have a vector ({of})."
    expected = row["expected_power"]
    if row["power_low"] > expected:
        verdict = f"{row['mean_power'] / expected:,.3g} times what"
    elif row["power_high"] < expected:
        verdict = "less than"
    else:
        verdict = "a null result, about what"
    return (
        f"**Is the plane special?** The vectors have {_percent(row, 'mean_power')} % of their "
        f"squared length in it [{_percent(row, 'power_low')}, {_percent(row, 'power_high')}], "
        f"{verdict} a plane drawn at random holds on average, {100 * expected:.2g} % (2 / D, D = "
        f"{round(2 / expected):,} coordinates; {of}). What all texts have in common, "
        "such as neurons that are always large, makes a plane special; whether it tells texts "
        "apart, only the pairs say."
    )


def _percent(row: dict[Any, Any], name: str) -> str:
    return f"{100 * row[name]:.3g}"


def _groups_table(groups: pd.DataFrame) -> str:
    head = ("group", "texts", "blank", "r", "angle", "stability", "power %")
    rows = []
    for row in groups.to_dict("records"):
        name = plain(f"{row['factor']}: {row['group']}")
        cells = [name, f"{row['n']:,}", f"{row['n_left_out']:,}"]
        if pd.isna(row["r"]):
            rows.append([*cells, "too few prompts", "", "", ""])
            continue
        rows.append([
            *cells,
            f"{row['r']:.3f} [{row['r_low']:.3f}, {row['r_high']:.3f}]",
            f"{round(row['angle']) % 360}",
            f"{row['stability']:.2f}",
            f"{_percent(row, 'mean_power')} "
            f"[{_percent(row, 'power_low')}, {_percent(row, 'power_high')}]",
        ])  # fmt: skip
    return table(head, rows)


def _pairs(srm: Srm, differences: pd.DataFrame) -> Iterator[str]:
    """A section for each factor, with its pairs of smallest q."""
    for factor in srm.group_by:
        pairs = differences[differences["factor"] == factor]
        shown = pairs[pairs["p"].notna()].sort_values(["q", "distance"], ascending=[True, False])
        if shown.empty:
            continue
        more = f", the {MAX_PAIRS} of smallest q" if len(shown) > MAX_PAIRS else ""
        yield f"## Pairs by {factor}: {len(shown):,}{more}"
        head = ("pair", "texts", "distance", "at angle", "95 % of chance below", "p", "q")
        yield table(head, (_pair_cells(row) for row in shown.head(MAX_PAIRS).to_dict("records")))


def _pair_cells(row: dict[Any, Any]) -> list[str]:
    return [
        plain(f"{row['group_a']} - {row['group_b']}"),
        f"{row['n_a']:,} and {row['n_b']:,}",
        f"{row['distance']:.3f}",
        f"{round(row['angle']) % 360}",
        f"{row['critical']:.3f}",
        f"{row['p']:.2g}",
        f"{row['q']:.2g}",
    ]
