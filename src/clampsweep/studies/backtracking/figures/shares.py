"""Shares of traces by source, level or type, with Wilson intervals."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clampsweep.figures.style import BLUE, QUIET, floats, panels, styled
from clampsweep.figures.style import title as title_of
from clampsweep.studies.backtracking.figures.panels import Reach, finish, nothing
from clampsweep.studies.backtracking.rates import ALL

_MOST = 60  # rows that are drawn
_LETTERS = 36  # of the name of a row


@styled
def rates(table: pd.DataFrame, title: str, by: str = ALL) -> Figure:
    """Shares with their Wilson intervals, a panel for each measure, a row for each source.

    Args:
        table: `RATES`.
        title: What the entry is.
        by: all; or level or type, with a row for each of a source's.
    """
    own = table[table["by"] == by]
    if own.empty:
        return nothing(title, "There is no trace." if by == ALL else f"No trace has a {by}.")
    groups = own[["source", "group"]].drop_duplicates()
    rows = list(groups.itertuples(index=False, name=None))[:_MOST]
    measures = list(dict.fromkeys(own["measure"]))
    figure, (axes,) = panels(1, len(measures), 0.35 + 0.19 * len(rows), "all")
    for ax, measure in zip(axes, measures, strict=True):
        named = own[own["measure"] == measure].set_index(["source", "group"]).reindex(rows)
        _shares(ax, named)
        title_of(ax, [measure], 1.1, 7)
    said = {ALL: "{0}", "level": "{0}, level {1}"}.get(by, "{0}, {1}")
    names = [textwrap.shorten(said.format(*row), _LETTERS, placeholder=" …") for row in rows]
    axes[0].set_yticks(range(len(rows)), names)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    left_out = len(groups) - len(rows)
    more = f" {left_out} further rows are left out." if left_out else ""
    remark = f"Share of traces with its 95 % Wilson interval, and of how many it is.{more}"
    return finish(figure, title, [remark])


def _shares(ax: Axes, rows: pd.DataFrame) -> None:
    """A panel: a mark, an interval and the counts of each row."""
    known = (rows["n"].fillna(0) > 0).to_numpy()
    at = np.arange(len(rows))
    own = rows[known]
    ax.errorbar(floats(own["share"]), at[known], xerr=Reach.of(own, "share"), fmt="o", color=BLUE,
                elinewidth=1)  # fmt: skip
    for place, (k, n) in enumerate(zip(rows["k"], rows["n"], strict=True)):
        said = f"{int(k)}/{int(n)}" if known[place] else "none"
        ax.text(1.05, place, said, fontsize=5.8, color=QUIET, va="center",
                transform=ax.get_yaxis_transform())  # fmt: skip
    ax.set_xlim(-0.04, 1.04)
    ax.set_xticks([0, 0.5, 1], ["0", "50", "100 %"])
    ax.tick_params(axis="y", length=0)
    ax.tick_params(labelsize=6.5)
