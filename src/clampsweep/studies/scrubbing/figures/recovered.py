"""Loss recovered: by hypothesis, coherent beside decoherent, and all at once."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clampsweep.figures.style import (
    BLUE,
    QUIET,
    VERMILION,
    WIDTH,
    floats,
    panels,
    styled,
)
from clampsweep.studies.scrubbing.figures.panels import (
    SHARES,
    UNDEFINED,
    empty,
    finish,
    hatch,
    hatched,
    ink,
    legend,
    matrix,
    percent,
    short,
)
from clampsweep.studies.scrubbing.hypotheses import DECOHERENT
from clampsweep.words import counted

_WHAT = "Loss recovered, and in brackets and as a line its 95 % interval over examples."

_LIMITS = (-0.5, 1.5)  # of an axis of loss recovered, however wide an interval is

_BAR, _BAND = "#CFE3F0", "#F4F4F4"

_ONE: Mapping[str, Any] = {"color": BLUE, "marker": "o"}

_EACH: Mapping[str, Any] = {"color": VERMILION, "marker": "D", "markerfacecolor": "white"}


@styled
def recovered(table: pd.DataFrame, hypotheses: Sequence[str], title: str) -> Figure:
    """Loss recovered with its 95 % interval, a panel for each category.

    Args:
        table: A `RECOVERED` table.
        hypotheses: Names of the experiments to draw, from top to bottom.
        title: What was scrubbed.
    """
    if not hypotheses:
        return empty(title, "There is no hypothesis beside baseline.")
    categories = list(dict.fromkeys(table["category"]))
    columns = min(3, len(categories))
    rows = -(-len(categories) // columns)
    figure, grid = panels(rows, columns, 0.55 + 0.15 * len(hypotheses), "all")
    limits = _limits(table[table["experiment"].isin(hypotheses)])
    axes = [ax for row in grid for ax in row]
    for ax, category in zip(axes, categories, strict=False):
        own = table[table["category"] == category].set_index("experiment").loc[list(hypotheses)]
        ax.set_title(f"{category}\n{counted(int(own['count'].max()), 'position')}", fontsize=7)
        _shares(ax, limits)
        _points(ax, own, np.arange(len(own)), _ONE, bars=True)
        if own["undefined"].any():
            ax.text(0.5, 0.5, _why(own), transform=ax.transAxes, color=QUIET, fontsize=6.5,
                    ha="center", va="center")  # fmt: skip
    for ax in axes[len(categories) :]:
        ax.set_visible(False)
    axes[0].set_yticks(range(len(hypotheses)), [short(name) for name in hypotheses])
    axes[0].set_ylim(len(hypotheses) - 0.5, -0.5)
    return finish(figure, title, [_WHAT])


@styled
def coherent(table: pd.DataFrame, names: Sequence[str], title: str) -> Figure:
    """Loss recovered with one draw for all paths of a group, beside a draw for each path.

    Args:
        table: A `RECOVERED` table.
        names: Of the hypotheses that have a twin, `<name>-decoherent`.
        title: What was scrubbed.
    """
    if not names:
        return empty(title, "No hypothesis has 'decoherent: true'.")
    categories = list(dict.fromkeys(table["category"]))
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure, grid = panels(rows, columns, 0.4 + 0.24 * len(categories), "all")
    twins = [name + DECOHERENT for name in names]
    limits = _limits(table[table["experiment"].isin([*names, *twins])])
    axes = [ax for row in grid for ax in row]
    for ax, name, twin in zip(axes, names, twins, strict=False):
        one, each = (
            table[table["experiment"] == which].set_index("category").loc[categories]
            for which in (name, twin)
        )
        ax.set_title(short(name, 30))
        _shares(ax, limits)
        places = np.arange(len(categories))
        ax.barh(places[::2], 1, 1, color=_BAND, linewidth=0, zorder=0.5,
                transform=ax.get_yaxis_transform())  # fmt: skip
        _points(ax, one, places - 0.19, _ONE)
        _points(ax, each, places + 0.19, _EACH)
        for place, undefined in enumerate(one["undefined"]):
            if undefined:
                ax.text(sum(limits) / 2, place, "undefined", color=QUIET, ha="center", va="center")
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    axes[0].set_yticks(places, categories)
    axes[0].set_ylim(len(categories) - 0.5, -0.5)
    legend(
        figure,
        [
            Line2D([], [], **_ONE, label="coherent: one draw for all paths"),
            Line2D([], [], **_EACH, label="decoherent: a draw for each path"),
        ],
    )  # fmt: skip
    return finish(figure, title, [_WHAT])


@styled
def heatmap(table: pd.DataFrame, title: str) -> Figure:
    """Loss recovered of every experiment in every category, with its 95 % interval.

    Args:
        table: A `RECOVERED` table.
        title: What was scrubbed.
    """
    names, categories = (list(dict.fromkeys(table[of])) for of in ("experiment", "category"))
    ordered = table.set_index(["experiment", "category"]).loc[
        [(name, category) for name in names for category in categories]
    ]
    shape = len(names), len(categories)
    values, low, high = (
        floats(ordered[column]).reshape(shape) for column in ("loss_recovered", "ci_low", "ci_high")
    )
    figure = Figure(figsize=(WIDTH, 1.5 + 0.25 * len(names)), layout="constrained")
    ax = figure.add_subplot()
    mesh = matrix(ax, values, SHARES, (0, 1))
    hatch(ax, values)
    for row, column in np.argwhere(np.isfinite(values)):
        colour, ends = ink(mesh, values[row, column]), (low[row, column], high[row, column])
        ax.text(column, row - 0.14, f"{percent(values[row, column])} %", color=colour,
                ha="center", va="center", fontsize=6.5)  # fmt: skip
        ax.text(column, row + 0.27, " to ".join(map(percent, ends)), color=colour,
                ha="center", va="center", fontsize=4.6)  # fmt: skip
    ax.set_xticks(range(shape[1]), [textwrap.fill(category, 11) for category in categories])
    ax.set_yticks(range(shape[0]), [short(name) for name in names])
    ax.tick_params(
        axis="x", top=True, labeltop=True, bottom=False, labelbottom=False, labelsize=5.5
    )
    ax.tick_params(axis="y", labelsize=6.5)
    if np.isnan(values).any():
        legend(figure, [hatched(label=UNDEFINED)])
    return finish(figure, title, ["Loss recovered, and below it the 95 % interval over examples."])


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis of loss recovered that holds the intervals, as far as they are sensible."""
    low, high = floats(rows["ci_low"]), floats(rows["ci_high"])
    least, most = np.nanmin([*low, 0.0]) - 0.06, np.nanmax([*high, 1.0]) + 0.06
    return max(float(least), _LIMITS[0]), min(float(most), _LIMITS[1])


