"""A neuron's own activation on the baselines, against what the clamps make of it."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clampsweep import names
from clampsweep.figures.style import BLUE, PALE, VERMILION, WIDTH, minus, panels, styled, title
from clampsweep.studies.bcr.figures.panels import MAX_TARGETS, clamp_axis, empty, finish, left_out
from clampsweep.studies.bcr.view import Tables, intervened

USUAL = "#C4C4C4"


@styled
def natural_range(view: Tables) -> Figure:
    """Range of each neuron's own activation on the baselines, and where each clamp puts it.

    The bands are min to max and mean +- 1 SD over the baselines' generated positions
    (`NEURON_STATS`). An open mark is a clamp that leads out of the natural range. Where a
    clamp leaves the neuron free to move (add, scale, resample), a line spans what the natural
    range becomes.
    """
    if view.neuron_stats is None:
        return empty(view, "No activations were recorded: the natural range is not known.")
    if not view.neuron_stats["n_positions"].any():
        return empty(view, "Every baseline is empty: the natural range is not known.")
    known = _known(view, view.neuron_stats)
    if not known and any(map(names.is_direction, view.targets)):
        return empty(view, "Directions were steered along: they have no natural range of values.")
    if not known:
        return empty(view, "The activation statistics hold none of these neurons.")
    columns = min(2, len(known))
    figure, grid = panels(-(-len(known) // columns), columns, 2.1)
    for place, ax in enumerate(ax for row in grid for ax in row):
        if place >= len(known):
            ax.set_visible(False)
            continue
        target, neuron, own = known[place]
        _draw_bands(ax, own)
        _draw_clamps(ax, view, target, own, neuron.value)
        joint = f" (in {view.shown[target]})" if str(neuron) != target else ""
        title(ax, (f"{neuron}{joint}", _in_words(own)), WIDTH / columns - 0.6, 6.5)
        ax.set_ylabel("activation" if place % columns == 0 else "")
        clamp_axis(ax, view, WIDTH / columns - 0.6)
        ax.tick_params(labelbottom=place + columns >= len(known))
    return finish(figure, view, _handles(), left_out(view))


def _known(view: Tables, stats: pd.DataFrame) -> list[tuple[str, names.Neuron, pd.Series[float]]]:
    """Target, neuron and statistics of the neurons that the first targets consist of."""
    found = []
    for target in view.targets[:MAX_TARGETS]:
        for neuron in names.neurons_in(target):
            own = stats[(stats["layer"] == neuron.layer) & (stats["neuron"] == neuron.index)]
            found += [(target, neuron, row) for _, row in own.iterrows()]
    return found[:MAX_TARGETS]


def _draw_bands(ax: Axes, own: pd.Series[float]) -> None:
    ax.axhspan(own["min"], own["max"], color=PALE, linewidth=0)
    if pd.notna(own["sd"]):
        ax.axhspan(own["mean"] - own["sd"], own["mean"] + own["sd"], color=USUAL, linewidth=0)
    ax.axhline(own["mean"], color="#333333", linewidth=0.8)


def _draw_clamps(
    ax: Axes, view: Tables, target: str, own: pd.Series[float], value_of_its_own: float | None
) -> None:
    rows = intervened(view.generations)
    rows = rows[rows["target"] == target].drop_duplicates(["operation", "value", "scope"])
    marks = zip(view.positions(rows), rows["operation"], rows["value"], strict=True)
    for x, operation, value in marks:
        used = value if value_of_its_own is None else value_of_its_own
        reached = becomes(operation, used, own)
        if reached is None:
            continue
        low, middle, high = reached
        inside = own["min"] <= low and high <= own["max"]
        colour = BLUE if inside else VERMILION
        ax.vlines(x, low, high, colour, linewidth=1.2)
        ax.plot(x, middle, "o", color=colour, markerfacecolor=colour if inside else "white")


class ActivationRange(NamedTuple):
    """Lowest, mean and highest activation of a neuron, in activation units."""

    low: float
    mean: float
    high: float


def becomes(operation: str, value: float, own: pd.Series[float]) -> ActivationRange | None:
    """Lowest, mean and highest activation under a clamp, in activation units; None if not known.

    Args:
        operation: What is done to the neuron.
        value: With what; ignored by `zero` and `resample`.
        own: The neuron's row of `NEURON_STATS`.
    """
    low, mean, high = float(own["min"]), float(own["mean"]), float(own["max"])
    match operation:
        case "zero":
            return ActivationRange(0.0, 0.0, 0.0)
        case "resample":
            return ActivationRange(low, mean, high)
        case "set" | "mean" if pd.notna(value):
            return ActivationRange(value, value, value)
        case "add" if pd.notna(value):
            return ActivationRange(low + value, mean + value, high + value)
        case "scale" if pd.notna(value):
            ends = sorted((low * value, high * value))
            return ActivationRange(ends[0], mean * value, ends[1])
    return None


def _in_words(own: pd.Series[float]) -> str:
    spread = f", SD {own['sd']:.3g}" if pd.notna(own["sd"]) else ""
    words = f"{own['min']:.3g} to {own['max']:.3g}, mean {own['mean']:.3g}{spread}"
    return minus(f"{words}; {int(own['n_positions']):,} positions")


def _handles() -> list[Artist]:
    outside = Line2D([], [], color=VERMILION, linestyle="none", marker="o", label="clamp outside")
    outside.set_markerfacecolor("white")
    return [
        Patch(color=PALE, label="natural range, min to max"),
        Patch(color=USUAL, label="mean \N{PLUS-MINUS SIGN} 1 SD"),
        Line2D([], [], color=BLUE, linestyle="none", marker="o", label="clamp inside the range"),
        outside,
    ]
