"""What the figures share: panels by contrast, words where nothing is drawn, plain scales."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import (
    LETTER,
    QUIET,
    WIDTH,
    floats,
    legend_columns,
    panels,
    say,
)
from clampsweep.figures.style import title as title_of
from clampsweep.studies.backtracking.position_kinds import PRE, PRED

MAIN = (PRE, PRED)  # the position kinds that claims are about

NEURON_GREY = "#9A9A9A"

_INSUFFICIENT = "insufficient events"
_NONE = "The entry has no contrast."


class Reach(NamedTuple):
    """How far an interval goes from its estimate to either side, as matplotlib wants it."""

    below: Float64[np.ndarray, " row"]
    above: Float64[np.ndarray, " row"]

    @classmethod
    def of(cls, rows: pd.DataFrame, estimate: str = "estimate") -> Reach:
        """That of rows with `low` and `high`; 0 where an end is unknown."""
        at = floats(rows[estimate])
        ends = at - floats(rows["low"]), floats(rows["high"]) - at
        below, above = (np.nan_to_num(one).clip(min=0) for one in ends)
        return cls(below, above)


class Shown(NamedTuple):
    """Contrasts that are drawn, in their order, and why the others are not.

    Attributes:
        names: Of those with rows.
        remarks: A line for each of the others.
    """

    names: list[str]
    remarks: list[str]

    @classmethod
    def of(cls, tables: Mapping[str, pd.DataFrame], why: Mapping[str, str]) -> Shown:
        """Those of some tables.

        Args:
            tables: By contrast; one that is empty has insufficient events.
            why: Reasons that are known, by contrast; its contrasts may have no table.
        """
        every = dict.fromkeys([*tables, *why])
        names = [name for name, table in tables.items() if len(table)]
        remarks = [f"{one}: {why.get(one) or _INSUFFICIENT}" for one in every if one not in names]
        return cls(names, remarks)

    def nothing(self, title: str) -> Figure:
        """The figure of no contrast."""
        return nothing(title, "\n".join(self.remarks) or _NONE)


def nothing(title: str, words: str) -> Figure:
    """A small figure that says in words why there is nothing to draw.

    Args:
        title: What the entry is.
        words: Each line of them is broken by itself.
    """
    figure = Figure(figsize=(WIDTH, 0.9 + 0.2 * words.count("\n")), layout="constrained")
    excuse(figure.add_subplot(), words, WIDTH)
    return finish(figure, title)


def finish(figure: Figure, title: str, remarks: Iterable[str] = ()) -> Figure:
    """The figure with its title above, and remarks below that, a line each."""
    letters = int(WIDTH / (LETTER * 8))
    lines = [textwrap.fill(line, letters) for line in (title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", color=QUIET, linespacing=1.35)
    return figure


def excuse(ax: Axes, words: str, width: float) -> None:
    """Say in a panel of `width` inches why it is empty."""
    letters = max(12, int(0.9 * width / (LETTER * 7.5)))
    say(ax, "\n".join(textwrap.fill(line, letters) for line in words.split("\n")))
    ax.tick_params(axis="x", bottom=False, labelbottom=False)
    ax.spines["bottom"].set_visible(False)


def legend(figure: Figure, handles: Iterable[Artist]) -> None:
    """Say below the figure what its marks are."""
    known = list(handles)
    columns = legend_columns([str(one.get_label()) for one in known])
    figure.legend(handles=known, loc="outside lower center", ncols=columns, handlelength=1.8)


def free_panels(rows: int, columns: int, height: float) -> tuple[Figure, list[list[Axes]]]:
    """A figure and its panels, as `style.panels` makes them, but each with axes of its own."""
    figure = Figure(figsize=(WIDTH, rows * height + 0.85), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    for ax in grid.flat:
        ax.tick_params(length=2, width=0.6, color="#777777", labelsize=7)
        ax.grid(axis="y", color="#E9E9E9", linewidth=0.5)
    return figure, [list(row) for row in grid]


def contrast_panels(
    tables: Mapping[str, pd.DataFrame],
    why: Mapping[str, str],
    title: str,
    height: float,
    draw: Callable[[Axes, pd.DataFrame], str],
    labels: tuple[str, str] = ("", ""),
    marks: Sequence[Artist] = (),
    made: Callable[[int, int, float], tuple[Figure, list[list[Axes]]]] = panels,
) -> Figure:
    """A figure with a row of panels for each contrast, a column for each main position kind.

    Args:
        tables: With the column `position_kind`, by contrast.
        why: Reasons why there is nothing to draw.
        title: What the entry is.
        height: Of a panel, inches.
        draw: Draws rows of a contrast and kind, and gives what the panel's title says beside these.
        labels: Of the x axis, below the last row, and of the y axis, at the left.
        marks: What the legend explains.
        made: Makes the panels.
    """
    shown = Shown.of(tables, why)
    if not shown.names:
        return shown.nothing(title)
    figure, grid = made(len(shown.names), len(MAIN), height)
    for axes, name in zip(grid, shown.names, strict=True):
        for ax, kind in zip(axes, MAIN, strict=True):
            own = tables[name][tables[name]["position_kind"] == kind]
            if own.empty:
                excuse(ax, f"no neuron is ranked at {kind}", WIDTH / 2.4)
            remark = "" if own.empty else draw(ax, own)
            lines = [f"{name}, {kind}", *([remark] if remark else [])]
            title_of(ax, lines, WIDTH / 2.4, 7)
    for ax in grid[-1]:
        ax.set_xlabel(labels[0])
    for row in grid:
        row[0].set_ylabel(labels[1])
    if marks:
        legend(figure, marks)
    return finish(figure, title, shown.remarks)


class Multiples(NamedTuple):
    """Small multiples.

    Attributes:
        figure: The figure.
        axes: A panel for each name.
        left: The panels at the left edge.
        width: Of a panel, inches, about.
    """

    figure: Figure
    axes: dict[str, Axes]
    left: list[Axes]
    width: float

    @classmethod
    def of(cls, names: Sequence[str], height: float, most: int = 3) -> Multiples:
        """A panel for each name, row after row.

        Args:
            names: At least one.
            height: Of a panel, inches.
            most: Panels of a row, at most.
        """
        rows = -(-len(names) // most)
        columns = -(-len(names) // rows)
        figure, grid = panels(rows, columns, height)
        every = [ax for row in grid for ax in row]
        for ax in every[len(names) :]:
            ax.set_axis_off()
        for ax in every[max(0, len(names) - columns) : len(names)]:
            ax.tick_params(labelbottom=True)  # no panel of its column is below it
        left = [row[0] for row in grid]
        return cls(figure, dict(zip(names, every, strict=False)), left, 0.8 * WIDTH / columns)


def logarithmic_x(ax: Axes) -> None:
    """Make a panel's x axis logarithmic, labelled by plain numbers at powers of ten."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(numticks=6))
    plain_numbers(ax.xaxis)
