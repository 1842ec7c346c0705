"""What both figures share: names, words in place of a figure, title and remarks."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clampsweep.figures.style import QUIET, WIDTH, say

BASELINE = "baseline"


def short(name: str) -> str:
    """A name of at most 24 characters."""
    return name if len(name) <= 24 else f"{name[:23]}\N{HORIZONTAL ELLIPSIS}"


def empty(title: str, words: str) -> Figure:
    """A small figure that says in words why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", color=QUIET)
    say(figure.add_subplot(), words)
    return figure


def finish(figure: Figure, title: str, remarks: Sequence[str]) -> Figure:
    """The figure with its title and remarks above."""
    lines = [textwrap.fill(line, 112) for line in (title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", linespacing=1.35, color=QUIET)
    return figure


def angle_axis(ax: Axes) -> None:
    """Angles of the plane as the x axis, in degrees."""
    ax.set_xlim(0, 360)
    ax.set_xticks(range(0, 361, 90), [f"{angle}\N{DEGREE SIGN}" for angle in range(0, 361, 90)])
    ax.tick_params(length=2, width=0.6, color="#777777", labelsize=6.5)
    ax.grid(axis="y", color="#E9E9E9", linewidth=0.5)
