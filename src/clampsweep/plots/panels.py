"""What the figures share: style, colours, panels, the clamp axis, legends, words if empty."""

from __future__ import annotations

import functools
import itertools
import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from clampsweep.tables import atomic
from clampsweep.view import Tables

_Arguments = ParamSpec("_Arguments")

WIDTH = 6.5  # inches: the text width of a letter page
MAX_TARGETS = 6
LETTER = 0.0074  # inches per point: about how wide a letter is

# Okabe and Ito (2008): told apart with every common colour blindness, and by lightness in grey.
BLUE, VERMILION, GREY, PALE = "#0072B2", "#D55E00", "#4D4D4D", "#E3E3E3"
TARGET_COLOURS = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", VERMILION)
TARGET_MARKERS = ("o", "s", "^", "D", "v", "P")
QUIET = "#555555"
CONTROLS = MappingProxyType(
    {
        "neuron": ("control neurons", "#BDBDBD", -0.2),
        "direction": ("random directions", "#E3C98B", 0.2),
    }
)  # label, colour, sideways shift
SAMPLING = "#BFE3D0"
STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": "sans-serif",
        "font.size": 7.5,
        "text.color": "#222222",
        "axes.edgecolor": "#777777",
        "axes.labelcolor": "#222222",
        "axes.labelsize": 7.5,
        "axes.titlesize": 8,
        "axes.titlelocation": "left",
        "axes.linewidth": 0.6,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "figure.titlesize": 8,
        "figure.labelsize": 7.5,
        "legend.fontsize": 7,
        "legend.frameon": False,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.6,
        "lines.solid_capstyle": "butt",
        "text.parse_math": False,  # names may hold a dollar sign
    }
)


