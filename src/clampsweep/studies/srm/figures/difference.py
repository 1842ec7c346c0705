"""Differences of pairs of groups: their curves, and how large they are beside chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clampsweep.figures.style import GREY, PALE, QUIET, TARGET_COLOURS, WIDTH, minus, styled
from clampsweep.studies.srm.figures.panels import BASELINE, angle_axis, empty, finish, short
from clampsweep.verdicts import LEVEL
from clampsweep.words import counted

MAX_PAIRS = 10


@styled
def srm_difference(
    groups: pd.DataFrame, curves: pd.DataFrame, differences: pd.DataFrame, title: str
) -> Figure:
    """Difference of the mean curves of two groups, and its length, against what chance makes.

    A row of panels for each factor: left the curves of all pairs with the widest 95 % permutation
    envelope, right the largest pairs each with its own. Pairs with q below `LEVEL` stand out.

    Args:
        groups: Not drawn here; figures of SRM take the same tables.
        curves: Not drawn here.
        differences: `SRM_DIFFERENCES`.
        title: What the sweep and the plane are.
    """
    tested = differences[differences["p"].notna()]
    factors = list(dict.fromkeys(tested["factor"]))
    if not factors:
        return empty(title, "No two groups could be compared.")
    sizes = [min(MAX_PAIRS, int((tested["factor"] == factor).sum())) for factor in factors]
    heights = [max(1.25, 0.15 * size + 0.35) for size in sizes]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.1), layout="constrained")
    grid = figure.subplots(
        len(factors), 2, squeeze=False, height_ratios=heights, width_ratios=(1.2, 1)
    )
    for (left, right), factor in zip(grid, factors, strict=True):
        own = tested[tested["factor"] == factor].sort_values("distance", ascending=False)
        colours = _pair_colours(own)
        limit = 1.1 * float(own[["distance", "critical"]].replace(np.inf, np.nan).max().max())
        _draw_differences(left, own, colours, limit)
        _draw_distances(right, own.head(MAX_PAIRS), colours, limit)
        sure = int((own["q"] < LEVEL).sum())
        left.set_title(f"by {factor}: {sure} of {counted(len(own), 'pair')} with q < {LEVEL}")
        if len(own) > MAX_PAIRS:
            right.set_title(f"first {MAX_PAIRS} of {len(own)}", fontsize=7)
    grid[-1][0].set_xlabel("angle of the probe")
    grid[-1][1].set_xlabel("largest difference")
    remarks = [
        "Left: differences of mean projections by angle; band: 95 % permutation envelope, the "
        "widest of the pairs. Right: the largest difference of each pair and its own envelope "
        f"(bar). Coloured and filled: q < {LEVEL}. Scales differ from row to row."
    ]
    return finish(figure, title, remarks)


def _pair_colours(pairs: pd.DataFrame) -> list[str]:
    """A colour for the first significant pairs, dark grey for more of them, pale for the others."""
    colours = iter(TARGET_COLOURS)
    return [next(colours, GREY) if q < LEVEL else "#BBBBBB" for q in pairs["q"]]


def _draw_differences(ax: Axes, pairs: pd.DataFrame, colours: Sequence[str], limit: float) -> None:
    widest = float(pairs["critical"].clip(upper=limit).max())
    ax.axhspan(-widest, widest, color=PALE, linewidth=0)
    angle = np.linspace(0, 360, 181)
    drawn = list(zip(pairs["distance"], pairs["angle"], colours, strict=True))
    for distance, peak, colour in reversed(drawn):
        width = 1.2 if colour in TARGET_COLOURS else 0.6
        ax.plot(angle, distance * np.cos(np.radians(angle - peak)), color=colour,
                linewidth=width)  # fmt: skip
    ax.set_ylim(-limit, limit)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: minus(f"{value:g}")))
    ax.set_ylabel("difference")
    angle_axis(ax)


def _draw_distances(ax: Axes, pairs: pd.DataFrame, colours: Sequence[str], limit: float) -> None:
    places = np.arange(len(pairs))
    ax.barh(places, pairs["critical"].clip(upper=limit), height=0.62, color=PALE, linewidth=0)
    for place, (distance, q, colour) in enumerate(
        zip(pairs["distance"], pairs["q"], colours, strict=False)
    ):
        sure = q < LEVEL
        ax.plot([distance], [place], marker="o", color=colour if sure else QUIET,
                markerfacecolor=colour if sure else "white", linestyle="none")  # fmt: skip
    names = [_pair_name(*pair) for pair in zip(pairs["group_a"], pairs["group_b"], strict=True)]
    ax.set_yticks(places, names, fontsize=6)
    ax.set_ylim(len(pairs) - 0.4, -0.6)
    ax.set_xlim(0, limit)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    ax.tick_params(length=2, width=0.6, color="#777777")
    ax.tick_params(axis="x", labelsize=6.5)


def _pair_name(a: str, b: str) -> str:
    """Both names, or the clamp's alone where the other is the baseline."""
    name = minus(short(a))
    return name if b == BASELINE else f"{name} \N{EN DASH} {minus(short(b))}"
