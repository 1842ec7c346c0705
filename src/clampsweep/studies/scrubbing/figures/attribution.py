"""Token by token: how much worse each is predicted when something is scrubbed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from clampsweep.figures.style import LETTER, WIDTH, floats, minus, styled
from clampsweep.studies.scrubbing.figures.panels import (
    HARMS,
    about_zero,
    empty,
    finish,
    legend,
    letters,
    short,
    visible,
)
from clampsweep.studies.scrubbing.hypotheses import UNSCRUBBED
from clampsweep.words import counted

CLASSES = {
    "CANDIDATE ERB": ("#009E73", "o"),
    "NON-ERB UNCOMMON REPEATS": ("#CC79A7", "s"),
}
"""Category that is told apart -> its colour and marker; no token is in both."""

OTHER = ("#8A8A8A", "o")

_TOKENS = 1.9  # rows of a line that are not strips: the words, and the space below

_LETTER = 0.602 * 6 / 72  # inches: width of a letter of 6 points where all are equally wide


class Layout(NamedTuple):
    """Where words stand, in letters.

    Attributes:
        left: Of each word.
        width: Of its cell.
        line: Number of its line.
    """

    left: Int[np.ndarray, " word"]
    width: Int[np.ndarray, " word"]
    line: Int[np.ndarray, " word"]


def layout(words: Sequence[str], room: int) -> Layout:
    """Set words side by side, on a new line where one does not fit any more.

    Args:
        words: What is written.
        room: Width of a line, letters.
    """
    places, left, line = [], 0, 0
    for word in words:
        width = letters(word) + 1
        if left and left + width > room:
            left, line = 0, line + 1
        places.append((left, width, line))
        left += width
    return Layout(*np.array(places).reshape(-1, 3).T)


@styled
def attribution_strips(
    saa: pd.DataFrame,
    texts: Sequence[str],
    examples: Sequence[int],
    title: str,
    *,
    window: tuple[int, int] = (0, 60),
) -> Figure:
    """Tokens of some examples, and under each line of them a strip of cells for each experiment.

    Args:
        saa: A `SAA` table; the first experiment is the same in all rows.
        texts: Text of each token of the vocabulary.
        examples: Numbers of those to draw.
        title: What was scrubbed.
        window: Places of the first token to draw, and of the first that is not.
    """
    saa = saa[saa["position"].between(window[0], window[1] - 1) & saa["example"].isin(examples)]
    if saa.empty:
        return empty(title, "None of these tokens was attributed.")
    names = list(dict.fromkeys(saa["second"]))
    room = int((WIDTH - 0.3 - LETTER * 6.5 * max(len(short(name)) for name in names)) / _LETTER)
    strips = [_strip(saa[saa["example"] == example], names, texts, room) for example in examples]
    pitch = len(names) + _TOKENS  # rows of a line
    heights = [0.34 + 0.155 * pitch * (1 + strip.at.line.max()) for strip in strips]
    figure = Figure(figsize=(WIDTH, sum(heights) + 1.1), layout="constrained")
    grid = figure.subplots(len(strips), 1, squeeze=False, height_ratios=heights)[:, 0]
    scale = ScalarMappable(about_zero(float(saa["dloss"].abs().quantile(0.98))), HARMS)
    for ax, example, strip in zip(grid, examples, strips, strict=True):
        _draw_words(ax, strip, pitch)
        _draw_strips(ax, strip, names, scale)
        ax.set_title(f"example {example}", fontsize=7)
        ax.set_xlim(0, room)
    scrubbed = f"loss under the experiment \N{MINUS SIGN} loss under {saa['first'].iloc[0]}, nats"
    bar = figure.colorbar(scale, ax=list(grid), location="bottom", extend="both", label=scrubbed,
                          aspect=45, shrink=0.75, pad=0.01)  # fmt: skip
    bar.ax.tick_params(length=2, labelsize=6.5)
    legend(figure, [Patch(color=colour, label=name) for name, (colour, _) in CLASSES.items()])
    return finish(figure, title, [_draws(saa)])


class Strip(NamedTuple):
    """An example to be drawn.

    Attributes:
        words: Its tokens, as they are written.
        kinds: Categories of each token.
        harms: By token and experiment, nats.
        at: Where the words stand.
    """

    words: list[str]
    kinds: list[str]
    harms: Float64[np.ndarray, "token experiment"]
    at: Layout


def _strip(saa: pd.DataFrame, names: Sequence[str], texts: Sequence[str], room: int) -> Strip:
    tokens = saa.drop_duplicates("position").sort_values("position")
    harms = saa.pivot(index="position", columns="second", values="dloss")[list(names)]
    words = [visible(texts[token]) for token in tokens["token"]]
    return Strip(words, list(tokens["categories"]), harms.to_numpy(float), layout(words, room))


def _draws(saa: pd.DataFrame) -> str:
    """How sure the numbers are, in words."""
    said = f"Means over {counted(int(saa['n_draws'].max()), 'draw')}"
    largest = saa["se"].max()
    return f"{said}." if np.isnan(largest) else f"{said}, standard errors up to {largest:.2g} nats."


def _draw_words(ax: Axes, strip: Strip, pitch: float) -> None:
    """Write the tokens, underlined where they are of a class, `pitch` rows a line."""
    left, width, line = strip.at
    for x, wide, y, word, kinds in zip(left, width, line * pitch, strip.words, strip.kinds,
                                       strict=True):  # fmt: skip
        ax.text(x + wide / 2, y + 0.42, word, fontsize=6, family="DejaVu Sans Mono",
                ha="center", va="center")  # fmt: skip
        for name in CLASSES.keys() & kinds.split("; "):
            ax.bar(x + 0.15, 0.16, wide - 0.3, y + 0.8, color=CLASSES[name][0], align="edge")
    ax.set_ylim(pitch * (1 + line.max()) - _TOKENS + 1.15, 0)


def _draw_strips(ax: Axes, strip: Strip, names: Sequence[str], scale: ScalarMappable) -> None:
    """A row of cells for each experiment under each line of words."""
    left, width, line = strip.at
    top = line * (len(names) + _TOKENS) + 1.05
    for row, harms in enumerate(strip.harms.T):
        ax.bar(left, 1, width, top + row, color=scale.to_rgba(harms), align="edge",
               edgecolor="#D8D8D8", linewidth=0.4)  # fmt: skip
    ticks = [y + row + 0.5 for y in np.unique(top) for row in range(len(names))]
    ax.set_yticks(ticks, [short(name) for name in names] * (len(ticks) // len(names)))
    ax.set_xticks([])
    ax.tick_params(axis="y", length=0, labelsize=6.5)
    ax.spines[:].set_visible(False)


@styled
def attribution_scatter(
    saa: pd.DataFrame, first_head: str, second_head: str, rho: float, title: str
) -> Figure:
    """What scrubbing one head does to the loss of each token, against what another's does.

    Args:
        saa: A `SAA` table.
        first_head: Experiment that scrubs the first head, along x.
        second_head: Experiment that scrubs the second, along y.
        rho: Spearman's rank correlation of the two; nan if it is not known.
        title: What was scrubbed.
    """
    own = saa[(saa["first"] == UNSCRUBBED) & (saa["position"] > 0)].set_index(
        ["example", "position"]
    )
    x, y = (own[own["second"] == name] for name in (first_head, second_head))
    if x.empty or y.empty:
        return empty(
            title, "Not attributed: both heads against unscrubbed (key attribution.pairs)."
        )
    y = y.loc[x.index]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    ax = figure.add_subplot(box_aspect=1)
    for name, (colour, marker) in {"other": OTHER, **CLASSES}.items():
        chosen = x["categories"].map(_class_of) == name
        _draw_tokens(ax, x[chosen], y[chosen], colour, marker, name)
    ax.axline((0, 0), slope=1, color="#777777", linewidth=0.6, linestyle="dashed", zorder=0.8)
    ax.axhline(0, color="#BBBBBB", linewidth=0.6, zorder=0.8)
    ax.axvline(0, color="#BBBBBB", linewidth=0.6, zorder=0.8)
    ax.set_xlabel(f"harm of {short(first_head)} (nats)")
    ax.set_ylabel(f"harm of {short(second_head)} (nats)")
    ends = [*ax.get_xlim(), *ax.get_ylim()]
    ax.set(xlim=(min(ends), max(ends)), ylim=(min(ends), max(ends)))
    said = "not defined" if np.isnan(rho) else minus(f"{rho:.2f}")
    figure.legend(loc="outside right center", borderaxespad=0.4, handletextpad=0.3,
                  labelspacing=0.9, title=f"Spearman's rho {said}\n")  # fmt: skip
    return finish(
        figure,
        title,
        ["A mark is a token, its lines are standard errors; those of other tokens are left out."],
    )


def _class_of(categories: str) -> str:
    """The class of a token's categories, `other` if it is in none."""
    return next((name for name in categories.split("; ") if name in CLASSES), "other")


def _draw_tokens(
    ax: Axes, x: pd.DataFrame, y: pd.DataFrame, colour: str, marker: str, name: str
) -> None:
    """A mark for each token, with its standard errors where they are known."""
    other = name == "other"
    ax.errorbar(x["dloss"], y["dloss"], floats(y["se"]), floats(x["se"]), fmt=marker,
                color=colour, ms=2 if other else 3.2, alpha=0.4 if other else 0.85,
                elinewidth=0 if other else 0.5, label=f"{name}\n{counted(len(x), 'token')}",
                markeredgewidth=0, rasterized=other)  # fmt: skip
