"""Roles: what candidates do beside their controls; entropy neurons held at values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
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
from clampsweep.names import Neuron
from clampsweep.studies.universal.claims.roles import tests_of
from clampsweep.studies.universal.roles import tables

_CURVES = {
    tables.SCALE: "scale of the norm, log ratio",
    tables.ENTROPY_OF: "entropy, nats",
    tables.RANK: "reciprocal rank",
    tables.LOSS: "loss, nats",
}

_JITTER = 0.16


@styled
def effects(rows: pd.DataFrame, title: str) -> Figure:
    """What each candidate does, beside its controls, by test.

    Args:
        rows: `INTERVENTIONS` of all roles.
        title: What the entry is.
    """
    every = tests_of(rows)
    figure, grid = panels(2, 4, 1.7)
    axes = [ax for row in grid for ax in row]
    for ax, test in zip(axes, every, strict=False):
        neurons = test.values
        own = floats(neurons.loc[neurons["kind"] == tables.CANDIDATE, "change"])
        others = floats(neurons.loc[neurons["kind"] == test.kind, "change"])
        name = f"{test.name.removeprefix(test.role + ' neurons ')}\n({test.kind} controls)"
        ax.set_title(f"{test.role}: {name}", fontsize=6.5)
        if not len(own):
            say(ax, "no candidate")
            ax.set_xticks([])
            continue
        ax.axhline(0, color=GREY, linewidth=0.6)
        _column(ax, 0, own, VERMILION)
        _column(ax, 1, others, BLUE)
        ax.set_xticks([0, 1], ["candidates", "controls"])
        ax.tick_params(labelbottom=True)
        ax.set_xlim(-0.5, 1.5)
        ax.set_ylabel(test.unit)
        ax.yaxis.set_major_formatter(lambda value, _: minus(f"{value:g}"))
    for ax in axes[len(every) :]:
        ax.set_axis_off()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _column(ax: Axes, at: int, values: np.ndarray, colour: str) -> None:
    """A dot for each neuron, side by side, and their mean."""
    n = len(values)
    beside = np.linspace(-_JITTER, _JITTER, n) if n > 1 else np.zeros(n)
    ax.plot(at + beside, np.sort(values), "o", color=colour, markersize=3, alpha=0.8)
    if n:
        ax.plot([at - 0.3, at + 0.3], [values.mean()] * 2, color=colour, linewidth=1.4)


@styled
def curves(rows: pd.DataFrame, title: str) -> Figure:
    """Change of each measure over the values that entropy neurons are held at.

    Args:
        rows: `INTERVENTIONS` of all roles.
        title: What the entry is.
    """
    own = rows[(rows["role"] == tables.ENTROPY) & (rows["operation"] == tables.CLAMP)]
    figure, grid = panels(2, 2, 1.9)
    axes = [ax for row in grid for ax in row]
    for ax, (measure, label) in zip(axes, _CURVES.items(), strict=True):
        ax.set_ylabel(label)
        if own.empty:
            say(ax, "no candidate")
            ax.set_xticks([])
            continue
        _curve(ax, own[own["measure"] == measure])
    for ax in grid[1]:
        ax.set_xlabel("value that the neuron is held at")
    if not own.empty:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.suptitle(title, x=0.01, ha="left")
    return figure


def _curve(ax: Axes, rows: pd.DataFrame) -> None:
    """A panel: lines of candidates, the range of plain controls, marks of matched ones."""
    weighted = rows.assign(total=(rows["held"] - rows["natural"]) * rows["n"])
    sums = weighted.groupby(["kind", "layer", "neuron", "value"])[["total", "n"]].sum()
    means = (sums["total"] / sums["n"]).rename("change").reset_index()
    ax.axhline(0, color=GREY, linewidth=0.6)
    ends = means[means["kind"] == tables.PLAIN].groupby("value")["change"].agg(["min", "max"])
    if len(ends):
        ax.fill_between(
            ends.index.to_numpy(float), ends["min"], ends["max"], color=PALE,
            label="plain controls: range",
        )  # fmt: skip
    matched = means[means["kind"] == tables.MATCHED]
    ax.plot(matched["value"], matched["change"], "_", color=GREY, markersize=7,
            label="matched controls")  # fmt: skip
    lines = means[means["kind"] == tables.CANDIDATE].groupby(["layer", "neuron"])
    for at, (_, line) in enumerate(lines):
        layer, neuron = line[["layer", "neuron"]].iloc[0].tolist()
        colour = TARGET_COLOURS[at % len(TARGET_COLOURS)]
        ax.plot(line["value"], line["change"], "-o", color=colour, markersize=2.5,
                label=str(Neuron(int(layer), int(neuron))))  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(lambda value, _: minus(f"{value:g}"))
