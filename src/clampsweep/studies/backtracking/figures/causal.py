"""Interventions: effect on the onset over how many neurons are changed, and against harm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import (
    BLUE,
    GREY,
    PALE,
    TARGET_COLOURS,
    TARGET_MARKERS,
    VERMILION,
    WIDTH,
    floats,
    panels,
    styled,
)
from clampsweep.figures.style import title as title_of
from clampsweep.studies.backtracking.figures.panels import (
    NEURON_GREY,
    Multiples,
    Reach,
    Shown,
    excuse,
    finish,
    legend,
    logarithmic_x,
)
from clampsweep.studies.backtracking.sets import BOTTOM, TOP
from clampsweep.studies.backtracking.tables import (
    INTERVENTIONS,
    MEAN,
    PRED_POS,
    RAISE,
    RESAMPLE,
    ZERO,
)

_SAYS = {
    ZERO: "held at zero",
    MEAN: "at controls' mean",
    RESAMPLE: "at a control's value",
    RAISE: "raised, at controls",
}

_BAND = "#D0D0D0"
_SURE = 0.05
_NO_HARM = 1e-6  # nats; less is drawn here
_WHOLE: Mapping[str, str] = {}


@styled
def dose(
    effects: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """Effect on the onset over how many neurons are changed, over what random sets do.

    Args:
        effects: `EFFECTS` by contrast; of scope pred_pos.
        title: What the entry is.
        why: Reasons why a contrast has none.
    """
    shown = Shown.of(effects, why)
    if not shown.names:
        return shown.nothing(title)
    figure, grid = panels(len(shown.names), len(INTERVENTIONS), 1.35, "row")
    for axes, name in zip(grid, shown.names, strict=True):
        own = effects[name][effects[name]["scope"] == PRED_POS]
        for ax, intervention in zip(axes, INTERVENTIONS, strict=True):
            title_of(ax, [name, _SAYS[intervention]], WIDTH / 4.6, 7)
            _curve(ax, own[own["intervention"] == intervention].sort_values("k"))
        axes[0].set_ylabel("effect, nats")
    for ax in grid[-1]:
        _sizes(ax, pd.concat([effects[name]["k"] for name in shown.names]))
        ax.set_xlabel("neurons changed")
    _dose_marks(figure)
    remark = "Effect: change of log p of the onset at events less at controls; raised: at controls."
    return finish(figure, title, [remark, *shown.remarks])


def _curve(ax: Axes, own: pd.DataFrame) -> None:
    """A panel of the dose curve."""
    if own.empty:
        excuse(ax, "not tried", WIDTH / 4.6)
        return
    ax.axhline(0, color=GREY, linewidth=0.6)
    top, bottom = (own[own["set_kind"] == kind] for kind in (TOP, BOTTOM))
    known = top.dropna(subset=["random_low", "random_high"])
    ends = floats(known["random_low"]), floats(known["random_high"])
    ax.fill_between(known["k"], *ends, color=PALE, linewidth=0, zorder=0.5)
    ax.vlines(known["k"], *ends, color=_BAND, linewidth=5, zorder=0.6)
    ax.plot(
        bottom["k"], floats(bottom["estimate"]), "--s", color=GREY, markersize=2.4, linewidth=0.8
    )
    # A bias does at events what the set does, and something else at controls.
    if (own["intervention"] != RAISE).all():
        ax.plot(top["k"], floats(top["delta_event"]) - floats(top["bias_control"]), "x",
                color=VERMILION, markersize=4)  # fmt: skip
    estimate = floats(top["estimate"])
    ax.errorbar(top["k"], estimate, yerr=Reach.of(top), fmt="-", color=BLUE, elinewidth=0.9)
    sure = floats(top["p"]) < _SURE
    faces = [BLUE if one else "white" for one in sure]
    ax.scatter(top["k"], estimate, s=14, zorder=3, edgecolor=BLUE, facecolor=faces, linewidth=0.9)
    plain_numbers(ax.yaxis)


def _sizes(ax: Axes, k: pd.Series) -> None:
    """A logarithmic axis of numbers of neurons, labelled at those that were tried."""
    tried = sorted({int(one) for one in k})
    ax.set_xscale("log")
    ax.set_xlim(tried[0] / 1.6, tried[-1] * 1.6)
    ax.set_xticks(tried, [str(k) for k in tried])
    ax.set_xticks([], minor=True)


def _dose_marks(figure: Figure) -> None:
    point: Any = {"marker": "o", "markersize": 3.6, "color": BLUE}
    legend(
        figure,
        [
            Line2D([], [], label="top neurons, p < 0.05", **point),
            Line2D([], [], label="top neurons, not so", markerfacecolor="white", **point),
            Line2D([], [], color=GREY, linestyle="--", marker="s", markersize=2.4,
                   label="last neurons"),
            Patch(color=_BAND, label="random sets: 95 % range"),
            Line2D([], [], color=VERMILION, linestyle="none", marker="x", markersize=4,
                   label="equal logit bias"),
        ],
    )  # fmt: skip


@styled
def damage(
    effects: Mapping[str, pd.DataFrame], title: str, why: Mapping[str, str] = _WHOLE
) -> Figure:
    """Effect of every set and intervention against the harm it does at controls.

    Args:
        effects: `EFFECTS` by contrast; of scope pred_pos.
        title: What the entry is.
        why: Reasons why a contrast has none.
    """
    shown = Shown.of(effects, why)
    if not shown.names:
        return shown.nothing(title)
    figure, axes, left, width = Multiples.of(shown.names, 2.0)
    for name, ax in axes.items():
        own = effects[name]
        _harms(ax, own[(own["scope"] == PRED_POS) & own["kl_control"].notna()])
        title_of(ax, [name], width, 7)
        ax.set_xlabel("harm: KL at controls, nats")
        logarithmic_x(ax)
    for ax in left:
        ax.set_ylabel("effect, nats")
    _damage_marks(figure)
    remark = "Each mark is a set; larger marks are larger sets."
    return finish(figure, title, [remark, *shown.remarks])


def _harms(ax: Axes, own: pd.DataFrame) -> None:
    """A panel of effect against harm."""
    ax.axhline(0, color=GREY, linewidth=0.6)
    order = sorted(set(own["k"]))
    for name, colour, marker in zip(INTERVENTIONS, TARGET_COLOURS, TARGET_MARKERS, strict=False):
        for row in own[own["intervention"] == name].to_dict("records"):
            at = max(row["kl_control"], _NO_HARM), row["estimate"]
            is_top = row["set_kind"] == TOP
            if is_top and pd.notna(row["kl_random"]) and pd.notna(row["random_mean"]):
                chance = max(row["kl_random"], _NO_HARM), row["random_mean"]
                ax.plot(*zip(at, chance, strict=True), color="#BDBDBD", linewidth=0.6, zorder=1)
                ax.plot(*chance, marker, color=NEURON_GREY, markersize=2.4, zorder=1.5)
            size = 2.4 + 3.2 * order.index(row["k"]) / max(1, len(order) - 1)
            ax.plot(*at, marker, color=colour, markersize=size, zorder=2.5 if is_top else 2,
                    markerfacecolor=colour if is_top else "white", markeredgewidth=0.8)  # fmt: skip
    plain_numbers(ax.yaxis)


def _damage_marks(figure: Figure) -> None:
    style: Any = {"linestyle": "none", "markersize": 4}
    shown = [
        Line2D([], [], color=colour, marker=marker, label=_SAYS[name], **style)
        for name, colour, marker in zip(INTERVENTIONS, TARGET_COLOURS, TARGET_MARKERS, strict=False)
    ]
    white: Any = {"markerfacecolor": "white", **style}
    shown += [
        Line2D([], [], color=GREY, marker="o", label="filled: top neurons", **style),
        Line2D([], [], color=GREY, marker="o", label="open: last neurons", **white),
        Line2D([], [], color=NEURON_GREY, marker="o", label="small: mean of random sets",
               linestyle="none", markersize=2.4),
    ]  # fmt: skip
    legend(figure, shown)
