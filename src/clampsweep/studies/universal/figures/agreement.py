"""Figures of the agreement with other models: tables in, a matplotlib figure out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from clampsweep.figures.style import (
    BLUE,
    GREY,
    PALE,
    TARGET_COLOURS,
    VERMILION,
    panels,
    say,
    styled,
)
from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.agreed_tables import MEASURES
from clampsweep.studies.universal.gt1_tables import CHANCE, METRICS
from clampsweep.studies.universal.gt1_tables import UNIVERSAL as CHOSEN

_ALONE = "No other model is named."


@styled
def excess_correlation(pairs: pd.DataFrame, corr: pd.DataFrame, cut: float, title: str) -> Figure:
    """Highest correlations beside chance and rotations, and the excess, over neurons.

    Args:
        pairs: A `PAIRS` table.
        corr: A `CORR` table.
        cut: Excess correlation above which a neuron is universal.
        title: What the entry is.
    """
    figure, [[left, right]] = panels(1, 2, 2.6)
    figure.suptitle(title)
    if not len(corr):
        for ax in (left, right):
            say(ax, _ALONE)
        return figure
    kinds = {
        "corr": ("the other model", BLUE, "-"),
        "shifted": ("its text shifted", VERMILION, "-"),
        "baseline": ("its layers rotated, Gaussian", GREY, "--"),
        "baseline_orthogonal": ("the same, orthogonal", GREY, ":"),
    }
    for name, (label, colour, line) in kinds.items():
        _share_above(left, pairs[name].dropna(), label, colour, line)
    left.set_xlabel("highest correlation")
    left.set_ylabel("share of neurons above")
    measures = {"excess_corr": ("over Gaussian rotations", BLUE, "-")}
    measures["excess_orthogonal"] = ("over orthogonal rotations", GREY, ":")
    for name, (label, colour, line) in measures.items():
        _share_above(right, corr[name].dropna(), label, colour, line)
    shifted = (corr["mean_shifted"] - corr["mean_baseline"]).dropna()
    _share_above(right, shifted, "by shifted text", VERMILION, "-")
    right.axvline(cut, color=GREY, linewidth=0.7, label=f"cut, {cut:g}")
    right.set_xlabel("excess correlation, mean over models")
    figure.legend(handles=left.get_legend_handles_labels()[0], loc="outside lower left")
    figure.legend(handles=right.get_legend_handles_labels()[0], loc="outside lower right")
    return figure


def _share_above(ax: Axes, values: pd.Series, label: str, colour: str, line: str) -> None:
    """Share of values above each, on a scale of powers of ten."""
    ascending = np.sort(values.to_numpy(float))
    share = 1 - np.arange(len(ascending)) / max(len(ascending), 1)
    ax.step(ascending, share, where="pre", color=colour, linestyle=line, label=label)
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))


@styled
def universal_neurons(
    metrics: pd.DataFrame, corr: pd.DataFrame, gt1: pd.DataFrame, title: str
) -> Figure:
    """Percentiles within layers of universal neurons, and Cliff's deltas with intervals.

    Args:
        metrics: `layer`, `neuron` and a column a metric.
        corr: A `CORR` table.
        gt1: A `GT1` table.
        title: What the entry is.
    """
    figure, [[left, right]] = panels(1, 2, 3.2, share_y="all", widths=(3, 2))
    figure.suptitle(title)
    if not len(corr) or not corr["universal"].any():
        for ax in (left, right):
            say(ax, "No neuron is universal." if len(corr) else _ALONE)
        return figure
    joined = metrics.merge(corr[["layer", "neuron", CHOSEN, CHANCE]], on=["layer", "neuron"])
    names = list(METRICS)[::-1]
    for at, name in enumerate(names):
        ranks = joined.groupby("layer")[name].rank(pct=True) * 100
        _letter_values(left, ranks[joined[CHOSEN]].dropna().to_numpy(), at)
        for group, colour, off in ((CHOSEN, BLUE, 0.14), (CHANCE, VERMILION, -0.14)):
            row = gt1[(gt1["chosen"] == group) & (gt1["metric"] == name)].iloc[0]
            if row["n"]:
                ends = [
                    [row["matched"] - row["matched_low"]],
                    [row["matched_high"] - row["matched"]],
                ]
                ax_label = (
                    {CHOSEN: "universal", CHANCE: "by shifted text"}[group] if not at else None
                )
                right.errorbar(row["matched"], at + off, xerr=np.maximum(ends, 0), fmt="o",
                               color=colour, linewidth=0.9, label=ax_label)  # fmt: skip
    left.axvline(50, color=GREY, linewidth=0.7)
    right.axvline(0, color=GREY, linewidth=0.7)
    left.set_yticks(range(len(names)), [METRICS[name].what for name in names])
    left.set_xlabel("percentile within the layer")
    right.set_xlabel("Cliff's delta to like weights")
    figure.legend(handles=right.get_legend_handles_labels()[0], loc="outside lower right")
    return figure


def _letter_values(ax: Axes, values: np.ndarray, at: int) -> None:
    """Nested boxes of the middle 50, 75 and 87.5 % of values, and their median."""
    if not len(values):
        return
    for tail, colour, height in ((0.0625, PALE, 0.34), (0.125, "#A9CFE5", 0.5), (0.25, BLUE, 0.66)):
        low, high = np.quantile(values, [tail, 1 - tail])
        ax.barh(at, high - low, left=low, height=height, color=colour, linewidth=0)
    ax.plot([np.median(values)] * 2, [at - 0.33, at + 0.33], color="white", linewidth=1.4)


@styled
def persistence(found: pd.DataFrame, title: str) -> Figure:
    """Medians of universal neurons and of the others at each checkpoint.

    Args:
        found: A `PERSISTENCE` table.
        title: What the entry is.
    """
    figure, [axes] = panels(1, 2, 2.4, share_y="all")
    figure.suptitle(title)
    for ax, (measure, what) in zip(axes, MEASURES.items(), strict=True):
        own = found[found["measure"] == measure].sort_values("place")
        if not len(own):
            say(ax, "No checkpoint is named.")
            continue
        for column, label, colour in (
            ("median", "universal neurons", TARGET_COLOURS[0]),
            ("median_rest", "the others", GREY),
        ):
            ax.plot(own["place"], own[column].astype(float), "o-", color=colour, label=label)
        ax.set_xticks(own["place"], own["checkpoint"], rotation=30, ha="right")
        ax.set_ylabel(f"{what}, median")
        ax.legend(loc="best")
    return figure


def figures(given: Agreed, neurons: pd.DataFrame, cut: float, title: str) -> dict[str, Figure]:
    """All figures of the slice, by name.

    Args:
        given: Tables of the slice.
        neurons: A `NEURONS` table.
        cut: Excess correlation above which a neuron is universal.
        title: What the entry is.
    """
    return {
        "excess_correlation": excess_correlation(given.pairs, given.corr, cut, title),
        "universal_neurons": universal_neurons(neurons, given.corr, given.gt1, title),
        "persistence": persistence(given.persistence, title),
    }
