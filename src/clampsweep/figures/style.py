"""What all figures share: style, colours, panels, saving. No pyplot."""

from __future__ import annotations

import functools
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from clampsweep.figures.fonts import dress
from clampsweep.files import atomic

_Arguments = ParamSpec("_Arguments")

WIDTH = 6.5  # inches: the text width of a letter page

LETTER = 0.0074  # inches per point: about how wide a letter is

# Okabe and Ito (2008): told apart with every common colour blindness, and by lightness in grey.
BLUE, VERMILION, GREY, PALE = "#0072B2", "#D55E00", "#4D4D4D", "#E3E3E3"

TARGET_COLOURS = (BLUE, "#E69F00", "#009E73", "#CC79A7", "#56B4E9", VERMILION)

TARGET_MARKERS = ("o", "s", "^", "D", "v", "P")

QUIET = "#555555"

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


@contextmanager
def style() -> Iterator[None]:
    """`STYLE`, and else matplotlib's defaults, whatever the user's own settings are."""
    settings: Any = dict(STYLE)  # matplotlib's stub wants literal keys
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def styled(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """The drawing function with `STYLE` in force."""

    @functools.wraps(draw)
    def drawn(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with style():
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


def minus(label: str) -> str:
    """A label with a true minus sign."""
    return label.replace("-", "\N{MINUS SIGN}")


def say(ax: Axes, words: str) -> None:
    """Put words in the place of a panel's data."""
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color=QUIET)
    ax.tick_params(axis="y", left=False, labelleft=False)
    ax.grid(visible=False)
    ax.spines["left"].set_visible(False)


def legend_columns(labels: Sequence[str]) -> int:
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


def runs(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Rows that one line may join, in clamp order: those that differ in nothing but the value."""
    for _, run in rows.groupby(["operation", "scope"], sort=False):
        yield run.sort_values("position")


def save_figure(figure: Figure, paths: Sequence[Path]) -> None:
    """Write a figure to files, in the format of their ending; atomically.

    Names in it may be in any writing for which a font is installed; else the log says so.
    """
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # `dress` says it once
        for path in paths:
            _write(figure, path)
        if dress(figure):  # not before: the labels of ticks are known once they were drawn
            for path in paths:
                _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    with atomic(path) as beside:
        figure.savefig(beside, format=path.suffix[1:], dpi=150)


def floats(column: pd.Series) -> NDArray[np.float64]:
    """A column as floats, null as NaN."""
    return column.to_numpy(dtype=float, na_value=np.nan)
