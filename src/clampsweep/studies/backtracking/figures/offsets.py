"""Held-out area of the top neurons token by token around the onset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import BLUE, GREY, PALE, VERMILION, styled
from clampsweep.figures.style import title as title_of
from clampsweep.studies.backtracking.auc import auc, counts, drawn, interval, weights
from clampsweep.studies.backtracking.figures.panels import Multiples, Shown, finish, legend
from clampsweep.studies.backtracking.position_kinds import BEFORE, LAST, PRED
from clampsweep.words import counted

_SEED = 0
_NEURON = ["layer", "neuron"]
_WHOLE: Mapping[str, str] = {}


def scores(around: pd.DataFrame, neurons: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Mean of standardised activations at each offset, each neuron turned by its sign.

    Means and spreads are those over all samples of the split discover at the position kind, so that
    at its own offset the score is the one whose area `HELDOUT` has.

    Args:
        around: `AROUND` of a contrast.
        neurons: Its `NEURONS`.
        kind: The position kind at which the neurons were ranked.

    Returns:
        Columns `sample_id`, `match_id`, `problem_id`, `y`, `offset` and `score`.
    """
    own = neurons[neurons["position_kind"] == kind]
    n1, n0 = own["n1"], own["n0"]
    n = n1 + n0
    mean = (n1 * own["mean1"] + n0 * own["mean0"]) / n
    within = (n1 - 1) * own["sd1"] ** 2 + (n0 - 1) * own["sd0"] ** 2
    between = n1 * n0 / n * (own["mean1"] - own["mean0"]) ** 2
    spread = np.sqrt((within + between) / n).replace(0, 1.0)
    scale = own[[*_NEURON, "sign"]].assign(mean=mean, spread=spread)
    joined = around.merge(scale, on=_NEURON)
    joined["score"] = joined["sign"] * (joined["value"] - joined["mean"]) / joined["spread"]
    places = ["sample_id", "match_id", "problem_id", "y", "offset"]
    return joined.groupby(places)["score"].mean().reset_index()


def by_offset(scored: pd.DataFrame) -> pd.DataFrame:
    """Area at each offset at which there are events and controls, with its interval over problems.

    Args:
        scored: As `scores` gives them.

    Returns:
        Columns `offset`, `auc`, `low` and `high`.
    """
    rows = list(_areas(scored))
    return pd.DataFrame(rows, columns=["offset", "auc", "low", "high"])


def _areas(scored: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for offset, own in scored.groupby("offset"):
        y, score = own["y"].to_numpy() == 1, own["score"].to_numpy(float)
        if y.all() or not y.any():
            continue
        problems = pd.factorize(own["problem_id"])[0]
        times = weights(len(set(problems)), _SEED)
        low, high = interval(drawn(counts(score, y, problems), times))
        yield {"offset": int(str(offset)), "auc": float(auc(score, y)), "low": low, "high": high}


@styled
def offsets(
    around: Mapping[str, pd.DataFrame],
    neurons: Mapping[str, pd.DataFrame],
    title: str,
    why: Mapping[str, str] = _WHOLE,
    *,
    kind: str = PRED,
) -> Figure:
    """Held-out area of the top neurons from 15 tokens before the onset to 5 behind it.

    Args:
        around: `AROUND` by contrast.
        neurons: `NEURONS` by contrast.
        title: What the entry is.
        why: Reasons why a contrast has none.
        kind: The position kind at which the neurons of `around` were ranked.
    """
    shown = Shown.of(around, why)
    if not shown.names:
        return shown.nothing(title)
    figure, axes, left, width = Multiples.of(shown.names, 1.7)
    for name, ax in axes.items():
        scored = scores(around[name], neurons[name], kind)
        _curve(ax, by_offset(scored))
        title_of(ax, [name, _sizes(scored, around[name])], width, 7)
        ax.set_xlabel("tokens from the onset")
    for ax in left:
        ax.set_ylabel("area")
    legend(
        figure,
        [
            Line2D([], [], color=BLUE, marker="o", label="top neurons, 95 % interval"),
            Patch(color=PALE, label="pre, where the sentence begins with the onset"),
            Line2D([], [], color=GREY, linestyle=":", label="pred: the token before the onset"),
            Line2D([], [], color=VERMILION, linestyle=":", label="onset"),
        ],
    )
    remark = f"Neurons were ranked at {kind} on the split discover."
    return finish(figure, title, [remark, *shown.remarks])


def _sizes(scored: pd.DataFrame, around: pd.DataFrame) -> str:
    """What a panel's areas are of."""
    events = scored.loc[scored["y"] == 1, "match_id"].nunique()
    controls = len(scored[scored["y"] == 0].drop_duplicates(["sample_id", "match_id"]))
    n = len(around.drop_duplicates(_NEURON))
    sizes = (counted(n, "neuron"), counted(events, "event"), counted(controls, "control"))
    return f"{', '.join(sizes)}, {counted(scored['problem_id'].nunique(), 'problem')}"


def _curve(ax: Axes, areas: pd.DataFrame) -> None:
    """A panel: areas over offsets, and where the position kinds are."""
    ax.axvspan(-BEFORE - 0.5, -LAST + 0.5, color=PALE, zorder=0.4)
    ax.axhline(0.5, color=GREY, linewidth=0.7, linestyle="--")
    ax.axvline(-1, color=GREY, linewidth=0.8, linestyle=":")
    ax.axvline(0, color=VERMILION, linewidth=0.8, linestyle=":")
    ax.fill_between(
        areas["offset"], areas["low"], areas["high"], color=BLUE, alpha=0.2, linewidth=0
    )
    ax.plot(areas["offset"], areas["auc"], "-o", color=BLUE, markersize=2.4)
    ax.set_ylim(min(0.3, float(areas["low"].min()) - 0.02), 1.02)
    ax.set_xticks([-15, -10, -5, 0, 5])
    plain_numbers(ax.xaxis, ax.yaxis)