def styled(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """The drawing function with `STYLE` in force, whatever the user's own settings are."""

    @functools.wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        settings: Any = dict(STYLE)  # matplotlib's stub wants literal keys
        with mpl.rc_context(settings):
            return draw(*args, **kwargs)

    return drawn


def panels(
    rows: int,
    columns: int,
    height: float,
    share_y: Literal["none", "all", "row", "col"] = "none",
    widths: Sequence[float] | None = None,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure and its `rows` x `columns` panels, each about `height` inches high.

    The panels of a column share their x axis. `widths` are the columns' relative widths.
    """
    figure = Figure(figsize=(WIDTH, rows * height + 0.85), layout="constrained")
    grid = figure.subplots(
        rows, columns, squeeze=False, sharex="col", sharey=share_y, width_ratios=widths
    )
    for ax in grid.flat:
        ax.tick_params(length=2, width=0.6, color="#777777", labelsize=7)
        ax.grid(axis="y", color="#E9E9E9", linewidth=0.5)
    return figure, [list(row) for row in grid]


def empty(sweep: Tables, words: str) -> Figure:
    """A small figure that says in words why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    figure.suptitle(sweep.title, x=0.01, ha="left", color=QUIET)
    figure.text(0.5, 0.4, words, ha="center", va="center", color=QUIET)
    return figure


def clamp_axis(
    ax: Axes,
    sweep: Tables,
    width: float,
    baseline_at: float | None = None,
    clamps: Sequence[int] | None = None,
) -> None:
    """Label a panel of `width` inches with the clamps: upright, then thinned, where they crowd.

    `baseline_at` is the place of a column for the baseline, if the panel has one; `clamps` are the
    clamps that it shows, if not all.
    """
    shown = range(len(sweep.labels)) if clamps is None else clamps
    labels = [minus(sweep.labels[place]) for place in shown]
    step = max(1, math.ceil(len(labels) * 0.11 / width))
    ticks, words = [float(place) for place in range(0, len(labels), step)], labels[::step]
    if baseline_at is not None:
        ticks, words = [baseline_at, *ticks], ["baseline", *words]
    closest = max((len(a + b) / 2 + 1.5 for a, b in itertools.pairwise(words)), default=0)
    crowded = closest * 0.06 > width / len(words)
    ax.set_xticks(ticks, words, rotation=90 if crowded else 0)
    ax.set_xlim(-0.6 if baseline_at is None else baseline_at - 0.6, len(labels) - 0.4)


def minus(label: str) -> str:
    """A label with a true minus sign."""
    return label.replace("-", "\N{MINUS SIGN}")


def say(ax: Axes, words: str) -> None:
    """Put words in the place of a panel's data."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=QUIET)
    ax.tick_params(axis="y", left=False, labelleft=False)
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


def left_out(sweep: Tables, limit: int = MAX_TARGETS) -> list[str]:
    """A remark on the targets that a figure of `limit` targets does not show; [] if none."""
    rest = len(sweep.targets) - limit
    return [f"First {limit} of {len(sweep.targets)} targets; {rest} not drawn."] if rest > 0 else []


def finish(
    figure: Figure, sweep: Tables, handles: Sequence[Artist] = (), remarks: Sequence[str] = ()
) -> Figure:
    """The figure with its title and remarks above, and below the clamps' axis title and legend."""
    lines = [textwrap.fill(line, 100) for line in (sweep.title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", linespacing=1.35, color=QUIET)
    columns = _legend_columns([str(handle.get_label()) for handle in handles])
    below = 0.05 + 0.19 * math.ceil(len(handles) / columns)  # inches: legend, then axis title
    height = figure.get_figheight()
    strip = (below + 0.2) / height
    figure.set_layout_engine("constrained", rect=(0, strip, 1, 1 - strip))
    figure.supxlabel(sweep.axis_title, y=below / height, va="bottom").set_in_layout(False)
    if handles:
        figure.legend(
            handles=list(handles),
            loc="lower center",
            ncols=columns,
            borderaxespad=0.2,
            handlelength=1.6,
            columnspacing=1.4,
        )
    return figure


def _legend_columns(labels: Sequence[str]) -> int:
    """How many columns of a legend, at most 4, fit a figure; matplotlib fills them one by one."""
    for columns in range(min(4, len(labels)), 1, -1):
        widest = [max(map(len, part)) for part in np.array_split(np.array(labels), columns)]
        if sum(widest) * LETTER * 7 + columns * 0.4 < WIDTH:
            return columns
    return 1


def title(ax: Axes, lines: Sequence[str], width: float, size: float) -> None:
    """Give a panel of `width` inches a title of letters of `size` points, long lines broken."""
    letters = int(width / (LETTER * size))
    ax.set_title("\n".join(textwrap.fill(line, letters) for line in lines), fontsize=size)


def control_band(ax: Axes, controls: pd.DataFrame, values: pd.Series[float]) -> None:
    """Range (bar) and median (line) of a number over the controls of each kind, clamp by clamp.

    Args:
        ax: The panel.
        controls: Columns `kind` and `position`, a row per control and clamp.
        values: The number, in row order; null ones are left out.
    """
    each = controls[["kind", "position"]].assign(value=floats(values)).dropna(subset="value")
    for kind, (_, colour, shift) in CONTROLS.items():
        spread = each[each["kind"] == kind].groupby("position")["value"]
        low, middle, high = spread.min(), spread.median(), spread.max()
        x = floats(low.index.to_series()) + shift
        ax.bar(x, high - low, 0.38, low, color=colour, linewidth=0, alpha=0.75, zorder=0.5)
        ax.hlines(middle, x - 0.19, x + 0.19, "#777777", linewidth=0.9, zorder=0.6)
    ax.use_sticky_edges = False  # a bar's foot would else be the panel's edge


def control_handles(sweep: Tables) -> list[Artist]:
    """Legend entries of `control_band`; [] if there are no controls."""
    if sweep.controls is None:
        return []
    kinds = set(sweep.controls["kind"])
    return [
        Patch(color=colour, alpha=0.75, label=f"{label}, lowest to highest")
        for kind, (label, colour, _) in CONTROLS.items()
        if kind in kinds
    ]


def target_handles(sweep: Tables) -> list[Artist]:
    """Legend entries of the targets drawn; [] if there is only one, which the title names."""
    several = len(sweep.targets) > 1
    styles = target_styles(sweep) if several else ()
    return [
        Line2D([], [], color=colour, marker=marker, label=target)
        for target, colour, marker, _ in styles
    ]


def target_styles(sweep: Tables) -> Iterator[tuple[str, str, str, float]]:
    """Target, colour, marker, and the sideways shift that sets its intervals beside the others'."""
    shown = sweep.targets[:MAX_TARGETS]
    for place, target in enumerate(shown):
        shift = (place - (len(shown) - 1) / 2) * 0.11
        yield target, TARGET_COLOURS[place], TARGET_MARKERS[place], shift


def runs(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows that one line may join, in clamp order: those that differ in nothing but the value."""
    for _, run in rows.groupby(["operation", "scope"], sort=False):
        yield run.sort_values("position")


def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure to files, in the format of their ending; atomically."""
    for path in paths:
        with atomic(path) as beside:
            figure.savefig(beside, format=path.suffix[1:], dpi=150)


def floats(column: pd.Series) -> NDArray[np.float64]:
    """A column as floats, null as NaN."""
    return column.to_numpy(dtype=float, na_value=np.nan)
