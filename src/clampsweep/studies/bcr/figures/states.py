"""Every text of a sweep at a glance: prompts x clamps, coloured by what the clamp did."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from clampsweep.figures.style import BLUE, GREY, PALE, VERMILION, WIDTH, panels, styled
from clampsweep.studies.bcr.figures.panels import clamp_axis, empty, finish, left_out
from clampsweep.studies.bcr.view import Tables
from clampsweep.words import counted

MAX_TARGETS = 3

MAX_LABELS = 60

MAX_ROWS = 1000  # more are thinner than a dot of the PNG

_CROWDED = (
    "Too many rows to tell apart: in each column they stand by state, so a row is not one prompt."
)

STATES = (
    ("both fine", PALE),
    ("rescued", BLUE),
    ("harmed", VERMILION),
    ("both collapsed", GREY),
)


@styled
def states(view: Tables) -> Figure:
    """State of every text, prompts x clamps: both fine, rescued, harmed or both collapsed.

    One panel per detector (a row of panels for each of the first targets); the baselines have a
    column of their own. Definitions: `RECOVERY`.
    """
    if not view.detectors:
        return empty(view, "No collapse detector was chosen, so the texts have no state.")
    shown = view.targets[:MAX_TARGETS]
    order = _grid_rows(view)
    labelled = len(order) <= MAX_LABELS  # then the labels of clamps and rows need room of their own
    height = len(order) * 0.12 + 1.0 if labelled else len(order) * 0.045 + 0.5
    height = min(7.2 / len(shown), height)
    figure, grid = panels(len(shown), len(view.detectors), height, share_y="all")
    complete, crowded = True, len(order) > MAX_ROWS // len(shown)
    for row, target in zip(grid, shown, strict=True):
        for ax, detector in zip(row, view.detectors, strict=True):
            codes = _codes(view, detector, target, order)
            complete &= bool(codes.notna().all(axis=None))
            _draw(ax, _by_state(codes) if crowded else codes)
            width = (WIDTH - 1.5) / len(view.detectors)
            clamp_axis(ax, view, width, _baseline_at(len(view.clamps)))
        if crowded:
            row[0].set_yticks([])
        else:
            _label_rows(row[0], order)
        row[0].set_ylabel(view.shown[target] if len(view.targets) > 1 else "")
    for ax, detector in zip(grid[0], view.detectors, strict=True):
        said = view.headline(detector).replace(": ", "\n", 1)
        narrow = len(view.detectors) > 3
        ax.set_title(said.replace(" baselines", "\nbaselines") if narrow else said, fontsize=7)
    handles = [Patch(color=colour, label=state) for state, colour in STATES]
    remarks = [f"Rows: {_count(view, order)}."] + ([] if complete else ["White: not generated."])
    remarks += [_CROWDED] if crowded else []
    return finish(figure, view, handles, [*remarks, *left_out(view, MAX_TARGETS)])


def _grid_rows(view: Tables) -> pd.DataFrame:
    """Rows of the grid, core by core: prompt_id, core, seed (-1 where no text has one)."""
    prompts = view.prompts[["prompt_id", "core"]]
    core = pd.Series(pd.factorize(prompts["core"])[0], index=prompts.index)
    in_order = prompts.loc[core.sort_values(kind="stable").index]
    seeds = sorted(int(seed) for seed in view.recovery["seed"].dropna().unique())
    return in_order.merge(pd.DataFrame({"seed": seeds or [-1]}), how="cross")


def _codes(view: Tables, detector: str, target: str, order: pd.DataFrame) -> pd.DataFrame:
    """Index into `STATES`, rows as in `order`; column -1 is the baseline; NaN where none was made.

    A text without a seed stands for every seed of its prompt.
    """
    recovery = view.recovery
    rows = recovery[(recovery["detector"] == detector) & (recovery["target"] == target)]
    before, after = rows["baseline_collapsed"].astype(int), rows["collapsed"].astype(int)
    rows = rows.assign(position=view.positions(rows), code=before + 2 * after, before=3 * before)
    seeded, seedless = rows[rows["seed"].notna()], rows[rows["seed"].isna()].drop(columns="seed")
    spread = seedless.merge(order[["seed"]].drop_duplicates(), how="cross")
    every = spread if seeded.empty else pd.concat([seeded.astype({"seed": "int64"}), spread])
    keys = ["prompt_id", "seed"]
    codes = every.pivot(index=keys, columns="position", values="code")
    codes.insert(0, -1, every.groupby(keys)["before"].first())
    wanted = pd.MultiIndex.from_frame(order[keys])
    return codes.reindex(index=wanted, columns=range(-1, len(view.clamps))).astype(float)


def _by_state(codes: pd.DataFrame) -> pd.DataFrame:
    """Each column's codes in order: fine baselines above collapsed ones, the unchanged outside."""
    swapped = {1.0: 2.0, 2.0: 1.0}  # harmed (2) beside fine, rescued (1) beside collapsed
    in_order = np.sort(codes.replace(swapped).to_numpy(), axis=0)
    return pd.DataFrame(in_order, columns=codes.columns).replace(swapped)


