"""What the figures share: colours of numbers, cells with numbers in them, names, tokens."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from clampsweep.figures.style import BLUE, QUIET, VERMILION, WIDTH, legend_columns, minus, say

UNDEFINED = "undefined: the interval of baseline \N{MINUS SIGN} unscrubbed holds 0"

SHARES = LinearSegmentedColormap.from_list("shares", ["#FFFFFF", "#8FC1DF", BLUE, "#00304D"])

HARMS = LinearSegmentedColormap.from_list(
    "harms", ["#00304D", BLUE, "#8FC1DF", "#FFFFFF", "#F3B183", VERMILION, "#6B2E00"]
)
"""Blue below zero, white at zero, vermilion above."""

_VISIBLE = {
    " ": "\N{MIDDLE DOT}",
    "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}",
    "\t": "\N{RIGHTWARDS ARROW}",
}

_MAX_NAME, _MAX_TOKEN = 24, 12  # letters


def empty(title: str, words: str) -> Figure:
    """A small figure that says in words why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH, 1.2), layout="constrained")
    say(figure.add_subplot(), words)
    return finish(figure, title)


def finish(figure: Figure, title: str, remarks: Sequence[str] = ()) -> Figure:
    """The figure with its title and remarks above."""
    lines = [textwrap.fill(line, 106) for line in (title, *remarks)]
    figure.suptitle("\n".join(lines), x=0.01, ha="left", linespacing=1.35, color=QUIET)
    return figure


def legend(figure: Figure, handles: Sequence[Artist], columns: int | None = None) -> None:
    """Say below the figure what its marks are."""
    said = legend_columns([str(handle.get_label()) for handle in handles])
    figure.legend(
        handles=list(handles),
        loc="outside lower center",
        ncols=columns or said,
        borderaxespad=0.2,
        handlelength=1.8,
        columnspacing=1.6,
    )


def short(name: str, limit: int = _MAX_NAME) -> str:
    """A name of at most `limit` letters: what is too much is taken out of its middle."""
    if len(name) <= limit:
        return name
    return f"{name[: limit // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - (limit - 1) // 2 :]}"


def visible(token: str) -> str:
    """A token as a short word whose blanks are seen."""
    signs = (_VISIBLE.get(sign, sign) for sign in token)
    seen = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in signs)
    return short("".join(seen), _MAX_TOKEN)


def letters(word: str) -> int:
    """Width of a word, in letters of a font whose letters are equally wide."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in word)


def percent(share: float) -> str:
    """A share in whole percent, without the sign."""
    return minus(str(round(100 * share)))


def matrix(
    ax: Axes,
    values: Float64[np.ndarray, "row column"],
    colours: Colormap,
    limits: tuple[float, float],
    edges: float = 0.6,
) -> QuadMesh:
    """Draw numbers as coloured cells, the first row on top; one without a number stays blank.

    Args:
        ax: The panel; rows and columns stand at whole numbers, from 0.
        values: The numbers; nan where there is none.
        colours: Of the numbers.
        limits: Numbers that have the first and the last colour.
        edges: Width of the lines between cells, points.
    """
    rows, columns = values.shape
    x, y = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    mesh = ax.pcolormesh(
        x, y, np.ma.masked_invalid(values), cmap=colours, norm=Normalize(*limits),
        edgecolors="white", linewidth=edges,
    )  # fmt: skip
    ax.set_ylim(rows - 0.5, -0.5)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return mesh


def hatch(ax: Axes, values: Float64[np.ndarray, "row column"]) -> None:
    """Hatch the cells that have no number."""
    for row, column in np.argwhere(np.isnan(values)):
        ax.add_patch(hatched(column - 0.5, row - 0.5))


def hatched(x: float = 0, y: float = 0, label: str = "") -> Rectangle:
    """A cell without a number, from its lower corner; with a label for the legend."""
    return Rectangle(
        (x, y), 1, 1, facecolor="#EEEEEE", edgecolor="#AAAAAA", hatch="/////", linewidth=0,
        label=label,
    )  # fmt: skip


def ink(mesh: QuadMesh, value: float) -> str:
    """The colour of a number that is written on its own cell: dark on light, or light on dark."""
    red, green, blue = mesh.to_rgba(np.array([value]))[0, :3]
    return "#222222" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"


def about_zero(limit: float) -> Normalize:
    """A scale of colours from `-limit` to `limit`, with zero in its middle.

    Args:
        limit: Of the numbers; may be 0.
    """
    limit = max(limit, 1e-6)
    return Normalize(-limit, limit)
