"""What a clamp does to collapse: the share rescued, and rescue against harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from clampsweep.figures.style import (
    BLUE,
    VERMILION,
    WIDTH,
    floats,
    panels,
    runs,
    say,
    styled,
    title,
)
from clampsweep.studies.bcr.effect import significant
from clampsweep.studies.bcr.figures.panels import (
    MAX_TARGETS,
    SAMPLING,
    clamp_axis,
    control_band,
    control_handles,
    empty,
    finish,
    left_out,
    target_handles,
    target_styles,
)
from clampsweep.studies.bcr.headline import headline
from clampsweep.studies.bcr.view import Tables
from clampsweep.verdicts import LEVEL
from clampsweep.words import counted, listed


@styled
def improvement_rate(view: Tables) -> Figure:
    """Share of collapsed baselines that each clamp rescues, with 95 % Wilson intervals.

    One panel per detector, one line per target; bars show the controls, a band what sampling alone
    rescues. Several targets with controls have a row of panels each, beside its own controls.
    Definition: `RATES`, `rescue_rate`.
    """
    collapsing = [
        name for name in view.detectors if view.baselines_of(name)["baseline_collapsed"].any()
    ]
    if not collapsing:
        by = listed(view.detectors) or "none chosen"
        return empty(view, f"No baseline is collapsed, so there is nothing to rescue ({by}).")
    figure = (_rates_of_each if _apart(view) else _rates_of_all)(view, collapsing)
    remarks = ["Share of the collapsed baselines that a clamp rescues, with 95 % Wilson intervals."]
    handles = [*target_handles(view), *control_handles(view)]
    if view.among_controls is not None:
        remarks.append(f"Bars: {view.among_controls.sizes}; line: their median.")
    if _apart(view) and len(collapsing) < len(view.detectors):
        rest = [name for name in view.detectors if name not in collapsing]
        remarks.append(f"Nothing to rescue by {listed(rest)}: no baseline is collapsed.")
    if view.variability is not None:
        n_seeds = view.variability["seed"].nunique()
        label = f"sampling alone, {counted(n_seeds, 'seed')}: range, mean"
        handles.append(Patch(color=SAMPLING, label=label))
    return finish(figure, view, handles, [*remarks, *left_out(view)])


def _apart(view: Tables) -> bool:
    """Whether targets have panels of their own: one's controls are not the other's."""
    return view.among_controls is not None and len(view.targets) > 1


def _rates_of_all(view: Tables, collapsing: Sequence[str]) -> Figure:
    """A panel per detector, with all targets."""
    figure, grid = panels(len(view.detectors), 1, 1.75, share_y="all")
    for (ax,), detector in zip(grid, view.detectors, strict=True):
        title(ax, _said(view, detector), WIDTH - 0.6, 8)
        if detector in collapsing:
            _draw_beside(ax, view, detector, view.targets)
            for target, colour, marker, shift in target_styles(view):
                _draw_rates(ax, view.rates_of(detector, target), colour, marker, shift)
        else:
            say(ax, "No baseline is collapsed, so there is nothing to rescue.")
        _share_axis(ax)
        ax.set_ylabel("share rescued")
    clamp_axis(grid[-1][0], view, WIDTH - 0.6)
    return figure


def _rates_of_each(view: Tables, collapsing: Sequence[str]) -> Figure:
    """A row of panels per target, beside its own controls; a column per detector."""
    styles = list(target_styles(view))
    height = 2.0 if len(styles) < 4 else 1.5
    figure, grid = panels(len(styles), len(collapsing), height, share_y="all")
    width = WIDTH / len(collapsing) - 0.6
    for row, (target, colour, marker, _) in zip(grid, styles, strict=True):
        for ax, detector in zip(row, collapsing, strict=True):
            _draw_beside(ax, view, detector, [target])
            _draw_rates(ax, view.rates_of(detector, target), colour, marker, 0.0)
            _share_axis(ax)
            clamp_axis(ax, view, width)
        row[0].set_ylabel(f"{view.shown[target]}\nshare rescued")
    for ax, detector in zip(grid[0], collapsing, strict=True):
        title(ax, _said(view, detector), width, 6 if len(collapsing) > 1 else 8)
    return figure


def _share_axis(ax: Axes) -> None:
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))


def _said(view: Tables, detector: str) -> list[str]:
    """The verdict of a detector, and how many baselines collapse."""
    said = headline(view, detector)
    return [f"{detector}: {said}", view.headline(detector).partition(": ")[2]]


def _draw_beside(ax: Axes, view: Tables, detector: str, targets: Sequence[str]) -> None:
    """What the targets' controls rescue at each clamp, and what sampling alone rescues."""
    if view.among_controls is not None:
        rows = view.among_controls.counts
        rows = rows[(rows["detector"] == detector) & rows["of"].isin(targets)]
        control_band(ax, rows, rows["n_rescued"] / rows["n_collapsed_baseline"])
    if view.variability is not None:
        seeds = view.variability[view.variability["detector"] == detector]
        share = floats(seeds["n_rescued"]) / floats(seeds["n_collapsed_baseline"])
        ax.axhspan(share.min(), share.max(), color=SAMPLING, linewidth=0, zorder=0.2)
        ax.axhline(share.mean(), color="#5FA98A", linewidth=0.8, zorder=0.3)


