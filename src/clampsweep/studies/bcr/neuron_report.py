"""Neurons that stand out in the baseline, in Markdown."""

from __future__ import annotations

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.names import Neuron
from clampsweep.words import counted

_RANKINGS = (
    ("Lowest mean", "mean", True),
    ("Highest mean", "mean", False),
    ("Lowest SD", "sd", True),
    ("Largest |mean| / SD", "mean_over_sd", False),
)


# ---- the neurons


def neuron_report(neuron_stats: pd.DataFrame, top: int = 10) -> str:
    """Four rankings of neurons by their activation on the baselines, in Markdown.

    Args:
        neuron_stats: A `NEURON_STATS` table.
        top: Number of neurons per ranking.
    """
    n_layers = neuron_stats["layer"].nunique()
    blocks = [
        "# Neurons by their natural activation",
        f"{counted(len(neuron_stats), 'neuron')} of {counted(n_layers, 'layer')}: MLP "
        "post-activations over the generated positions of the baselines. A neuron of large "
        "|mean| / SD is nearly constant: it acts much like a bias, whatever the prompt says.",
    ]
    if not neuron_stats["n_positions"].any():
        return join([*blocks, "Every baseline is empty, so there is nothing to rank."])
    for title, column, ascending in _RANKINGS:
        order = ([column, "layer", "neuron"], [ascending, True, True])
        ranked = neuron_stats[neuron_stats[column].notna()].sort_values(
            order[0], ascending=order[1]
        )
        blocks += [f"## {plain(title)}", _neuron_table(ranked.head(top))]
    return join(blocks)


def _neuron_table(ranked: pd.DataFrame) -> str:
    head = ("neuron", "mean", "SD", "min", "max", "above 0", "|mean| / SD", "positions")
    numbers = ("mean", "sd", "min", "max")
    rows = [
        [
            str(Neuron(row["layer"], row["neuron"])),
            *(_number(row[name]) for name in numbers),
            f"{100 * row['share_positive']:.1f} %",
            _number(row["mean_over_sd"]),
            f"{row['n_positions']:,}",
        ]
        for row in ranked.to_dict("records")
    ]
    return table(head, rows)


def _number(value: float) -> str:
    return "none" if pd.isna(value) else f"{value:.4g}"
