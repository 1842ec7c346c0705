"""Texts before and after the neurons are held at zero."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import BLUE, GREY, QUIET, WIDTH, minus, styled
from clampsweep.figures.style import title as title_of
from clampsweep.studies.backtracking.figures.panels import (
    Reach,
    excuse,
    finish,
    free_panels,
    legend,
    nothing,
)
from clampsweep.studies.backtracking.sets import RANDOM, TOP
from clampsweep.words import counted

_COLOURS = {TOP: BLUE, RANDOM: GREY}
_COLUMNS = 4


@styled
def pairs(paired: pd.DataFrame | None, title: str) -> Figure:
    """Differences after less before with their intervals, a panel for each measure.

    Args:
        paired: `PAIRED`; None or empty if no texts are compared.
        title: What the entry is.
    """
    if paired is None or not len(paired):
        return nothing(title, "No texts before and after are compared.")
    measures = list(dict.fromkeys(paired["measure"]))
    rows = -(-len(measures) // _COLUMNS)
    figure, grid = free_panels(rows, _COLUMNS, 1.1)
    axes = [ax for row in grid for ax in row]
    for at, (ax, measure) in enumerate(zip(axes, measures, strict=False)):
        _differences(ax, paired[paired["measure"] == measure], named=not at % _COLUMNS)
    for ax in axes[len(measures) :]:
        ax.set_axis_off()
    legend(
        figure,
        [
            Line2D([], [], color=colour, marker="o", label=f"{name} neurons at zero")
            for name, colour in _COLOURS.items()
        ],
    )
    remark = "After less before, with 95 % intervals over problems; in words before, after and p."
    return finish(figure, title, [remark])


def _differences(ax: Axes, own: pd.DataFrame, named: bool) -> None:
    """A panel: the top set above, random sets below."""
    unit = own["unit"].iloc[0]
    n = int(own["n"].max())
    title_of(ax, [f"{own['measure'].iloc[0]}, {unit}", counted(n, "pair")], WIDTH / 4.6, 7)
    if not n:
        excuse(ax, "not known of any pair", WIDTH / 4.6)
        return
    ax.axvline(0, color=GREY, linewidth=0.7)
    for place, (condition, colour) in enumerate(_COLOURS.items()):
        for row in own[(own["condition"] == condition) & (own["n"] > 0)].to_dict("records"):
            one = pd.DataFrame([row])
            ax.errorbar([row["difference"]], [place], xerr=Reach.of(one, "difference"), fmt="o",
                        color=colour, elinewidth=1.2)  # fmt: skip
            ax.text(0.5, place - 0.28, _in_words(row), fontsize=5.6, color=QUIET, ha="center",
                    transform=ax.get_yaxis_transform(),
                    bbox={"facecolor": "white", "linewidth": 0, "pad": 0.4})  # fmt: skip
    ax.set_ylim(len(_COLOURS) - 0.5, -0.75)
    ax.set_yticks(range(len(_COLOURS)), list(_COLOURS) if named else [""] * len(_COLOURS))
    ax.margins(x=0.2)
    ax.xaxis.set_major_locator(MaxNLocator(3))
    plain_numbers(ax.xaxis)


def _in_words(row: Mapping[Any, Any]) -> str:
    """`0.45 → 0.30, p = 0.02`."""
    said = f"{row['before']:.3g} \N{RIGHTWARDS ARROW} {row['after']:.3g}"
    return minus(said if pd.isna(row["p"]) else f"{said}, p = {row['p']:.2g}")
