"""What neurons do to the vocabulary: bands of percentiles by layer, against random directions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from clampsweep.figures.scales import logarithmic, plain_numbers
from clampsweep.figures.style import BLUE, GREY, VERMILION, panels, say, styled
from clampsweep.studies.universal.claims.weights import net_shares
from clampsweep.studies.universal.gated import CLASSES, OWN, ROTATED
from clampsweep.studies.universal.mlp import FOLDED
from clampsweep.studies.universal.vocabulary import CUT, SPHERE


@styled
def vocabulary(vocab: pd.DataFrame, null: pd.DataFrame, title: str) -> Figure:
    """Percentiles of kurtosis and skewness of a layer's neurons, and their distribution.

    Args:
        vocab: `VOCABULARY`.
        null: `VOCABULARY_NULL`.
        title: What the entry is.
    """
    own, drawn = (one[one["processing"] == FOLDED] for one in (vocab, null))
    drawn = drawn[drawn["null"] == SPHERE]
    figure, (axes,) = panels(1, 3, 2.3)
    for ax, name, label in zip(
        axes, ("vocab_kurt", "vocab_skew"), ("kurtosis", "skewness"), strict=False
    ):
        for at, low in enumerate((0.001, 0.01, 0.1, 0.25)):
            ends = own.groupby("layer")[name].quantile(np.array([low, 1 - low])).unstack()
            ax.fill_between(ends.index, ends.iloc[:, 0], ends.iloc[:, 1], color=BLUE,
                            alpha=0.12 + 0.08 * at, linewidth=0)  # fmt: skip
        medians = own.groupby("layer")[name].median()
        ax.plot(medians.index, medians, color=BLUE)
        for end in (drawn[name].min(), drawn[name].max()):
            ax.axhline(end, color=VERMILION, linewidth=0.8, linestyle="--")
        ax.set(xlabel="layer", ylabel=f"vocabulary {label}")
    logarithmic(axes[0], "y")
    axes[1].set_yscale("symlog", linthresh=1)
    plain_numbers(axes[1].yaxis)
    axes[0].set_title("bands: 50, 80, 98, 99.8 %")
    edges = np.geomspace(min(own["vocab_kurt"].min(), 2), max(own["vocab_kurt"].max(), CUT), 60)
    bins = edges.tolist()
    axes[2].hist(own["vocab_kurt"], bins, color=BLUE, label="neurons")
    axes[2].hist(drawn["vocab_kurt"], bins, histtype="step", color=VERMILION,
                 label="random directions")  # fmt: skip
    axes[2].axvline(CUT, color=GREY, linewidth=0.8, linestyle=":", label=f"{CUT:g}")
    axes[2].set(xlabel="vocabulary kurtosis", ylabel="how many")
    logarithmic(axes[2], "x", "y")
    axes[2].legend()
    figure.suptitle(title, x=0.01, ha="left")
    return figure


_SHADES = ("#0072B2", "#56B4E9", "#009E73", "#E3E3E3", "#E69F00", "#D55E00")


@styled
def gated(found: pd.DataFrame, title: str) -> Figure:
    """Classes of a layer's gated neurons, stacked; net enrichment beside rotated weights.

    Args:
        found: `GATED_LAYERS`; empty for a model without gates.
        title: What the entry is.
    """
    figure, ((left, right),) = panels(1, 2, 2.4)
    if found.empty:
        for ax in (left, right):
            say(ax, "no gated neurons")
        return figure
    table = found[found["weights"] == OWN].pivot(index="layer", columns="class", values="n")
    shares = table[list(CLASSES)].div(table.sum(axis=1), axis=0)
    left.stackplot(shares.index, *shares.to_numpy().T, colors=_SHADES, labels=list(CLASSES))
    left.set(xlabel="layer", ylabel="share of neurons", ylim=(0, 1))
    for which, style, colour in ((OWN, "-o", BLUE), (ROTATED, "--", VERMILION)):
        nets = net_shares(found, which)
        right.plot(nets.index, nets, style, color=colour, label=f"{which} weights")
    right.axhline(0, color=GREY, linewidth=0.6)
    right.set(xlabel="layer", ylabel="enrich less deplete")
    right.legend()
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(title, x=0.01, ha="left")
    return figure
