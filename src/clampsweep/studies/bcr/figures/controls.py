"""A target beside its controls: what each of them does to collapse, clamp by clamp."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from clampsweep.figures.style import BLUE, WIDTH, floats, panels, styled, title
from clampsweep.studies.bcr.among_controls import CONTROL_KINDS, AmongControls
from clampsweep.studies.bcr.figures.panels import CONTROLS, clamp_axis, empty, finish, left_out
from clampsweep.studies.bcr.headline import headline
from clampsweep.studies.bcr.view import Tables
from clampsweep.words import counted, listed

MAX_TARGETS = 3

BEST = "#E4EDF7"


@styled
def controls(view: Tables) -> Figure:
    """Net effect (rescued minus harmed texts) of each target and of each of its controls.

    On the prompts and clamps that the target's own controls ran on. One row of panels per detector,
    one column per target; the target's best clamp is marked. Definitions:
    `clampsweep.studies.bcr.special`.
    """
    beside = view.among_controls
    if beside is None:
        return empty(view, "No controls were run: the config key controls asks for them.")
    shown = view.targets[:MAX_TARGETS]
    figure, grid = panels(len(view.detectors), len(shown), 1.9, "row")
    width = WIDTH / len(shown) - 0.5
    for row, detector in zip(grid, view.detectors, strict=True):
        for ax, target in zip(row, shown, strict=True):
            clamps = beside.positions_of(target)
            _draw(ax, _rows(beside.own_counts, detector, "target", target), clamps, BLUE)
            theirs = _rows(beside.counts, detector, "of", target)
            for kind, (_, colour, shift) in CONTROLS.items():
                _draw(ax, theirs[theirs["kind"] == kind], clamps, colour, shift)
            if (best := beside.best_of(detector, target)) and best["position"] in clamps:
                x = clamps.index(best["position"])
                ax.axvspan(x - 0.45, x + 0.45, color=BEST, linewidth=0, zorder=0)
            ax.axhline(0, color="#777777", linewidth=0.6)
            ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
            title(
                ax, list(_said(view, beside, detector, target)), width, 7 if len(shown) == 1 else 6
            )
            clamp_axis(ax, view, width, clamps=clamps)
        row[0].set_ylabel("rescued \N{MINUS SIGN} harmed (texts)")
    remarks = [
        f"Net effect of the target and of each control: {beside.sizes}.",
        "Rescues (harms): share of the controls whose largest net rescue (harm) is smaller.",
    ]
    return finish(
        figure,
        view,
        _handles(set(beside.counts["kind"]), view),
        [*remarks, *left_out(view, MAX_TARGETS)],
    )


def _rows(counts: pd.DataFrame, detector: str, column: str, target: str) -> pd.DataFrame:
    rows = counts[(counts["detector"] == detector) & (counts[column] == target)]
    return rows.sort_values(["position", "target"])


def _said(view: Tables, beside: AmongControls, detector: str, target: str) -> Iterator[str]:
    """The verdict, and where the target stands among its controls: by rescues, by harm."""
    single = len(view.targets) == 1
    named = f"{view.shown[target]}, {detector}"
    yield f"{named}: {headline(view, detector)}" if single else named
    for statistic, does in (("best_net", "rescues"), ("worst_net", "harms")):
        said = []
        ranks = beside.ranks_of(detector, target, statistic)
        for row in ranks[ranks["bound"] > 0].to_dict("records"):
            number = counted(row["n_controls"], CONTROL_KINDS[row["kind"]])
            chance = f"(p = {row['p']:.2g})" if single else f"(q = {row['q']:.2g})"
            share = f"{row['percentile']:.0f} %"
            chance, share = (words.replace(" ", "\N{NO-BREAK SPACE}") for words in (chance, share))
            said.append(f"{share} of {number} {chance}")
        if said:
            yield f"{does} more than {listed(said)}"


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


def _handles(kinds: set[str], view: Tables) -> list[Artist]:
    marks = [("target", BLUE, "D", 5.0)]
    marks += [
        (label, colour, "o", 3.0) for kind, (label, colour, _) in CONTROLS.items() if kind in kinds
    ]
    best = [Patch(color=BEST, label="best clamp of the target")] if _marks_best(view) else []
    return [
        *best,
        *(
            Line2D([], [], linestyle="none", marker=marker, color=colour, ms=size, label=label)
            for label, colour, marker, size in marks
        ),
    ]


def _marks_best(view: Tables) -> bool:
    """Whether some target has a best clamp that its controls ran at."""
    beside = view.among_controls
    return beside is not None and any(
        best["position"] in beside.positions_of(target)
        for target in view.targets
        for detector in view.detectors
        if (best := beside.best_of(detector, target))
    )
