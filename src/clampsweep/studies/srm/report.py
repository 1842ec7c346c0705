"""Report of spotlight resonance in Markdown: do groups differ, is the plane special; tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from clampsweep.ledger import Conclusions, controls_table
from clampsweep.markdown import join, plain, table
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.verdict import DIFFER, SPECIAL

MAX_PAIRS = 15

_HOW_TO_READ = (
    "Vectors are scaled to length 1 and projected onto the plane; v.p is the projection on a probe "
    "p at an angle. A group's mean curve is a cosine of the angle: r is its height, angle its "
    "peak, in degrees from the first basis vector. Brackets: 95 % bootstrap intervals. Stability: "
    "mean cosine of the peaks of two random halves of the group. Power: mean squared length within "
    "the plane. Distance: largest difference of two mean curves. p: permutation test of the "
    "distance. q: p after Benjamini-Hochberg correction over the pairs of the factor."
)

_WHAT_MAKES_SPECIAL = (
    "What all texts have in common, such as neurons that are always large, makes a plane special; "
    "whether it tells texts apart, only the pairs say."
)
_MADE_OF_TEXTS = (
    "The plane is made of mean vectors of these same texts, which flatters r, power and distances "
    "in it. Where the labels compared also make the plane, the permutation test makes it anew for "
    "each permutation, so p is not flattered."
)


def report(
    groups: pd.DataFrame, differences: pd.DataFrame, concluded: Conclusions, srm: Srm, title: str
) -> str:
    """The answers in Markdown, then a table of the groups and tables of the pairs.

    Args:
        groups: `SRM_GROUPS`.
        differences: `SRM_DIFFERENCES`.
        concluded: `VERDICTS` drawn from these, and the `LEDGER` of their controls.
        srm: The plane and the factors.
        title: What the sweep and the plane are.
    """
    why = concluded.verdicts.set_index(["claim", "by"])["why"]
    answers = [f"- {factor}: {plain(why[DIFFER, factor])}" for factor in srm.group_by]
    blocks = [
        f"# Spotlight resonance: {plain(title)}",
        "\n".join(["**Do groups of texts point different ways in this plane?**\n", *answers]),
        f"**Is the plane special?** {plain(why[SPECIAL, ''])} {_WHAT_MAKES_SPECIAL}",
        *([_MADE_OF_TEXTS] if srm.prompt_groups else []),
        "## Controls of the verdicts",
        controls_table(concluded.ledger),
        "## Groups",
        _HOW_TO_READ,
        _groups_table(groups),
    ]
    return join([*blocks, *_pairs(srm, differences)])


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
