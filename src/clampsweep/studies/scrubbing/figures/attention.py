"""Where an induction head looks under two experiments, and the difference."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from clampsweep.figures.style import WIDTH, styled
from clampsweep.studies.scrubbing.figures.panels import (
    HARMS,
    SHARES,
    about_zero,
    empty,
    finish,
    matrix,
    short,
    visible,
)

_LATER = "#EFEFEF"  # a key that its query does not see


@styled
def attention(
    table: pd.DataFrame,
    example: int,
    head: int,
    tokens: Sequence[str],
    title: str,
    *,
    window: tuple[int, int] = (0, 32),
) -> Figure:
    """Mean attention under the first two experiments of a head, and the first minus the second.

    Args:
        table: An `ATTENTION` table; rows that are of a single experiment are drawn.
        example: Number of the example.
        head: Of layer 1.
        tokens: Text of each place of the example.
        title: What was scrubbed.
        window: Places of the first token to draw, and of the first that is not.
    """
    own = table[(table["example"] == example) & (table["head"] == head) & (table["second"] == "")]
    own = own[(own["key"] >= window[0]) & (own["query"] < window[1])]
    names = list(dict.fromkeys(own["first"]))[:2]
    if len(names) < 2:
        return empty(title, "There is no second experiment to compare with.")
    first, second = (
        own[own["first"] == name].pivot(index="query", columns="key", values="mean")
        for name in names
    )
    difference = first - second
    shares = ScalarMappable(Normalize(0, float(own["mean"].max())), SHARES)
    change = ScalarMappable(about_zero(float(difference.abs().max().max())), HARMS)
    words = [visible(tokens[place]) for place in first.index]
    figure = Figure(figsize=(WIDTH, 7.5), layout="constrained")
    (left, right), (below, key) = figure.subplots(2, 2, squeeze=False)
    _draw(left, first, shares, words, short(names[0]))
    _draw(right, second, shares, words, short(names[1]))
    _draw(below, difference, change, words, " \N{MINUS SIGN} ".join(map(short, names)))
    right.tick_params(labelleft=False)
    left.tick_params(labelbottom=False)
    left.set_ylabel("the token that looks (query)")
    below.set_ylabel("the token that looks (query)")
    right.set_xlabel("the token looked at (key)")
    below.set_xlabel("the token looked at (key)")
    _scales(key, shares, change)
    return finish(figure, title, [f"Head 1.{head}, example {example}."])


def _draw(
    ax: Axes, values: pd.DataFrame, scale: ScalarMappable, words: Sequence[str], name: str
) -> None:
    """A matrix of queries and keys, with the tokens along both."""
    matrix(ax, values.to_numpy(float), scale.get_cmap(), scale.get_clim(), edges=0)
    size = min(6.0, 0.88 * 72 * 2.7 / len(words))  # points: 2.7 inches for all
    ax.set_facecolor(_LATER)
    ax.set_xticks(range(len(words)), words, rotation=90, fontsize=size)
    ax.set_yticks(range(len(words)), words, fontsize=size)
    ax.tick_params(pad=1)
    ax.set_title(name, fontsize=7)


def _scales(ax: Axes, shares: ScalarMappable, change: ScalarMappable) -> None:
    """The two scales of colour, in a panel of their own."""
    ax.set_axis_off()
    for y, scale, words in ((0.72, shares, "mean attention"), (0.38, change, "difference")):
        bar = ax.figure.colorbar(scale, cax=ax.inset_axes((0.1, y, 0.8, 0.045)),
                                 orientation="horizontal", label=words)  # fmt: skip
        bar.ax.tick_params(length=2, labelsize=6.5)
