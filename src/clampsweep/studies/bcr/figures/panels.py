"""What the figures share: style, colours, panels, the clamp axis, legends, words if empty."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from types import MappingProxyType

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clampsweep.figures.style import (
    QUIET,
    TARGET_COLOURS,
    TARGET_MARKERS,
    WIDTH,
    floats,
    legend_columns,
    minus,
)
from clampsweep.studies.bcr.view import Tables

MAX_TARGETS = 6

CONTROLS = MappingProxyType(
    {
        "neuron": ("control neurons", "#BDBDBD", -0.2),
        "direction": ("random directions", "#E3C98B", 0.2),
    }
)  # label, colour, sideways shift

SAMPLING = "#BFE3D0"


def empty(view: Tables, words: str) -> Figure:
    """A small figure that says in words why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    figure.suptitle(view.title, x=0.01, ha="left", color=QUIET)
    figure.text(0.5, 0.4, words, ha="center", va="center", color=QUIET)
    return figure


def clamp_axis(
    ax: Axes,
    view: Tables,
    width: float,
    baseline_at: float | None = None,
    clamps: Sequence[int] | None = None,
) -> None:
    """Label a panel of `width` inches with the clamps: upright, then thinned, where they crowd.

    `baseline_at` is the place of a column for the baseline, if the panel has one; `clamps` are the
    clamps that it shows, if not all.
    """
    shown = range(len(view.labels)) if clamps is None else clamps
    labels = [minus(view.labels[place]) for place in shown]
    step = max(1, math.ceil(len(labels) * 0.11 / width))
    ticks, words = [float(place) for place in range(0, len(labels), step)], labels[::step]
    if baseline_at is not None:
        ticks, words = [baseline_at, *ticks], ["baseline", *words]
    closest = max((len(a + b) / 2 + 1.5 for a, b in itertools.pairwise(words)), default=0)
    crowded = closest * 0.06 > width / len(words)
    ax.set_xticks(ticks, words, rotation=90 if crowded else 0)
    ax.set_xlim(-0.6 if baseline_at is None else baseline_at - 0.6, len(labels) - 0.4)


def left_out(view: Tables, limit: int = MAX_TARGETS) -> list[str]:
    """A remark on the targets that a figure of `limit` targets does not show; [] if none."""
    rest = len(view.targets) - limit
    return [f"First {limit} of {len(view.targets)} targets; {rest} not drawn."] if rest > 0 else []


def finish(
    figure: Figure, view: Tables, handles: Sequence[Artist] = (), remarks: Sequence[str] = ()
) -> Figure:
    """The figure with its title and remarks above, and below the clamps' axis title and legend."""
    lines = [textwrap.fill(line, 100) for line in (view.title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", linespacing=1.35, color=QUIET)
    columns = legend_columns([str(handle.get_label()) for handle in handles])
    below = 0.05 + 0.19 * math.ceil(len(handles) / columns)  # inches: legend, then axis title
    height = figure.get_figheight()
    strip = (below + 0.2) / height
    figure.set_layout_engine("constrained", rect=(0, strip, 1, 1 - strip))
    figure.supxlabel(_axis_title(view), y=below / height, va="bottom").set_in_layout(False)
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


def _axis_title(view: Tables) -> str:
    """What the labels say, with the target's name where there is only one."""
    words = view.axis_title
    if len(view.targets) != 1:
        return words
    (name,) = view.shown.values()
    for noun in ("the neuron", "the direction"):
        if noun in words:
            return words.replace(noun, name, 1)
    return f"{words} ({name})"


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


def control_handles(view: Tables) -> list[Artist]:
    """Legend entries of `control_band`; [] if there are no controls."""
    if view.controls is None:
        return []
    kinds = set(view.controls["kind"])
    return [
        Patch(color=colour, alpha=0.75, label=f"{label}, lowest to highest")
        for kind, (label, colour, _) in CONTROLS.items()
        if kind in kinds
    ]


def target_handles(view: Tables) -> list[Artist]:
    """Legend entries of the targets drawn; [] if there is only one, which the title names."""
    several = len(view.targets) > 1
    styles = target_styles(view) if several else ()
    return [
        Line2D([], [], color=colour, marker=marker, label=view.shown[target])
        for target, colour, marker, _ in styles
    ]


def target_styles(view: Tables) -> Iterator[tuple[str, str, str, float]]:
    """Target, colour, marker, and the sideways shift that sets its intervals beside the others'."""
    shown = view.targets[:MAX_TARGETS]
    for place, target in enumerate(shown):
        shift = (place - (len(shown) - 1) / 2) * 0.11
        yield target, TARGET_COLOURS[place], TARGET_MARKERS[place], shift
