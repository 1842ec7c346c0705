"""Faithfulness over the size of a hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from clampsweep.figures.style import (
    TARGET_COLOURS,
    TARGET_MARKERS,
    floats,
    minus,
    panels,
    styled,
)
from clampsweep.studies.scrubbing.figures.panels import (
    empty,
    finish,
    legend,
    percent,
    short,
)

MAIN = ("CANDIDATES", "CANDIDATE ERB", "NON-ERB UNCOMMON REPEATS")

_NEAR = 0.03  # sizes that share a label


@styled
def faithfulness(
    table: pd.DataFrame,
    curve: Sequence[str],
    sizes: Sequence[float],
    curves: pd.DataFrame,
    title: str,
    *,
    categories: Sequence[str] = MAIN,
) -> Figure:
    """Faithfulness (loss recovered) over the share of cells kept; CPR and CMD in the legend.

    Args:
        table: A `RECOVERED` table.
        curve: Names of the experiments on the curve.
        sizes: Share of cells that each keeps, ascending.
        curves: A `CURVES` table.
        title: What was scrubbed.
        categories: What to draw.
    """
    if not curve:
        return empty(title, "The file of hypotheses has no curve.")
    figure, ((ax,),) = panels(1, 1, 2.7)
    areas = curves.set_index("category")
    for category, colour, marker in zip(categories, TARGET_COLOURS, TARGET_MARKERS, strict=False):
        own = table[table["category"] == category].set_index("experiment").loc[list(curve)]
        low, high = floats(own["ci_low"]), floats(own["ci_high"])
        ax.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
        ax.vlines(sizes, low, high, color=colour, linewidth=0.9)
        ax.plot(sizes, floats(own["loss_recovered"]), color=colour, marker=marker,
                label=f"{category}: {_areas(areas.loc[[category]].iloc[0])}")  # fmt: skip
    for level in (0, 1):
        ax.axhline(level, color="#777777", linewidth=0.6, linestyle="dashed", zorder=0.8)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{percent(value)} %"))
    ax.set_ylabel("faithfulness (loss recovered)")
    ax.set_xlabel("size: share kept of the cells that baseline scrubs")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{percent(value)} %"))
    ax.set_xlim(-0.03, 1.03)
    _name_sizes(ax, curve, sizes)
    legend(figure, ax.lines[: len(categories)], columns=1)
    return finish(figure, title)


def _areas(row: pd.Series) -> str:
    """CPR and CMD with their intervals, in words."""
    if pd.isna(row["cpr"]):
        return "undefined"
    return minus(
        f"CPR {row['cpr']:.2f} ({row['cpr_low']:.2f} to {row['cpr_high']:.2f}), "
        f"CMD {row['cmd']:.2f} ({row['cmd_low']:.2f} to {row['cmd_high']:.2f})"
    )


def _name_sizes(ax: Axes, curve: Sequence[str], sizes: Sequence[float]) -> None:
    """Write the experiments' names above the panel, those of one place as one."""
    named: dict[float, list[str]] = {}
    for name, size in zip(curve, sizes, strict=True):
        near = next((place for place in named if size - place < _NEAR), size)
        named.setdefault(near, []).append(short(name))
    for place, names in named.items():
        ax.text(place, 1.02, "\n".join(names), transform=ax.get_xaxis_transform(), fontsize=6,
                rotation=35, rotation_mode="anchor", va="bottom")  # fmt: skip