def _why(rows: pd.DataFrame) -> str:
    """Why a category has no number, in short."""
    if not rows["count"].any():
        return "no position"
    return "undefined:\nbaseline may\ndo no harm"


def _shares(ax: Axes, limits: tuple[float, float]) -> None:
    """Loss recovered in percent as the x axis, with lines at nothing and at all."""
    ax.grid(visible=False)
    for level in (0, 1):
        ax.axvline(level, color="#BBBBBB", linewidth=0.7, zorder=0.8)
    ax.set_xlim(*limits)
    ax.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    ax.tick_params(axis="x", labelsize=6.5, labelbottom=True)
    ax.tick_params(axis="y", labelsize=6.5, length=0)


def _points(
    ax: Axes, rows: pd.DataFrame, y: np.ndarray, style: Mapping[str, Any], *, bars: bool = False
) -> None:
    """A mark, an interval and both in words for each row that has a number."""
    known = rows["loss_recovered"].notna().to_numpy()
    if not known.any():  # marks of nothing would count as at the figure's corner
        return
    values, low, high = (
        floats(rows.loc[known, column]) for column in ("loss_recovered", "ci_low", "ci_high")
    )
    ends, colour = ax.get_xlim(), style["color"]
    if bars:
        ax.barh(y[known], values.clip(*ends), 0.6, color=_BAR, linewidth=0, zorder=0.7)
    ax.hlines(y[known], low.clip(*ends), high.clip(*ends), color=colour, linewidth=1.4)
    ax.plot(values.clip(*ends), y[known], linestyle="none", clip_on=False, ms=3, **style)
    for place, *numbers in zip(y[known], values, low, high, strict=True):
        value, *interval = map(percent, numbers)
        ax.text(1.02, place, f"{value} % ({' to '.join(interval)})", color=colour, fontsize=5.5,
                transform=ax.get_yaxis_transform(), va="center")  # fmt: skip
