"""What a clamp does to texts: every text metric, and where a text leaves its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from clampsweep import statistics
from clampsweep.figures.style import GREY, WIDTH, floats, panels, runs, say, styled
from clampsweep.studies.bcr.figures.panels import (
    clamp_axis,
    control_band,
    control_handles,
    empty,
    finish,
    left_out,
    target_handles,
    target_styles,
)
from clampsweep.studies.bcr.view import Tables, intervened
from clampsweep.texts.metrics import FURTHER_METRICS, LIKELIHOOD_METRICS, PUBLISHED_METRICS
from clampsweep.words import listed

MAX_POINTS = 200

MIN_BOX = 5

MAX_BANDS = 3

METRIC_TITLES = MappingProxyType(
    {
        "total_tokens": "words",
        "unique_tokens": "distinct words",
        "token_entropy": "word entropy (bits)",
        "num_sentences": "sentences",
        "avg_sentence_length": "words per sentence",
        "num_repeated_bigrams": "repeated word pairs",
        "distinct_1": "distinct tokens (share)",
        "distinct_2": "distinct token pairs (share)",
        "distinct_3": "distinct token triples (share)",
        "rep_4": "repeated token 4-grams (share)",
        "loop_period": "period of final loop (tokens)",
        "loop_coverage": "text in final loop (share)",
        "zlib_ratio": "compressed / plain bytes",
        "symbol_share": "symbols (share)",
        "nonletter_share": "non-letters (share)",
        "nll_unclamped": "surprise, unclamped (nats/token)",
    }
)


@styled
def text_metrics(view: Tables) -> Figure:
    """Median (line) and interquartile range (band) over texts of every text metric, by clamp.

    The dashed line is the baselines' median. Texts for which a metric is not defined are left out;
    so are metrics that no text has. Definitions: `clampsweep.texts.metrics`.
    """
    every = [*PUBLISHED_METRICS, *FURTHER_METRICS, *LIKELIHOOD_METRICS]
    metrics = [name for name in every if view.text_metrics[name].notna().any()]
    if not metrics:
        return empty(view, "Every text is blank, so no text metric is defined.")
    columns = min(3, len(metrics))
    figure, grid = panels(-(-len(metrics) // columns), columns, 1.3)
    quartiles, medians = _quartiles(view, metrics), _control_medians(view, metrics)
    for place, ax in enumerate(ax for row in grid for ax in row):
        if place >= len(metrics):
            ax.set_visible(False)
            continue
        _draw_controls(ax, view, medians, metrics[place])
        _draw_metric(ax, view, quartiles, metrics[place])
        clamp_axis(ax, view, WIDTH / columns - 0.5)
        ax.tick_params(labelbottom=place + columns >= len(metrics))
    dashes = Line2D([], [], color=GREY, linestyle="dashed", linewidth=0.9, label="baseline median")
    missing = [METRIC_TITLES.get(name, name) for name in every if name not in metrics]
    bands = " and interquartile range (band)" if len(view.targets) <= MAX_BANDS else ""
    remarks = [f"Median (line){bands}; {view.sizes}."]
    remarks += [f"Not defined for these texts: {listed(missing)}."] if missing else []
    if medians is not None and view.among_controls is not None:
        remarks.append(f"Bars: range of the medians of {view.among_controls.sizes}.")
    elif view.among_controls is not None:
        remarks.append("Controls are not drawn: each of the targets has its own.")
    shown_controls = [] if medians is None else control_handles(view)
    handles = [*target_handles(view), dashes, *shown_controls]
    return finish(figure, view, handles, [*remarks, *left_out(view)])


def _control_medians(view: Tables, metrics: list[str]) -> pd.DataFrame | None:
    """Each control's median by clamp: kind, position, each metric; None with several targets.

    Their controls are not to be pooled.
    """
    if view.controls is None or view.control_metrics is None or len(view.targets) > 1:
        return None
    rows = intervened(view.control_metrics).astype(dict.fromkeys(metrics, "float64"))
    rows = rows.assign(position=view.positions(rows))
    found = rows.groupby(["target", "position"], as_index=False)[metrics].median()
    kinds = view.controls.drop_duplicates("control").set_index("control")["kind"]
    return found.assign(kind=found["target"].map(kinds))


def _draw_controls(ax: Axes, view: Tables, medians: pd.DataFrame | None, metric: str) -> None:
    if medians is not None:
        control_band(ax, medians, medians[metric])


def _quartiles(view: Tables, metrics: list[str]) -> pd.DataFrame:
    """Quartiles by target and clamp: target, operation, scope, position, share, each metric."""
    rows = intervened(view.text_metrics)
    keys = ["target", "operation", "scope", "position"]
    values = rows.assign(position=view.positions(rows)).astype(dict.fromkeys(metrics, "float64"))
    found = values.groupby(keys)[metrics].quantile(np.array([0.25, 0.5, 0.75]))
    return found.rename_axis([*keys, "share"]).reset_index()


def _draw_metric(ax: Axes, view: Tables, quartiles: pd.DataFrame, metric: str) -> None:
    for target, colour, marker, shift in target_styles(view):
        for run in runs(quartiles[quartiles["target"] == target]):
            wide = run.pivot(index="position", columns="share", values=metric)
            x, low, high = floats(wide.index.to_series()), floats(wide[0.25]), floats(wide[0.75])
            if len(x) == 1:
                x = x + shift
            if len(x) == 1 and len(view.targets) <= MAX_BANDS:
                ax.vlines(x, low, high, colour, linewidth=3, alpha=0.25)
            elif len(view.targets) <= MAX_BANDS:
                ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
            ax.plot(x, wide[0.5], color=colour, marker=marker, markersize=2.4)
    own = view.text_metrics[view.text_metrics["operation"] == "none"][metric]
    if own.notna().any():
        ax.axhline(float(own.median()), color=GREY, linestyle="dashed", linewidth=0.9)
    ax.set_title(METRIC_TITLES.get(metric, metric), fontsize=7.5)


@styled
def first_divergence(view: Tables) -> Figure:
    """First generated token (from 0) that differs from the baseline's, and the share without any.

    Left, the texts that differ: box (quartiles), whiskers (1.5 interquartile ranges) and a point
    per text. Right, the share identical with the baseline, with 95 % Wilson intervals.
    """
    rows = intervened(view.generations)
    rows = rows[rows["n_new_tokens"].notna()]
    if rows.empty:
        return empty(view, "The texts carry no token ids: the first differing token is not known.")
    rows = rows.assign(position=view.positions(rows))
    styles = list(target_styles(view))
    figure, grid = panels(len(styles), 2, 2.1 if len(styles) < 3 else 1.5, "col", (5.0, 3.0))
    for (left, right), (target, colour, *_) in zip(grid, styles, strict=True):
        own = rows[rows["target"] == target]
        _draw_steps(left, own, colour)
        _draw_identical(right, own, colour)
        left.set_ylabel(
            f"{view.shown[target]}\ntoken (from 0)" if len(styles) > 1 else "token (from 0)"
        )
    grid[0][0].set_title("First token that differs from the baseline", fontsize=7.5)
    grid[0][1].set_title("Texts identical with the baseline", fontsize=7.5)
    for place, width in enumerate((WIDTH * 0.55, WIDTH * 0.33)):
        clamp_axis(grid[-1][place], view, width)
    remark = f"Left: texts that differ. Right: 95 % Wilson intervals; {view.sizes}."
    return finish(figure, view, remarks=[remark, *left_out(view)])


def _draw_steps(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    """A box per clamp over the texts that differ, unless few, and a point each, unless many."""
    differing = rows[rows["first_divergence_step"].notna()]
    by_clamp = differing.groupby("position")["first_divergence_step"]
    steps = {float(str(position)): floats(own) for position, own in by_clamp}
    if not steps:
        say(ax, "Every text is identical with its baseline.")
        return
    _draw_boxes(ax, {x: values for x, values in steps.items() if len(values) >= MIN_BOX})
    for position, values in steps.items():
        if len(values) <= MAX_POINTS:
            # Multiples of the golden ratio spread evenly, and the same on every run.
            spread = ((np.arange(len(values)) * 0.618034 + 0.5) % 1 - 0.5) * 0.5
            ax.plot(position + spread, values, ".", color=colour, ms=2.5, alpha=0.5, zorder=3)
    ax.set_ylim(bottom=-1)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_boxes(ax: Axes, boxes: Mapping[float, NDArray[np.float64]]) -> None:
    if not boxes:
        return
    thin = {"color": "#333333", "linewidth": 0.7}
    ax.boxplot(
        list(boxes.values()),
        positions=list(boxes),
        widths=0.6,
        showfliers=False,
        manage_ticks=False,
        patch_artist=True,
        boxprops={"facecolor": "white", "edgecolor": "#333333", "linewidth": 0.7},
        medianprops={"color": "black"},
        whiskerprops=thin,
        capprops=thin,
    )


def _draw_identical(ax: Axes, rows: pd.DataFrame, colour: str) -> None:
    same = rows["first_divergence_step"].isna()
    counts = same.groupby(rows["position"]).agg(["sum", "size"])
    for position, k, n in counts.itertuples(name=None):
        low, high = statistics.wilson(int(k), int(n))
        ax.vlines(position, low, high, colour, linewidth=1.0, alpha=0.55)
    ax.plot(counts.index, counts["sum"] / counts["size"], "o", color=colour)
    ax.set_ylim(-0.04, 1.04)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
