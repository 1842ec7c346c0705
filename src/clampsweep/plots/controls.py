"""A target beside its controls: what each of them does to collapse, clamp by clamp."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clampsweep.plots.panels import (
    BLUE,
    CONTROLS,
    WIDTH,
    clamp_axis,
    empty,
    finish,
    floats,
    left_out,
    panels,
    styled,
)
from clampsweep.verdict import verdict
from clampsweep.view import Tables

MAX_TARGETS = 3


@styled
def controls(sweep: Tables) -> Figure:
    """Net effect (rescued minus harmed texts) of each target and of each of its controls.

    On the prompts and clamps that the controls ran on. One row of panels per detector, one column
    per target. Definitions: `clampsweep.special`.
    """
    special = sweep.special
    if special is None or sweep.control_counts is None or sweep.compared_counts is None:
        return empty(sweep, "No controls were run: the config key controls asks for them.")
    shown = sweep.targets[:MAX_TARGETS]
    figure, grid = panels(len(sweep.detectors), len(shown), 1.9, "row")
    for row, detector in zip(grid, sweep.detectors, strict=True):
        for ax, target in zip(row, shown, strict=True):
            theirs, own = sweep.control_counts, sweep.compared_counts
            theirs = theirs[(theirs["detector"] == detector) & (theirs["of"] == target)]
            own = own[(own["detector"] == detector) & (own["target"] == target)]
            _draw(ax, own, theirs)
            ranks = special[(special["detector"] == detector) & (special["target"] == target)]
            said = f"{target}, {detector}" if len(shown) > 1 else _said(sweep, detector)
            ax.set_title(f"{said}\n{_rank(ranks)}", fontsize=7)
            clamp_axis(ax, sweep, WIDTH / len(shown) - 0.5)
        row[0].set_ylabel("net: rescued \N{MINUS SIGN} harmed (texts)")
    remarks = [f"Net effect of the target and of each control: {sweep.control_sizes}."]
    return finish(figure, sweep, _handles(), [*remarks, *left_out(sweep, MAX_TARGETS)])


def _said(sweep: Tables, detector: str) -> str:
    return f"{detector}: {verdict(sweep, detector).headline}"


def _rank(ranks: pd.DataFrame) -> str:
    """Where the target stands among its controls, by the largest net effect."""
    said = []
    for row in ranks[ranks["statistic"] == "largest_net"].to_dict("records"):
        label = CONTROLS[row["kind"]][0]
        said.append(
            f"above {row['percentile']:.0f} % of {row['n_controls']} {label} (p = {row['p']:.2g})"
        )
    return ", ".join(said)


def _draw(ax: Axes, own: pd.DataFrame, theirs: pd.DataFrame) -> None:
    for kind, (_, colour, shift) in CONTROLS.items():
        rows = theirs[theirs["kind"] == kind].sort_values(["position", "target"])
        # Multiples of the golden ratio spread evenly, and the same on every run.
        spread = ((np.arange(len(rows)) * 0.618034) % 1 - 0.5) * 0.3
        x = floats(rows["position"]) + shift + spread
        ax.plot(x, rows["net"], "o", color=colour, ms=2.6, markeredgecolor="#777777", mew=0.3)
    ax.plot(own["position"], own["net"], "D", color=BLUE, ms=5, zorder=3)
    ax.axhline(0, color="#777777", linewidth=0.6)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))


def _handles() -> list[Line2D]:
    marks = [("target", BLUE, "D", 5.0)]
    marks += [(label, colour, "o", 3.0) for label, colour, _ in CONTROLS.values()]
    return [
        Line2D([], [], linestyle="none", marker=marker, color=colour, ms=size, label=label)
        for label, colour, marker, size in marks
    ]