def _draw_rates(ax: Axes, rows: pd.DataFrame, colour: str, marker: str, shift: float) -> None:
    for run in runs(rows):
        x, rate = floats(run["position"]) + shift, floats(run["rescue_rate"])
        ax.vlines(x, run["rescue_low"], run["rescue_high"], colour, linewidth=1.0, alpha=0.55)
        ax.plot(x, rate, color=colour, marker=marker)


@styled
def rescue_vs_harm(view: Tables) -> Figure:
    """Number of texts that each clamp rescues (upwards) and harms (downwards), and the net.

    Whiskers are 95 % Wilson intervals of the two rates, in texts. The net marker is filled where
    the q values of the exact McNemar test and of the sign-flip test over cores are both below
    `verdict.LEVEL`. One panel per detector; with several targets, a row of panels each.
    """
    if not view.detectors:
        return empty(view, "No collapse detector was chosen, so there is no rescue or harm.")
    shown, detectors = view.targets[:MAX_TARGETS], view.detectors
    single = len(shown) == 1
    rows, columns = (len(detectors), 1) if single else (len(shown), len(detectors))
    figure, grid = panels(rows, columns, 1.9 if single else 1.5, "none" if single else "col")
    width = WIDTH / columns - 0.5
    pairs = [(target, detector) for target in shown for detector in detectors]
    for place, (target, detector) in enumerate(pairs):
        ax = grid[place // columns][place % columns]
        _draw_balance(ax, view.rates_of(detector, target), labelled=width / len(view.clamps) > 0.16)
        if place < len(detectors):
            title(ax, _said(view, detector), width, 8 if columns == 1 else 6)
        if place % columns == 0:
            ax.set_ylabel(
                "harmed | rescued (texts)" if single else f"{view.shown[target]}\nharmed | rescued"
            )
        clamp_axis(ax, view, width)
    handles = [
        Patch(color=BLUE, label="rescued"),
        Patch(color=VERMILION, label="harmed"),
        _net_mark("white", "net, not significant"),
        _net_mark("black", f"net, significant (both q < {LEVEL})"),
    ]
    remark = "Texts that a clamp rescues (up) and harms (down), with 95 % Wilson intervals."
    return finish(figure, view, handles, [remark, *left_out(view)])


def _net_mark(fill: str, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker="D", color="black", markerfacecolor=fill, label=label
    )


def _draw_balance(ax: Axes, rates: pd.DataFrame, labelled: bool) -> None:
    """Bars up (rescued) and down (harmed), their intervals, their numbers, and the net."""
    x = floats(rates["position"])
    for sign, count, of, low, high, colour in (
        (1, "n_rescued", "n_collapsed_baseline", "rescue_low", "rescue_high", BLUE),
        (-1, "n_harmed", "n_fine_baseline", "harm_low", "harm_high", VERMILION),
    ):
        heights, among = sign * floats(rates[count]), sign * floats(rates[of])
        ends = among * floats(rates[high])
        ax.bar(x, heights, width=min(0.72, 0.12 + 0.15 * len(x)), color=colour, linewidth=0)
        ax.vlines(x, among * floats(rates[low]), ends, "#333333", linewidth=0.7)
        for at, height, end in zip(x, heights, ends, strict=True):
            if labelled and height:
                words, above = f"{abs(height):.0f}", "bottom" if sign > 0 else "top"
                ax.annotate(words, (at, end), (0, sign), textcoords="offset points", ha="center",
                            va=above, fontsize=6.5, color=colour)  # fmt: skip
    filled = np.where(significant(rates), "black", "white")
    ax.scatter(
        x, rates["net"], 13, c=filled, marker="D", edgecolors="black", linewidths=0.7, zorder=3
    )
    ax.axhline(0, color="#777777", linewidth=0.6)
    ax.use_sticky_edges = False
    ax.margins(y=0.12)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{abs(value):.0f}"))
