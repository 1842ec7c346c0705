"""Spotlight resonance: curves of groups of texts around a plane, and the differences of pairs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from types import MappingProxyType

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from clampsweep.figures.style import (
    GREY,
    PALE,
    QUIET,
    TARGET_COLOURS,
    WIDTH,
    floats,
    minus,
    save_figure,
    say,
    styled,
)
from clampsweep.studies.srm.verdict import LEVEL
from clampsweep.words import counted

MAX_GROUPS = 14

MAX_BANDS = 6

MAX_THRESHOLDS = 2

MAX_PAIRS = 10

BASELINE = "baseline"

Style = tuple[str, str]  # colour, line style


@styled
def srm_polar(
    groups: pd.DataFrame, curves: pd.DataFrame, differences: pd.DataFrame, title: str
) -> Figure:
    """Mean projection by angle (polar, around a circle of zero), and the texts above a threshold.

    A row of panels for each factor, with 95 % bootstrap bands for up to `MAX_BANDS` groups.

    Args:
        groups: `SRM_GROUPS`.
        curves: `SRM_CURVES`.
        differences: Not drawn here; figures of SRM take the same tables.
        title: What the sweep and the plane are.
    """
    factors = [factor for factor in dict.fromkeys(curves["factor"]) if factor != "all"]
    if not factors:
        return _empty(title, "No group has two prompts with a vector.")
    thresholds = curves["threshold"].dropna().unique()[:MAX_THRESHOLDS]
    lines = len(thresholds)
    figure = Figure(figsize=(WIDTH, 2.15 * len(factors) + 0.75), layout="constrained")
    grid = figure.add_gridspec(len(factors) * lines, 3, width_ratios=(1, 0.8, 0.62))
    limit = 1.05 * float(
        curves.loc[curves["curve"] == "mean", ["value", "low", "high"]].abs().max().max()
    )
    for place, factor in enumerate(factors):
        shown = curves[curves["factor"] == factor]
        styles = _styles(list(dict.fromkeys(shown["group"])), factor)
        rows = slice(place * lines, (place + 1) * lines)
        polar = figure.add_subplot(grid[rows, 0], projection="polar")
        _draw_mean(polar, shown, styles, limit, factor)
        counts = [figure.add_subplot(grid[place * lines + row, 1]) for row in range(lines)]
        sizes = groups[groups["factor"] == factor].set_index("group")["n"]
        for ax, threshold in zip(counts, thresholds, strict=True):
            _draw_counts(ax, shown[shown["threshold"] == threshold], styles, sizes, threshold)
            ax.tick_params(labelbottom=ax is counts[-1])
        _legend(figure.add_subplot(grid[rows, 2]), styles, sizes)
    remarks = [
        "Left: mean projection v.p of unit vectors on the probe p, by its angle; grey circle: "
        "zero. Right: share of the texts above a threshold. 0\N{DEGREE SIGN}: first basis vector; "
        "90\N{DEGREE SIGN}: the second's side.",
        *_left_out(groups, curves, factors),
    ]
    return _finish(figure, title, remarks)


def _left_out(groups: pd.DataFrame, curves: pd.DataFrame, factors: Sequence[str]) -> list[str]:
    """Remarks on groups and thresholds that are not drawn."""
    remarks = []
    for factor in factors:
        drawn = curves.loc[curves["factor"] == factor, "group"].nunique()
        total = int((groups["factor"] == factor).sum())
        if drawn > MAX_GROUPS:
            remarks.append(f"First {MAX_GROUPS} of {drawn} groups by {factor}.")
        if drawn < total:
            remarks.append(f"By {factor}, {drawn} of {total} groups have two prompts or more.")
    more = curves["threshold"].nunique() - MAX_THRESHOLDS
    return remarks + ([f"{more} more thresholds: srm/curves.parquet."] if more > 0 else [])


def _styles(groups: Sequence[str], factor: str) -> dict[str, Style]:
    """Colour and line of each group: a scale where groups have an order; the baseline is black."""
    shown = groups[:MAX_GROUPS]
    if factor not in ("level", "clamp"):
        lines = [
            (colour, line) for line in ("solid", "dashed", "dotted") for colour in TARGET_COLOURS
        ]
        return dict(zip(shown, islice(cycle(lines), len(shown)), strict=True))
    scale = mpl.colormaps["viridis"](np.linspace(0, 0.92, len(shown)))
    found = {
        group: (mpl.colors.to_hex(colour), "solid")
        for group, colour in zip(shown, scale, strict=True)
    }
    return found | ({BASELINE: ("black", "dashed")} if BASELINE in found else {})


def _draw_mean(
    ax: Axes, curves: pd.DataFrame, styles: Mapping[str, Style], limit: float, factor: str
) -> None:
    for group, (colour, line) in styles.items():
        own = curves[(curves["group"] == group) & (curves["curve"] == "mean")]
        theta, value, low, high = (_closed(own, name) for name in ("angle", "value", "low", "high"))
        theta = np.radians(theta)
        if len(styles) <= MAX_BANDS:
            ax.fill_between(theta, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.plot(theta, value, color=colour, linestyle=line, zorder=3 if group == BASELINE else 2)
    around = np.linspace(0, 2 * np.pi, 361)
    ax.plot(around, np.zeros_like(around), color="#777777", linewidth=0.8, zorder=1.5)
    ax.set_ylim(-limit, limit)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, symmetric=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: minus(f"{value:g}")))
    ax.set_xticks(np.radians(np.arange(0, 360, 45)))
    if isinstance(ax, PolarAxes):
        ax.set_rlabel_position(67.5)
    ax.tick_params(labelsize=6.5, pad=0)
    ax.grid(color="#E9E9E9", linewidth=0.5)
    ax.spines["polar"].set_color("#CCCCCC")
    ax.set_title(f"by {factor}")


def _closed(curve: pd.DataFrame, name: str) -> np.ndarray:
    """A column of a curve, with its first value again at the end: a full turn."""
    values = floats(curve[name])
    return np.append(values, 360.0 if name == "angle" else values[0])


def _draw_counts(
    ax: Axes, curves: pd.DataFrame, styles: Mapping[str, Style], sizes: pd.Series, threshold: float
) -> None:
    for group, (colour, line) in styles.items():
        own = curves[(curves["group"] == group) & (curves["curve"] == "count")]
        theta, value, low, high = (_closed(own, name) for name in ("angle", "value", "low", "high"))
        n = sizes[group]
        if len(styles) <= MAX_BANDS:
            ax.fill_between(theta, low / n, high / n, color=colour, alpha=0.15, linewidth=0)
        ax.plot(
            theta, value / n, color=colour, linestyle=line, zorder=3 if group == BASELINE else 2
        )
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    ax.set_ylabel(f"v.p \N{GREATER-THAN OR EQUAL TO} {threshold:g}")
    _angle_axis(ax)


def _angle_axis(ax: Axes) -> None:
    ax.set_xlim(0, 360)
    ax.set_xticks(range(0, 361, 90), [f"{angle}\N{DEGREE SIGN}" for angle in range(0, 361, 90)])
    ax.tick_params(length=2, width=0.6, color="#777777", labelsize=6.5)
    ax.grid(axis="y", color="#E9E9E9", linewidth=0.5)


def _legend(ax: Axes, styles: Mapping[str, Style], sizes: pd.Series) -> None:
    handles = []
    for group, (colour, line) in styles.items():
        label = f"{minus(_short(group))} ({sizes[group]})"
        label = f" {label}" if label.startswith("_") else label  # matplotlib would leave it out
        handles += ax.plot([], [], color=colour, linestyle=line, label=label)
    ax.set_axis_off()
    legend = ax.legend(
        handles=handles, loc="center left", bbox_to_anchor=(-0.1, 0.5), fontsize=6,
        handlelength=1.6, labelspacing=0.3, borderaxespad=0,
    )  # fmt: skip
    legend.set_in_layout(False)


def _short(name: str) -> str:
    """A name of at most 24 characters."""
    return name if len(name) <= 24 else f"{name[:23]}\N{HORIZONTAL ELLIPSIS}"


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
        return _empty(title, "No two groups could be compared.")
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
    return _finish(figure, title, remarks)


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
    _angle_axis(ax)


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
    name = minus(_short(a))
    return name if b == BASELINE else f"{name} \N{EN DASH} {minus(_short(b))}"


def _empty(title: str, words: str) -> Figure:
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", color=QUIET)
    say(figure.add_subplot(), words)
    return figure


def _finish(figure: Figure, title: str, remarks: Sequence[str]) -> Figure:
    lines = [textwrap.fill(line, 112) for line in (title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", linespacing=1.35, color=QUIET)
    return figure


FIGURES = MappingProxyType({"srm_polar": srm_polar, "srm_difference": srm_difference})


def save(
    groups: pd.DataFrame,
    curves: pd.DataFrame,
    differences: pd.DataFrame,
    title: str,
    paths: Sequence[str | Path],
) -> None:
    """Draw each figure that the files are named after, in the format of their ending.

    Args:
        groups: `SRM_GROUPS`.
        curves: `SRM_CURVES`.
        differences: `SRM_DIFFERENCES`.
        title: What the sweep and the plane are.
        paths: Such as `figures/srm_polar.svg`; written atomically.
    """
    for name, draw in FIGURES.items():
        wanted = [Path(path) for path in paths if Path(path).stem == name]
        if wanted:
            save_figure(draw(groups, curves, differences, title), wanted)
