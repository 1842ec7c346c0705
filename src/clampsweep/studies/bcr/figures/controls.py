"""A target beside its controls: what each of them does to collapse, clamp by clamp."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from clampsweep.figures.style import BLUE, WIDTH, floats, panels, styled, title
from clampsweep.studies.bcr.among_controls import CONTROL_KINDS, AmongControls
from clampsweep.studies.bcr.figures.panels import CONTROLS, clamp_axis, empty, finish, left_out
from clampsweep.studies.bcr.verdict import headline
from clampsweep.studies.bcr.view import Tables
from clampsweep.words import counted

MAX_TARGETS = 3


@styled
def controls(view: Tables) -> Figure:
    """Net effect (rescued minus harmed texts) of each target and of each of its controls.

    On the prompts and clamps that the controls ran on. One row of panels per detector, one column
    per target. Definitions: `clampsweep.studies.bcr.special`.
    """
    beside = view.among_controls
    if beside is None:
        return empty(view, "No controls were run: the config key controls asks for them.")
    shown, clamps = view.targets[:MAX_TARGETS], sorted(set(beside.counts["position"]))
    figure, grid = panels(len(view.detectors), len(shown), 1.9, "row")
    width = WIDTH / len(shown) - 0.5
    for row, detector in zip(grid, view.detectors, strict=True):
        for ax, target in zip(row, shown, strict=True):
            _draw(ax, _rows(beside.own_counts, detector, "target", target), clamps, BLUE)
            theirs = _rows(beside.counts, detector, "of", target)
            for kind, (_, colour, shift) in CONTROLS.items():
                _draw(ax, theirs[theirs["kind"] == kind], clamps, colour, shift)
            ax.axhline(0, color="#777777", linewidth=0.6)
            ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            title(
                ax, list(_said(view, beside, detector, target)), width, 7 if len(shown) == 1 else 6
            )
            clamp_axis(ax, view, width, clamps=clamps)
        row[0].set_ylabel("rescued \N{MINUS SIGN} harmed (texts)")
    remarks = [
        f"Net effect of the target and of each control: {beside.sizes}.",
        "Above: share of the controls whose largest net effect, in either direction, is smaller.",
    ]
    return finish(
        figure, view, _handles(set(beside.counts["kind"])), [*remarks, *left_out(view, MAX_TARGETS)]
    )


def _rows(counts: pd.DataFrame, detector: str, column: str, target: str) -> pd.DataFrame:
    rows = counts[(counts["detector"] == detector) & (counts[column] == target)]
    return rows.sort_values(["position", "target"])


def _said(view: Tables, beside: AmongControls, detector: str, target: str) -> Iterator[str]:
    """The verdict, and where the target stands among its controls by the largest net effect."""
    single = len(view.targets) == 1
    yield (
        f"{detector}: {headline(view, detector)}" if single else f"{view.shown[target]}, {detector}"
    )
    ranks = beside.ranks_of(detector, target)
    for row in ranks[ranks["statistic"] == "largest_net"].to_dict("records"):
        number = counted(row["n_controls"], CONTROL_KINDS[row["kind"]])
        chance = f"(p = {row['p']:.2g})" if single else f"(q = {row['q']:.2g})"
        unbroken = chance.replace(" ", "\N{NO-BREAK SPACE}")
        yield f"above {row['percentile']:.0f} % of {number} {unbroken}"


def _draw(
    ax: Axes, rows: pd.DataFrame, clamps: list[int], colour: str, shift: float | None = None
) -> None:
    """A mark per net effect: the target's diamonds; with a shift, its controls, spread about it."""
    x = floats(rows["position"].map(clamps.index))
    if shift is None:
        ax.plot(x, rows["net"], "D", color=colour, ms=5, zorder=3)
        return
    # Multiples of the golden ratio spread evenly, and the same on every run.
    spread = ((np.arange(len(rows)) * 0.618034) % 1 - 0.5) * 0.3
    ax.plot(
        x + shift + spread, rows["net"], "o", color=colour, ms=2.6, mec="#777777", mew=0.3, zorder=2
    )


def _handles(kinds: set[str]) -> list[Line2D]:
    marks = [("target", BLUE, "D", 5.0)]
    marks += [
        (label, colour, "o", 3.0) for kind, (label, colour, _) in CONTROLS.items() if kind in kinds
    ]
    return [
        Line2D([], [], linestyle="none", marker=marker, color=colour, ms=size, label=label)
        for label, colour, marker, size in marks
    ]
