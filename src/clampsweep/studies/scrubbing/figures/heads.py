"""Heads: what each single input is worth, where each head looks, and how that came about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from clampsweep.figures.style import BLUE, GREY, VERMILION, WIDTH, floats, minus, panels, styled
from clampsweep.studies.scrubbing.figures.panels import (
    HARMS,
    SHARES,
    about_zero,
    finish,
    hatch,
    ink,
    matrix,
)
from clampsweep.studies.scrubbing.roles import SCORES

_CHANNELS = {"q": "queries (q)", "k": "keys (k)", "v": "values (v)"}

_LOSSES = {
    "natural": ("held-out text", GREY, "solid"),
    "second_copy_30": ("second copy of 30 tokens", BLUE, "solid"),
    "second_copy_149": ("second copy of 149 tokens", BLUE, "dashed"),
}

_LOOKS = {
    "previous_30": ("previous token, copies of 30", VERMILION, "solid"),
    "previous_149": ("previous token, copies of 149", VERMILION, "dashed"),
    "induction_30": ("induction, copies of 30", BLUE, "solid"),
    "induction_149": ("induction, copies of 149", BLUE, "dashed"),
}


@styled
def cells(harm: pd.DataFrame, title: str) -> Figure:
    """Harm of scrubbing each single cell: upstream by head of layer 1, a panel for each channel.

    Args:
        harm: Columns `head` (of layer 1), `channel` (q, k or v), `upstream` (E or "0.3"), `harm`
            (nats), and the ends of its interval, `low` and `high`.
        title: What was scrubbed, and on which positions.
    """
    heads, upstream = (sorted(set(harm[of]), key=_order) for of in ("head", "upstream"))
    figure = Figure(figsize=(WIDTH, 1.7 + 0.2 * len(upstream)), layout="constrained")
    axes = figure.subplots(1, len(_CHANNELS), sharey=True)
    scale = about_zero(float(harm["harm"].abs().max()))
    for ax, (channel, words) in zip(axes, _CHANNELS.items(), strict=True):
        own = harm[harm["channel"] == channel].set_index(["upstream", "head"])
        own = own.reindex(pd.MultiIndex.from_product([upstream, heads]))
        values, low, high = (
            floats(own[column]).reshape(len(upstream), -1) for column in ("harm", "low", "high")
        )
        mesh = matrix(ax, values, HARMS, (scale.vmin or 0, scale.vmax or 0))
        hatch(ax, values)
        _write(ax, mesh, values, min(5.5, 44 / len(heads)), ~((low > 0) | (high < 0)))
        ax.set_xticks(range(len(heads)), [str(head) for head in heads], fontsize=6)
        ax.set_title(f"into {words}")
    axes[0].set_yticks(range(len(upstream)), upstream, fontsize=6.5)
    axes[0].set_ylabel("scrubbed: output of")
    axes[1].set_xlabel("head of layer 1")
    bar = figure.colorbar(mesh, ax=list(axes), location="bottom", aspect=45, shrink=0.6,
                          label="harm: loss \N{MINUS SIGN} loss unscrubbed, nats")  # fmt: skip
    bar.ax.tick_params(length=2, labelsize=6.5)
    remark = "Pale: the 95 % interval over examples holds 0, or is unknown. Hatched: no number."
    return finish(figure, title, [remark])


def _order(name: str | int) -> tuple[int, ...]:
    """Place of a head, `0.3` or `3`, among others; the embedding is before all."""
    return () if name == "E" else tuple(map(int, str(name).split(".")))


def _write(
    ax: Axes,
    mesh: QuadMesh,
    values: Float64[np.ndarray, "row column"],
    size: float,
    pale: Bool[np.ndarray, "row column"] | None = None,
) -> None:
    """Write numbers into their cells, some of them pale and the others bold."""
    for row, column in np.argwhere(np.isfinite(values)):
        value = values[row, column]
        faint = pale is not None and pale[row, column]
        ax.text(column, row, minus(f"{round(value, 2) + 0.0:.2f}"), fontsize=size, ha="center",
                va="center", color=ink(mesh, value), alpha=0.45 if faint else 1,
                weight="bold" if pale is not None and not faint else "normal")  # fmt: skip


@styled
def heads(table: pd.DataFrame, title: str) -> Figure:
    """The five scores of each head, a panel for each layer; roles stand beside.

    Args:
        table: A `HEADS` table.
        title: Which model it is.
    """
    layers = [own.sort_values("head") for _, own in table.groupby("layer")]
    n_heads = max(map(len, layers))
    figure = Figure(figsize=(WIDTH, 1.2 + 0.2 * n_heads), layout="constrained")
    axes = figure.subplots(1, len(layers), squeeze=False)[0]
    for ax, own in zip(axes, layers, strict=True):
        values = own[list(SCORES)].to_numpy(float)
        _write(ax, matrix(ax, values, SHARES, (0, 1)), values, 6.5)
        hatch(ax, values)
        ax.set_xticks(range(len(SCORES)), SCORES, rotation=30, ha="left", rotation_mode="anchor")
        ax.tick_params(axis="x", labeltop=True, labelbottom=False, labelsize=6.5)
        names = [f"{row['layer']}.{row['head']}" for row in own.to_dict("records")]
        ax.set_yticks(range(len(own)), names, fontsize=6.5)
        for row, roles in enumerate(own["roles"]):
            ax.text(len(SCORES) - 0.4, row, roles, va="center", fontsize=6.5, weight="bold")
    return finish(figure, title, ["Mean attention in random tokens that are repeated once."])


@styled
def training(curve: pd.DataFrame, title: str) -> Figure:
    """Losses, and the scores of the best heads, over the tokens seen.

    Args:
        curve: A `CURVE` table.
        title: Which model it is.
    """
    figure, ((left, right),) = panels(1, 2, 2.6)
    _draw_lines(left, curve, _LOSSES)
    left.set_ylabel("loss (nats a token)")
    left.set_ylim(bottom=0)
    left.set_title("losses")
    _draw_lines(right, curve, _LOOKS)
    right.set_ylabel("mean attention")
    right.set_ylim(-0.03, 1.03)
    right.set_title("best head's score")
    return finish(figure, title)


def _draw_lines(ax: Axes, curve: pd.DataFrame, lines: Mapping[str, tuple[str, str, str]]) -> None:
    """Columns of the curve at the steps where they were measured."""
    for column, (label, colour, style) in lines.items():
        own = curve.dropna(subset=column)
        ax.plot(own["tokens"], own[column], color=colour, linestyle=style, label=label)
    ax.set_xlim(0, curve["tokens"].max())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1e6:g}"))
    ax.set_xlabel("tokens seen (millions)")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), handlelength=2.4)
