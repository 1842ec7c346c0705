"""Curves of groups of texts around the plane, and how many texts point along each angle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle, islice

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from clampsweep.figures.style import (
    TARGET_COLOURS,
    WIDTH,
    floats,
    minus,
    styled,
)
from clampsweep.studies.srm.figures.panels import BASELINE, angle_axis, empty, finish, short

MAX_GROUPS = 14

MAX_BANDS = 6

MAX_THRESHOLDS = 2

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
        return empty(title, "No group has two prompts with a vector.")
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
    return finish(figure, title, remarks)


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
    angle_axis(ax)


def _legend(ax: Axes, styles: Mapping[str, Style], sizes: pd.Series) -> None:
    handles = []
    for group, (colour, line) in styles.items():
        label = f"{minus(short(group))} ({sizes[group]})"
        label = f" {label}" if label.startswith("_") else label  # matplotlib would leave it out
        handles += ax.plot([], [], color=colour, linestyle=line, label=label)
    ax.set_axis_off()
    legend = ax.legend(
        handles=handles, loc="center left", bbox_to_anchor=(-0.1, 0.5), fontsize=6,
        handlelength=1.6, labelspacing=0.3, borderaxespad=0,
    )  # fmt: skip
    legend.set_in_layout(False)
