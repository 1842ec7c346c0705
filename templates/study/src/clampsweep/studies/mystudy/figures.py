"""The figure: how much longer or shorter each clamp makes the texts."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from clampsweep.figures.style import BLUE, GREY, minus, panels, styled
from clampsweep.verdicts import SUPPORTED


@styled
def length(verdicts: pd.DataFrame, title: str) -> Figure:
    """A point for each clamp, with its interval; filled if there is an effect.

    Args:
        verdicts: `VERDICTS` of an entry.
        title: What the entry is.
    """
    figure, [[ax]] = panels(1, 1, height=0.3 + 0.2 * len(verdicts))
    rows = verdicts.to_dict("records")
    for place, row in enumerate(rows):
        fill = BLUE if row["verdict"] == SUPPORTED else "white"
        ax.plot([row["low"], row["high"]], [place, place], color=BLUE)
        ax.plot(row["estimate"], place, "o", color=BLUE, markerfacecolor=fill)
    ax.axvline(0, color=GREY, linewidth=0.6)
    ax.set_yticks(range(len(rows)), [minus(f"{row['subject']}, {row['by']}") for row in rows])
    ax.set_xlabel("words more than the baseline")
    figure.suptitle(title)
    return figure
