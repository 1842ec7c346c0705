"""Statistics of activations: over more text, over layers, on new domains against known ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from clampsweep.figures.scales import logarithmic
from clampsweep.figures.style import (
    BLUE,
    GREY,
    PALE,
    TARGET_MARKERS,
    VERMILION,
    floats,
    minus,
    panels,
    say,
    styled,
)
from clampsweep.studies.universal.claims.pairs import MEASURE_NAMES
from clampsweep.studies.universal.data_view import DataView
from clampsweep.studies.universal.places import GATE, POST

_BINS = 40

_BANDS = (0.05, 0.25, 0.5, 0.75, 0.95)

_MOST_PAIRS = 6

_NO_PAIR = "The entry compares no domains."


def draw(view: DataView, title: str) -> Mapping[str, Figure]:
    """Every figure, by its name.

    Args:
        view: The tables.
        title: What the entry is.
    """
    return {
        "kurtosis_tokens": tokens(view.convergence, view.pooled, view.domain, title),
        "kurtosis_layers": layers(view.stats, view.domain, title),
        "log_ratios": ratios(view.new_data, title),
        "domain_ranks": ranks(view.stats, view.new_data, title),
    }


@styled
def tokens(convergence: pd.DataFrame, pooled: pd.DataFrame, domain: str, title: str) -> Figure:
    """Kurtosis over more text; share of the possible maximum, pooled.

    Args:
        convergence: `CONVERGENCE`.
        pooled: `POOLED`.
        domain: The domain of both.
        title: What the entry is.
    """
    figure, ((ax, other),) = panels(1, 2, 2.3)
    colours = zip((GATE, POST), (BLUE, VERMILION), strict=True)
    for var, colour in colours:
        own = convergence[convergence["var"] == var]
        ends = floats(own["least"]), floats(own["highest"])
        ax.fill_between(own["tokens"], *ends, color=colour, alpha=0.2, linewidth=0)
        ax.plot(own["tokens"], floats(own["median_kurt"]), "o-", color=colour, label=var)
    ax.axhline(3, color=GREY, linewidth=0.6, linestyle="--")
    logarithmic(ax, "y")
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel(f"positions of {domain}")
    ax.set_ylabel("kurtosis of the median neuron")
    ax.legend()
    kinds = pooled.groupby(["place", "first"], sort=False)
    for ((place, first), own), marker in zip(kinds, TARGET_MARKERS, strict=False):
        label = f"{place}, {'all positions' if first else 'without the first'}"
        other.plot(own["tokens"], 100 * floats(own["share"]), marker=marker, label=label,
                   color=VERMILION if first else BLUE)  # fmt: skip
    other.set_xlabel("tokens of a text")
    other.set_ylabel("pooled kurtosis, % of the possible")
    other.set_ylim(0, 105)
    other.legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def layers(stats: pd.DataFrame, domain: str, title: str) -> Figure:
    """Percentile bands of kurtosis over layers.

    Args:
        stats: `STATS`.
        domain: The domain that is shown.
        title: What the entry is.
    """
    figure, grid = panels(1, 2, 2.3)
    for ax, var in zip(grid[0], (GATE, POST), strict=True):
        own = stats[(stats["domain"] == domain) & (stats["var"] == var)].dropna(subset="kurt")
        bands = own.groupby("layer")["kurt"].quantile(np.array(_BANDS)).unstack()
        ax.fill_between(bands.index, bands[0.05], bands[0.95], color=BLUE, alpha=0.15, linewidth=0,
                        label="5th to 95th percentile")  # fmt: skip
        ax.fill_between(bands.index, bands[0.25], bands[0.75], color=BLUE, alpha=0.3, linewidth=0,
                        label="quartiles")  # fmt: skip
        ax.plot(bands.index, bands[0.5], color=BLUE, label="median")
        ax.axhline(3, color=GREY, linewidth=0.6, linestyle="--")
        logarithmic(ax, "y")
        ax.set_title(f"{var}, {domain}")
        ax.set_xlabel("layer")
    grid[0][0].set_ylabel("kurtosis")
    grid[0][0].legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def ratios(new_data: pd.DataFrame, title: str) -> Figure:
    """Median differences between domains, with intervals, margins and what chance gives.

    Args:
        new_data: `NEW_DATA`.
        title: What the entry is.
    """
    figure, grid = panels(1, len(MEASURE_NAMES), 2.3)
    for at, (ax, (kind, name)) in enumerate(zip(grid[0], MEASURE_NAMES.items(), strict=True)):
        own = new_data[(new_data["var"] == kind[0]) & (new_data["measure"] == kind[1])].iloc[::-1]
        ax.set_title(name)
        if own.empty:
            say(ax, _NO_PAIR if not at else "")
            continue
        _ratio_panel(ax, own, named=not at)
        ax.set_xlabel("standard deviations" if kind[1] == "mean" else "log-ratio")
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _ratio_panel(ax: Axes, own: pd.DataFrame, named: bool) -> None:
    """A row for each pair of domains."""
    at, estimate, margin = np.arange(len(own)), floats(own["estimate"]), own["margin"].iloc[0]
    reach = np.abs(np.stack([floats(own[end]) for end in ("low", "high")]) - estimate)
    ax.axvspan(-margin, margin, color=PALE, zorder=0.5)
    ax.axvline(0, color=GREY, linewidth=0.6)
    mixed = floats(own["mixed_low"]), floats(own["mixed_high"])
    ax.hlines(at - 0.2, *mixed, color=GREY, linewidth=3, alpha=0.6)
    ax.errorbar(estimate, at, xerr=reach, fmt="o", color=BLUE, elinewidth=0.9)
    pairs = [f"{new} / {known}" for new, known in zip(own["new"], own["known"], strict=True)]
    ax.set_yticks(at, pairs if named else [""] * len(at))
    ax.set_ylim(-0.6, len(at) - 0.4)
    ax.xaxis.set_major_formatter(lambda value, _: minus(f"{value:g}"))


@styled
def ranks(stats: pd.DataFrame, new_data: pd.DataFrame, title: str) -> Figure:
    """Where neurons stand by post kurtosis, in the known domain and in the new one.

    Args:
        stats: `STATS`.
        new_data: `NEW_DATA`.
        title: What the entry is.
    """
    own = new_data[(new_data["var"] == POST) & (new_data["measure"] == "kurt")][:_MOST_PAIRS]
    columns = min(3, max(1, len(own)))
    figure, grid = panels(max(1, -(-len(own) // columns)), columns, 1.9)
    every = [ax for row in grid for ax in row]
    if own.empty:
        say(every[0], _NO_PAIR)
    post = stats[stats["var"] == POST].set_index(["layer", "neuron"])
    for ax, row in zip(every, own.to_dict("records"), strict=False):
        both = [post.loc[post["domain"] == row[side], "kurt"] for side in ("known", "new")]
        table = pd.concat(both, axis=1, keys=["known", "new"]).dropna().rank(pct=True)
        counts, x, y = np.histogram2d(table["known"], table["new"], _BINS, [[0, 1], [0, 1]])
        even = max(len(table) / _BINS**2, 1e-9)
        ax.pcolormesh(100 * x, 100 * y, np.log2(counts.T / even + 0.25), cmap="Blues",
                      vmin=-2, vmax=4, rasterized=True)  # fmt: skip
        ax.set_title(f"rho {row['spearman']:.2f}; mixed texts {row['spearman_mixed']:.2f}")
        ax.set_xlabel(f"percentile in {row['known']}")
        ax.set_ylabel(f"percentile in {row['new']}")
    for ax in every[max(1, len(own)) :]:
        ax.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left")
    return figure
