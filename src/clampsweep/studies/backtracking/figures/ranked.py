"""Ranked neurons: volcano, layers of the top ones, and whether they hold on other events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.stats import hypergeom

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import BLUE, GREY, PALE, QUIET, VERMILION, floats, minus, styled
from clampsweep.names import Neuron
from clampsweep.studies.backtracking.figures.panels import (
    NEURON_GREY,
    contrast_panels,
    free_panels,
)
from clampsweep.studies.backtracking.heldout import confirmed
from clampsweep.words import counted

_LEVEL = 0.05
_SHOWN = 0.999  # share of neurons that the axis of g shows in full
_NAMED, _TOP, _BY_LOT = 3, 100, 300
_LEAST = 1e-300  # q below this is drawn here
_LEADER: Mapping[str, Any] = {
    "arrowstyle": "-",
    "color": "#BBBBBB",
    "linewidth": 0.5,
    "shrinkA": 0,
    "shrinkB": 2,
}
_DOT: Mapping[str, Any] = {"linestyle": "none", "marker": "o", "markersize": 3}
_WHOLE: Mapping[str, str] = {}


@styled
def volcano(
    neurons: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """Hedges' g of every neuron against -log10 of q, the confirmed ones coloured.

    Args:
        neurons: `NEURONS` by contrast.
        title: What the entry is.
        why: Reasons why a contrast has no ranking.
    """
    sure = "confirmed: q < 0.05, p_max < 0.05, same sign on select"
    marks = [
        Line2D([], [], color=NEURON_GREY, label="a neuron", **_DOT),
        Line2D([], [], color=VERMILION, label=sure, **_DOT),
        Line2D([], [], color=GREY, linestyle="--", linewidth=0.7, label="q = 0.05"),
    ]
    labels = "Hedges' g (events less controls, pooled SDs)", "\N{MINUS SIGN}log10 q"
    return contrast_panels(neurons, why, title, 1.75, _cloud, labels, marks, free_panels)


def _cloud(ax: Axes, own: pd.DataFrame) -> str:
    """A panel of the volcano."""
    height = -np.log10(floats(own["q"]).clip(min=_LEAST))
    far = _end(floats(own["g"]))
    g = floats(own["g"]).clip(-far, far)
    sure = own.index.isin(confirmed(own).index)
    for chosen, colour, size in ((~sure, NEURON_GREY, 1.8), (sure, VERMILION, 3.0)):
        ax.plot(g[chosen], height[chosen], "o", color=colour, markersize=size, markeredgewidth=0,
                alpha=0.6, rasterized=True)  # fmt: skip
    ax.axhline(-np.log10(_LEVEL), color=GREY, linewidth=0.7, linestyle="--")
    ax.axvline(0, color=GREY, linewidth=0.4)
    top = max(1.6, float(height.max()))
    ax.set_ylim(-0.03 * top, 1.42 * top)  # names stand above
    ax.set_xlim(-1.04 * far, 1.04 * far)
    plain_numbers(ax.xaxis, ax.yaxis)
    _name_first(ax, own.assign(g=g, height=height).nsmallest(_NAMED, "rank"))
    n1, n0 = int(own["n1"].iloc[0]), int(own["n0"].iloc[0])
    sizes = f"{counted(n1, 'event')}, {counted(n0, 'control')}"
    return f"{sizes}; {int(sure.sum()):,} of {len(own):,} confirmed"


def _end(g: Float64[np.ndarray, " neuron"]) -> float:
    """Where the axis of g ends; a neuron beyond, as one that is nearly constant, is drawn there."""
    return max(1.0, 1.25 * float(np.quantile(np.abs(g), _SHOWN, method="lower")))


def _name_first(ax: Axes, first: pd.DataFrame) -> None:
    """Names of the first neurons above the cloud, at the side on which they are."""
    for right, side in first.groupby(first["g"] > 0):
        for line, row in enumerate(side.sort_values("rank").to_dict("records")):
            ax.annotate(
                str(Neuron(int(row["layer"]), int(row["neuron"]))),
                (row["g"], row["height"]),
                (0.99 if right else 0.01, 0.96 - 0.085 * line),
                textcoords="axes fraction",
                ha="right" if right else "left",
                va="center",
                fontsize=6,
                color=QUIET,
                arrowprops={**_LEADER, "relpos": (0 if right else 1, 0.5)},
            )


@styled
def layers(
    neurons: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """How many of the 100 top-ranked neurons are in each layer, and how many by lot.

    Args:
        neurons: `NEURONS` by contrast.
        title: What the entry is.
        why: Reasons why a contrast has no ranking.
    """
    marks = [
        Patch(color=BLUE, label="top-ranked neurons"),
        Patch(color=VERMILION, label="more than the range"),
        Patch(color=PALE, label="as many by lot: 95 % range"),
        Line2D([], [], color=GREY, label="their mean"),
    ]
    return contrast_panels(neurons, why, title, 1.25, _histogram, ("layer", "neurons"), marks)


def _histogram(ax: Axes, own: pd.DataFrame) -> str:
    """A panel of layers."""
    there = own.groupby("layer").size()
    first = own.nsmallest(_TOP, "rank")
    found = first.groupby("layer").size().reindex(there.index, fill_value=0).to_numpy()
    low, high = (
        hypergeom.ppf(share, len(own), there.to_numpy(), len(first)) for share in (0.025, 0.975)
    )
    mean = len(first) * there.to_numpy() / len(own)
    at = there.index.to_numpy()
    ax.bar(at, high - low, bottom=low, width=1, color=PALE, zorder=0.5)
    ax.stairs(mean, np.append(at, at[-1] + 1) - 0.5, color=GREY, linewidth=0.8, baseline=None)
    colours = [VERMILION if more else BLUE for more in found > high]
    ax.bar(at, found, width=0.6, color=colours)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))
    outside = int((found > high).sum())
    return f"top {len(first)}; {counted(outside, 'layer')} of {len(there)} above the range"


@styled
def discovery_test(
    neurons: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """Areas of the 100 top-ranked neurons where they were ranked, and on the split test.

    Args:
        neurons: `NEURONS` by contrast.
        title: What the entry is.
        why: Reasons why a contrast has no ranking.
    """
    marks = [
        Line2D([], [], color=BLUE, label=f"top {_TOP} by rank", **_DOT),
        Line2D([], [], color=NEURON_GREY, label=f"{_BY_LOT} neurons by lot", **_DOT),
        Line2D([], [], color=GREY, linewidth=0.7, label="the same on both"),
    ]
    labels = "area on discover, turned by sign", "area on test"
    return contrast_panels(neurons, why, title, 1.75, _both_areas, labels, marks)


def _both_areas(ax: Axes, own: pd.DataFrame) -> str:
    """A panel of discovery beside test."""
    turned = own["auc"].where(own["sign"] > 0, 1 - own["auc"])
    points = pd.DataFrame({"discover": turned, "test": own["auc_test"], "rank": own["rank"]})
    first = points.nsmallest(_TOP, "rank")
    rest = points.drop(first.index)
    lot = rest.sample(min(_BY_LOT, len(rest)), random_state=0)
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
    ax.axhline(0.5, color=GREY, linewidth=0.7, linestyle="--")
    for rows, colour, size in ((lot, NEURON_GREY, 1.8), (first, BLUE, 2.6)):
        ax.plot(rows["discover"], rows["test"], "o", color=colour, markersize=size,
                markeredgewidth=0, alpha=0.7)  # fmt: skip
    ax.set_xlim(0.48, 1.01)
    ax.set_ylim(min(0.3, float(points["test"].loc[[*lot.index, *first.index]].min()) - 0.02), 1.02)
    plain_numbers(ax.xaxis, ax.yaxis)
    varied = (first[["discover", "test"]].nunique() > 1).all()
    rho = first["discover"].corr(first["test"], method="spearman") if varied else None
    said = "none" if rho is None else minus(f"{rho:.2f}")
    return f"top {len(first)}: rank correlation {said}, median on test {first['test'].median():.2f}"
