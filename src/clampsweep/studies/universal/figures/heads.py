"""Heads: weights beside what they do. Embedding dimensions: kurtosis beside random bases."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clampsweep.figures.scales import logarithmic
from clampsweep.figures.style import BLUE, GREY, PALE, VERMILION, floats, minus, panels, styled
from clampsweep.studies.universal.claims.heads import FORETELLS, NAMED
from clampsweep.verdicts import SUPPORTED


@styled
def heads(found: pd.DataFrame, title: str) -> Figure:
    """Rank correlations of weights and behaviour within layers, with their intervals.

    Args:
        found: `VERDICTS` of the slice.
        title: What the entry is.
    """
    own = found[found["claim"] == FORETELLS]
    figure, grid = panels(1, 2, 2.1, share_y="row")
    for ax, what in zip(grid[0], ("first", "entropy"), strict=True):
        rows = own[own["by"] == NAMED[what]].iloc[::-1]
        at, estimate = np.arange(len(rows)), floats(rows["estimate"])
        reach = np.abs(np.stack([floats(rows[end]) for end in ("low", "high")]) - estimate)
        ax.axvline(0, color=GREY, linewidth=0.6)
        ax.errorbar(estimate, at, xerr=reach, fmt="none", ecolor=BLUE, elinewidth=0.9)
        sure = (rows["verdict"] == SUPPORTED).to_numpy()
        ax.scatter(estimate, at, s=18, zorder=3, edgecolor=BLUE, linewidth=0.9,
                   facecolor=[BLUE if one else "white" for one in sure])  # fmt: skip
        ax.set_yticks(at, list(rows["subject"]))
        ax.set_title(NAMED[what])
        ax.set_xlabel("rank correlation within layers")
        ax.xaxis.set_major_formatter(lambda value, _: minus(f"{value:g}"))
    figure.suptitle(title, x=0.01, ha="left")
    return figure


@styled
def embeddings(dimensions: pd.DataFrame, rotations: pd.DataFrame, title: str) -> Figure:
    """Kurtosis of each dimension, sorted, and the range of maxima of random bases.

    Args:
        dimensions: `EMBEDDINGS`.
        rotations: `ROTATIONS`.
        title: What the entry is.
    """
    figure, grid = panels(1, 1, 2.2)
    ax, values = grid[0][0], np.sort(floats(dimensions["kurt"]))[::-1]
    low, high = np.quantile(rotations["max"], [0.025, 0.975])
    ax.axhspan(low, high, color=PALE, label="largest of a random basis, 95 % of bases")
    ax.axhline(float(rotations["mean"].mean()), color=GREY, linewidth=0.8, linestyle="--",
               label="mean of a random basis")  # fmt: skip
    beyond = values > np.quantile(rotations["max"], 0.95)
    rank = np.arange(1, len(values) + 1)
    ax.plot(rank[~beyond], values[~beyond], ".", color=BLUE, label="a dimension")
    ax.plot(rank[beyond], values[beyond], "o", color=VERMILION, label="beyond random bases")
    logarithmic(ax, "x")
    ax.set_xlabel("rank of the dimension")
    ax.set_ylabel("kurtosis over the vocabulary")
    ax.legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure
