"""How far the collapse detectors can be trusted: precision, recall, calibration of text metrics."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from clampsweep.figures.style import BLUE, GREY, TARGET_COLOURS, VERMILION, panels, styled
from clampsweep.studies.bcr.figures.texts import METRIC_TITLES

_MEASURES = (("precision", BLUE, "o"), ("recall", VERMILION, "s"), ("false_alarm", GREY, "D"))


@styled
def detectors(quality: pd.DataFrame, calibration: pd.DataFrame) -> Figure:
    """Precision, recall and false alarms by detector; share broken by fifth of each text metric.

    Bars are 95 % Wilson intervals.

    Args:
        quality: A `DETECTOR_QUALITY` table.
        calibration: A `CALIBRATION` table.
    """
    figure, grid = panels(1, 2, 2.6, widths=(2.6, 3.9))
    left, right = grid[0]
    _draw_quality(left, quality)
    _draw_calibration(right, calibration)
    for ax in (left, right):
        ax.set_ylim(-0.04, 1.04)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=3 if ax is left else 2,
            columnspacing=1.0,
            handlelength=1.4,
        )
    return figure


def _draw_quality(ax: Axes, quality: pd.DataFrame) -> None:
    names = list(dict.fromkeys(quality["detector"]))
    for at, (measure, colour, marker) in enumerate(_MEASURES):
        rows = quality[quality["measure"] == measure].set_index("detector").loc[names]
        x = [place + (at - 1) * 0.2 for place in range(len(names))]
        ax.vlines(x, rows["low"], rows["high"], colour, linewidth=1.2, alpha=0.6)
        label = measure.replace("_", " ")
        ax.plot(x, rows["share"], marker, color=colour, label=label, linestyle="none")
    ax.set_xticks(range(len(names)), names)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_title("Detectors on labelled texts")


def _draw_calibration(ax: Axes, calibration: pd.DataFrame) -> None:
    for at, (score, rows) in enumerate(calibration.groupby("score", sort=False)):
        colour = TARGET_COLOURS[at % len(TARGET_COLOURS)]
        x = rows["bin"] + 1 + (at - 2.5) * 0.06
        ax.vlines(x, rows["low"], rows["high"], colour, linewidth=0.8, alpha=0.45)
        ax.plot(x, rows["share"], color=colour, marker="o", label=METRIC_TITLES[str(score)])
    ax.set_xticks(range(1, 6))
    ax.set_xlabel("fifth of the texts, by rising metric")
    ax.set_title("Share of broken texts by metric")
