"""Held-out areas of every method, by position kind: neurons beside what they are held against."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import (
    BLUE,
    GREY,
    LETTER,
    TARGET_COLOURS,
    VERMILION,
    WIDTH,
    floats,
    panels,
    styled,
)
from clampsweep.studies.backtracking.figures.panels import Reach, Shown, finish, legend
from clampsweep.studies.backtracking.heldout import (
    CONFIRMED,
    DIRECTION,
    PERMUTED,
    PROBE,
    SPARSE,
    TOP,
)
from clampsweep.studies.backtracking.pools import SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.words import counted

_ORANGE, _GREEN, _PINK = TARGET_COLOURS[1:4]

_GROUPS: Mapping[str, tuple[str, str]] = {
    BLUE: ("neurons", "o"),
    GREY: ("neurons that permuted labels choose", "s"),
    _GREEN: ("all of a layer's residual stream", "D"),
    _ORANGE: ("the model's own log-probability of the onset", "P"),
    VERMILION: ("no model: tokens, position", "^"),
    _PINK: ("top neurons against hard controls", "v"),
}

_ROWS: Mapping[str, tuple[str, str]] = {
    TOP: ("top neurons", BLUE),
    CONFIRMED: ("confirmed neurons", BLUE),
    SPARSE: ("sparse probe", BLUE),
    PERMUTED: ("permuted labels", GREY),
    DIRECTION: ("residual direction", _GREEN),
    PROBE: ("residual probe", _GREEN),
    "onset logit": ("onset's log p", _ORANGE),
    "next token": ("next token", VERMILION),
    "token before": ("token before", VERMILION),
    "position": ("position", VERMILION),
    f"{TOP} against {UNMARKED}": ("unmarked error", _PINK),
    f"{TOP} against {SPURIOUS}": ("spurious marker", _PINK),
}

_WHOLE: Mapping[str, str] = {}


@styled
def heldout(
    tables: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """Held-out area of every method with its interval, a column for each contrast.

    Args:
        tables: `HELDOUT` by contrast.
        title: What the entry is.
        why: Reasons why a contrast has none.
    """
    shown = Shown.of(tables, why)
    if not shown.names:
        return shown.nothing(title)
    own = {name: _drawn(tables[name]) for name in shown.names}
    every = pd.concat(own.values())
    known = set(every["method"])
    methods = [*(name for name in _ROWS if name in known), *sorted(known - set(_ROWS))]
    kinds = [kind for kind in KINDS if kind in set(every["position_kind"])]
    figure, grid = panels(len(kinds), len(own), 0.35 + 0.115 * len(methods), "all")
    for axes, kind in zip(grid, kinds, strict=True):
        for ax, rows in zip(axes, own.values(), strict=True):
            _areas(ax, rows[rows["position_kind"] == kind], methods)
        axes[0].set_ylabel(kind, fontweight="bold")
    _frame(grid, own, methods)
    _marks(figure, own)
    remark = (
        "Dashed: 0.5, what a score has that says nothing. Small ticks: other numbers of neurons."
    )
    return finish(figure, title, [remark, *shown.remarks])


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that are areas, not differences of areas; `main` marks those of the tested size."""
    own = table[table["null"] == 0.5]
    tested = own.loc[own["method"] == PERMUTED, "k"].max()
    largest = own.groupby(["position_kind", "method"])["k"].transform("max")
    sizes = own.groupby(["position_kind", "method"])["k"].transform("nunique")
    return own.assign(main=(sizes == 1) | (own["k"] == (tested if pd.notna(tested) else largest)))


def _areas(ax: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    """A panel: a mark with its interval for each method, small ticks for other sizes."""
    place = {name: at for at, name in enumerate(methods)}
    ax.axvline(0.5, color=GREY, linewidth=0.7, linestyle="--")
    ax.barh(range(0, len(methods), 2), 1, 1, left=0, color="#F6F6F6", zorder=0.4,
            transform=ax.get_yaxis_transform())  # fmt: skip
    for method, own in rows.groupby("method", sort=False):
        _, colour = _ROWS.get(str(method), ("", GREY))
        main, others = own[own["main"]], own[~own["main"]]
        at = place[str(method)]
        ax.errorbar(floats(main["estimate"]), np.full(len(main), at), xerr=Reach.of(main),
                    fmt=_GROUPS[colour][1], color=colour, elinewidth=1, markersize=3.2)  # fmt: skip
        ax.plot(floats(others["estimate"]), np.full(len(others), at), "|", color=colour,
                markersize=3.5, markeredgewidth=0.7, alpha=0.7)  # fmt: skip


def _frame(grid: list[list[Axes]], own: Mapping[str, pd.DataFrame], methods: list[str]) -> None:
    """Names of methods at the left, of contrasts above, one scale for all."""
    every = pd.concat(own.values())
    least = min(floats(every["estimate"]).min(), np.nanmin([*floats(every["low"]), 0.4]))
    grid[0][0].set_ylim(len(methods) - 0.4, -0.6)
    for row in grid:
        row[0].set_yticks(range(len(methods)), [_ROWS.get(one, (one, ""))[0] for one in methods])
        for ax in row:
            ax.set_xlim(max(0.0, float(least) - 0.03), 1.02)
            ax.tick_params(axis="y", labelsize=6, length=0)
            ax.grid(visible=False)
    for ax in grid[-1]:
        plain_numbers(ax.xaxis)
        ax.set_xlabel("area")
    for ax, (name, rows) in zip(grid[0], own.items(), strict=True):
        ax.set_title(_heading(name, rows, len(own)), fontsize=6.5)


def _heading(name: str, rows: pd.DataFrame, columns: int) -> str:
    """A contrast, and how many events and controls its areas are of."""
    letters = max(10, int((WIDTH - 1.2) / columns / (6.5 * LETTER)))
    first = rows.sort_values("n1").iloc[-1]  # hard controls are not there for every event
    sizes = counted(int(first["n1"]), "event"), counted(int(first["n0"]), "control")
    return "\n".join([textwrap.fill(name, letters), *sizes])


def _marks(figure: Figure, own: Mapping[str, pd.DataFrame]) -> None:
    """Say which mark is what."""
    known = set(pd.concat(own.values())["method"])
    used = {colour for name, (_, colour) in _ROWS.items() if name in known}
    style: Any = {"linestyle": "none", "markersize": 3.5}
    legend(
        figure,
        [
            Line2D([], [], color=colour, marker=marker, label=label, **style)
            for colour, (label, marker) in _GROUPS.items()
            if colour in used
        ],
    )
