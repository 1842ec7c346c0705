"""Statistics of activations: over text, between domains, by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clampsweep.figures.style import (
    BLUE,
    GREY,
    PALE,
    TARGET_COLOURS,
    VERMILION,
    floats,
    minus,
    panels,
    say,
    styled,
)
from clampsweep.studies.universal.claims.data import MEASURED
from clampsweep.studies.universal.places import GATE, POST

_COLOURS = {GATE: BLUE, "up": "#009E73", POST: VERMILION}


@styled
def convergence(found: pd.DataFrame, pooled: pd.DataFrame, title: str) -> Figure:
    """Kurtosis over the length of the text: of neurons, and of values that are pooled.

    Args:
        found: `CONVERGENCE`.
        pooled: `POOLED`.
        title: What the entry is.
    """
    figure, ((left, right),) = panels(1, 2, 2.3)
    for var, rows in found.groupby("var", sort=False):
        colour = _COLOURS[str(var)]
        left.fill_between(rows["tokens"], rows["least"], rows["highest"], color=colour, alpha=0.15)
        left.plot(rows["tokens"], rows["median_kurt"], "-o", color=colour, label=str(var))
        left.plot(rows["tokens"], rows["p95_kurt"], ":", color=colour)
    left.axhline(3, color=GREY, linewidth=0.6)
    left.set(xscale="log", yscale="log", xlabel="tokens", ylabel="kurtosis of a neuron")
    left.set_title("median over neurons; dotted: 95th percentile")
    left.legend()
    for (place, first), rows in pooled.groupby(["place", "first"], sort=False):
        label = f"{place}, {'all positions' if first else 'without the first'}"
        right.plot(rows["tokens"], 100 * rows["share"], "-o" if first else "--s",
                   color=BLUE if place == "residual" else VERMILION, label=label)  # fmt: skip
    right.set(xlabel="tokens of a text", ylabel="% of the largest possible", ylim=(0, 100))
    right.set_title("kurtosis of pooled values")
    right.legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def new_data(found: pd.DataFrame, title: str) -> Figure:
    """Median differences of each pair with their intervals and margins; rank correlations.

    Args:
        found: `NEW_DATA`.
        title: What the entry is.
    """
    figure, (axes,) = panels(1, 3, 2.6, share_y="row", widths=[1.2, 1, 1])
    if found.empty:
        for ax in axes:
            say(ax, "no pairs")
        return figure
    names = list(dict.fromkeys(zip(found["new"], found["known"], strict=True)))[::-1]
    places = {pair: at for at, pair in enumerate(names)}
    kinds = [(POST, "kurt"), (GATE, "kurt"), (GATE, "freq")]
    offsets = np.linspace(0.24, -0.24, len(kinds))
    for (var, measure), offset, colour in zip(kinds, offsets, TARGET_COLOURS, strict=False):
        rows = found[(found["var"] == var) & (found["measure"] == measure)]
        at = np.array([places[pair] for pair in zip(rows["new"], rows["known"], strict=True)])
        value = floats(rows["estimate"])
        reach = np.abs(np.stack([floats(rows[end]) for end in ("low", "high")]) - value)
        axes[0].errorbar(value, at + offset, xerr=reach, fmt="o", color=colour, elinewidth=0.9,
                         label=f"{var} {MEASURED[measure]}")  # fmt: skip
        if measure == "kurt":
            for ax, name, null in ((axes[1], "spearman", "spearman_mixed"),
                                   (axes[2], "retained", "retained_mixed")):  # fmt: skip
                ax.plot(floats(rows[name]), at + offset, "o", color=colour)
                ax.plot(floats(rows[null]), at + offset, "|", color=colour, markersize=8)
    margin = float(found.loc[found["measure"] == "kurt", "margin"].iloc[0])
    axes[0].axvspan(-margin, margin, color=PALE)
    axes[0].axvline(0, color=GREY, linewidth=0.6)
    axes[0].set_yticks(range(len(names)), [f"{new} / {known}" for new, known in names])
    axes[0].set_xlabel("log-ratio, new over known")
    axes[0].xaxis.set_major_formatter(lambda value, _: minus(f"{value:g}"))
    axes[1].set(xlabel="rank correlation of kurtosis", xlim=(0, 1))
    axes[2].set(xlabel="share of the top neurons that stay", xlim=(0, 1))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def layers(stats: pd.DataFrame, values: pd.DataFrame, title: str) -> Figure:
    """Percentiles of the kurtosis of a layer's neurons, and the null of independent factors.

    Args:
        stats: `STATS` of the known domain.
        values: `VALUES`.
        title: What the entry is.
    """
    figure, (axes,) = panels(1, 2, 2.2)
    for ax, var in zip(axes, (GATE, POST), strict=True):
        own = stats[stats["var"] == var].groupby("layer")["kurt"]
        bands = own.quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
        if bands.empty:
            say(ax, "none")
            continue
        ax.fill_between(bands.index, bands[0.05], bands[0.95], color=BLUE, alpha=0.15)
        ax.fill_between(bands.index, bands[0.25], bands[0.75], color=BLUE, alpha=0.3)
        ax.plot(bands.index, bands[0.5], color=BLUE, label="median, 50 % and 90 % of neurons")
        if var == POST and values["kurt_null"].notna().any():
            null = values.groupby("layer")["kurt_null"].median()
            ax.plot(null.index, null, "--", color=VERMILION, label="up permuted against the gate")
        ax.axhline(3, color=GREY, linewidth=0.6)
        ax.set(yscale="log", xlabel="layer", ylabel="kurtosis")
        ax.set_title(var)
        ax.legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure
