"""Features of tokens: the best, discovery beside confirmation, all neurons beside chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from clampsweep.figures.style import (
    BLUE,
    GREY,
    QUIET,
    TARGET_COLOURS,
    TARGET_MARKERS,
    VERMILION,
    WIDTH,
    floats,
    panels,
    say,
    styled,
)
from clampsweep.studies.universal.claims.features import HAS_NEURON, neuron_name
from clampsweep.studies.universal.features.families import FAMILIES
from clampsweep.studies.universal.features.tables import TESTED
from clampsweep.verdicts import SUPPORTED

_BARS, _NAMED = 30, 6
_COLOURS = (*TARGET_COLOURS, GREY, "#B8A800")
_MARKERS = (*TARGET_MARKERS, "X", "<")


@styled
def best(features: pd.DataFrame, verdicts: pd.DataFrame, title: str) -> Figure:
    """Bars of the features that are explained best, with intervals and what chance reaches.

    Args:
        features: `FEATURES`.
        verdicts: `VERDICTS` of the slice.
        title: What the entry is.
    """
    tested = features[features["outcome"] == TESTED].sort_values("vr_confirmation")
    own, n = tested.tail(_BARS), len(tested)
    figure = Figure(figsize=(WIDTH, 1.5 + 0.16 * max(len(own), 4)), layout="constrained")
    figure.suptitle(f"{title}: {len(own)} best of {n} features", x=0.01, ha="left", color=QUIET)
    ax = figure.add_subplot()
    if not n:
        say(ax, "no feature is frequent enough to be tested")
        return figure
    sure = set(verdicts.loc[_is_sure(verdicts), "subject"])
    at, vr = np.arange(len(own)), floats(own["vr_confirmation"])
    faces = [_colour(family) for family in own["family"]]
    bars = ax.barh(at, vr, color=faces, height=0.72, alpha=0.75)
    for bar, name in zip(bars, own["feature"], strict=True):
        bar.set_alpha(0.75 if name in sure else 0.25)
    reach = np.abs(np.stack([floats(own[end]) for end in ("low", "high")]) - vr)
    ax.errorbar(vr, at, xerr=np.nan_to_num(reach), fmt="none", ecolor=GREY, elinewidth=0.8)
    ax.plot(floats(own["null_max"]), at, "|", color=VERMILION, markersize=7, markeredgewidth=1.4)
    ends = np.nan_to_num(floats(own["high"]), nan=0.0)
    for place, row in enumerate(own.to_dict("records")):
        ax.text(float(max(vr[place], ends[place])) + 0.012, place, neuron_name(row), va="center",
                fontsize=6, color=QUIET)  # fmt: skip
    ax.set_yticks(at, list(own["feature"]), fontsize=6.5)
    ax.set_ylim(-0.7, len(own) - 0.3)
    ax.set_xlim(0, 1.08)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("variance reduction on confirmation (red: most that moved labels reach)")
    _legend(figure, own)
    return figure


@styled
def confirmation(features: pd.DataFrame, title: str) -> Figure:
    """Variance reduction of each feature's neuron: where it was chosen, and elsewhere.

    Args:
        features: `FEATURES`.
        title: What the entry is.
    """
    own = features[features["outcome"] == TESTED]
    figure, ((ax,),) = panels(1, 1, 4.2)
    figure.set_figwidth(0.8 * WIDTH)
    figure.suptitle(title, x=0.01, ha="left", color=QUIET)
    if not len(own):
        say(ax, "no feature is frequent enough to be tested")
        return figure
    ax.plot([0, 1], [0, 1], color=GREY, linewidth=0.7)
    for family in FAMILIES:
        rows = own[own["family"] == family]
        at = floats(rows["vr_discovery"])
        vr = floats(rows["vr_confirmation"])
        reach = np.abs(np.stack([floats(rows[end]) for end in ("low", "high")]) - vr)
        ax.errorbar(at, vr, yerr=np.nan_to_num(reach), color=_colour(family),
                    fmt=_MARKERS[FAMILIES.index(family)], elinewidth=0.6, alpha=0.8)  # fmt: skip
    far = own.assign(off=(own["vr_confirmation"] - own["vr_discovery"]).abs())
    for row in far.sort_values("off").tail(_NAMED).to_dict("records"):
        ax.annotate(row["feature"], (row["vr_discovery"], row["vr_confirmation"]), (4, -2),
                    textcoords="offset points", fontsize=6, color=QUIET)  # fmt: skip
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(-0.02, 1.02)
    ax.set_xlabel("variance reduction on discovery, which chose the neuron")
    ax.set_ylabel("on confirmation")
    _legend(figure, own)
    return figure


@styled
def histogram(counts: pd.DataFrame, features: pd.DataFrame, title: str) -> Figure:
    """How many neurons are explained how far by any feature, and how many by moved labels.

    Args:
        counts: `HISTOGRAM`.
        features: `FEATURES`.
        title: What the entry is.
    """
    figure, ((ax,),) = panels(1, 1, 2.4)
    figure.suptitle(title, x=0.01, ha="left", color=QUIET)
    if not (features["outcome"] == TESTED).any():
        say(ax, "no feature is frequent enough to be tested")
        return figure
    edges = np.append(floats(counts["low"]), floats(counts["high"])[-1:])
    edges[0] = edges[1] ** 2 / edges[2]
    ax.stairs(floats(counts["null_neurons"]), edges, fill=True, color=GREY, alpha=0.3,
              label="moved labels")  # fmt: skip
    ax.stairs(floats(counts["neurons"]), edges, color=BLUE, linewidth=1.3, label="labels")
    limit = features.loc[features["moved"] == "shift", "null_max"].max()
    reached = f"most that any neuron reaches, sequences turned round ({limit:.3f})"
    ax.axvline(limit, color=VERMILION, linestyle="--", label=reached)
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=1)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.set_xlabel("largest variance reduction of any feature (log scale)")
    ax.set_ylabel("neurons (log scale)")
    figure.legend(loc="outside lower center", ncols=3)
    return figure


def _is_sure(verdicts: pd.DataFrame) -> pd.Series:
    return (verdicts["claim"] == HAS_NEURON) & (verdicts["verdict"] == SUPPORTED)


def _colour(family: str) -> str:
    return _COLOURS[FAMILIES.index(family)]


def _legend(figure: Figure, own: pd.DataFrame) -> None:
    """Say which colour is which family."""
    shown = [family for family in FAMILIES if family in set(own["family"])]
    marks = [
        Line2D([], [], linestyle="none", marker=_MARKERS[FAMILIES.index(family)],
               color=_colour(family), label=family)
        for family in shown
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=4, handletextpad=0.2)


def drawn(
    features: pd.DataFrame, counts: pd.DataFrame, verdicts: pd.DataFrame, title: str
) -> dict[str, Figure]:
    """All figures of the slice, by name.

    Args:
        features: `FEATURES`.
        counts: `HISTOGRAM`.
        verdicts: `VERDICTS` of the slice.
        title: What the entry is.
    """
    return {
        "features_best": best(features, verdicts, title),
        "features_confirmation": confirmation(features, title),
        "features_histogram": histogram(counts, features, title),
    }