def _baseline_at(n_clamps: int) -> float:
    """Middle of the baselines' column, a small gap away from the first clamp's, at 0."""
    return -1 - min(0.8, 0.06 * n_clamps)


def _draw(ax: Axes, codes: pd.DataFrame) -> None:
    n_rows, n_columns = codes.shape
    few = n_rows <= MAX_LABELS
    values = np.ma.masked_invalid(codes.to_numpy())
    baseline = _baseline_at(n_columns - 1) + np.array([-0.5, 0.5])
    clamps = np.arange(n_columns) - 0.5
    for x, part in ((baseline, values[:, :1]), (clamps, values[:, 1:])):
        ax.pcolormesh(
            x,
            np.arange(n_rows + 1) - 0.5,
            part,
            cmap=ListedColormap([colour for _, colour in STATES]),
            vmin=-0.5,
            vmax=len(STATES) - 0.5,
            edgecolors="white" if few else "none",
            linewidth=0.4 if few else 0.0,
            rasterized=not few,  # thousands of cells would make a slow SVG
        )
    ax.set_ylim(n_rows - 0.5, -0.5)
    ax.grid(visible=False)
    ax.tick_params(axis="y", length=0)
    ax.spines[["left", "bottom"]].set_visible(False)


def _label_rows(ax: Axes, order: pd.DataFrame) -> None:
    """Name every row of a small grid; of a large one only the cores, with a line between them."""
    cores = order["core"].fillna("").astype(str)
    starts = np.flatnonzero((cores != cores.shift()).to_numpy())
    middles = (starts + np.append(starts[1:], len(cores)) - 1) / 2
    if len(order) <= MAX_LABELS:
        seeds = [f" (seed {seed})" if seed >= 0 else "" for seed in order["seed"]]
        labels = [_short(name) + seed for name, seed in zip(order["prompt_id"], seeds, strict=True)]
        ax.set_yticks(range(len(order)), labels, fontsize=6)
    elif 1 < len(starts) <= MAX_LABELS:
        ax.set_yticks(middles, [_short(cores.iloc[start]) for start in starts], fontsize=6.5)
    else:
        ax.set_yticks([])
    if len(starts) <= MAX_LABELS:
        for panel in ax.get_shared_y_axes().get_siblings(ax):
            panel.hlines(starts[1:] - 0.5, *panel.get_xlim(), "white", linewidth=0.9)


def _short(label: str, limit: int = 34) -> str:
    """A label of at most `limit` characters, its middle left out if need be."""
    if len(label) <= limit:
        return label
    return f"{label[: limit - 15]}\N{HORIZONTAL ELLIPSIS}{label[-14:]}"


def _count(view: Tables, order: pd.DataFrame) -> str:
    n_seeds, n_cores = order["seed"].nunique(), view.prompts["core"].nunique()
    grouped = f" in {counted(n_cores, 'core')}" if n_cores else ""
    each = f", {n_seeds} seeds each" if n_seeds > 1 else ""
    return f"{counted(len(view.prompts), 'prompt')}{grouped}{each}"
