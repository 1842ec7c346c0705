"""A figure of a sweep as HTML, with downloads and its numbers."""

from __future__ import annotations

import base64
import inspect
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from clampsweep import operations
from clampsweep.explorer import marking
from clampsweep.figures.style import save_figure
from clampsweep.operations import describe
from clampsweep.studies.bcr.figures.draw import FIGURES
from clampsweep.studies.bcr.view import Tables

_RATES = ["detector", "target", "clamp", "n_rescued", "n_collapsed_baseline", "n_harmed"]

_RATES += ["n_fine_baseline", "net", "mcnemar_q", "cluster_q"]

_RANKS = ["detector", "target", "kind", "statistic", "observed", "control_median", "control_low"]

_RANKS += ["control_high", "n_controls", "p", "q"]


def figure(sweep: Tables, name: str, stem: str) -> Markup:
    """A figure as an image with its description, links to download it, and its numbers as a table.

    Args:
        sweep: The tables.
        name: A key of `plots.FIGURES`.
        stem: What the downloaded files are called, without the ending.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"figure.{ending}") for ending in ("svg", "png")]
        save_figure(FIGURES[name](sweep), paths)
        svg, png = (base64.b64encode(path.read_bytes()).decode() for path in paths)
    says = f"{(inspect.getdoc(FIGURES[name]) or name).splitlines()[0]} {sweep.title}"
    link = Markup('<a class="cs-download" download="{}.{}" href="data:{};base64,{}">{}</a>')
    return Markup(
        '<figure class="cs-figure"><img alt="{}" src="data:image/svg+xml;base64,{}">'
        "<figcaption>{} {}</figcaption></figure>{}"
    ).format(
        says,
        svg,
        link.format(stem, "svg", "image/svg+xml", svg, "Download SVG"),
        link.format(stem, "png", "image/png", png, "Download PNG"),
        _numbers(sweep, name),
    )


def _numbers(sweep: Tables, name: str) -> Markup:
    """What the dose curves and the comparison with controls show, as a table that unfolds."""
    if name in ("rescue_vs_harm", "improvement_rate"):
        made = sweep.rates[["operation", "value", "scope"]].itertuples(index=False, name=None)
        clamps = [describe(operations.clamp(*row)) for row in made]
        rows = sweep.rates.assign(clamp=clamps, place=sweep.positions(sweep.rates))
        rows, head = rows.sort_values(["target", "place"]), _RATES
    elif name == "controls" and sweep.special is not None:
        rows, head = sweep.special, _RANKS
    else:
        return Markup()
    place = rows["detector"].map(sweep.detectors.index)
    rows = rows.assign(target=rows["target"].map(sweep.shown))
    rows = rows.loc[place.sort_values(kind="stable").index, head]
    found = [[plain(value) for value in row] for row in rows.itertuples(index=False, name=None)]
    return Markup("<details><summary>Numbers of this figure</summary>{}</details>").format(
        marking.table([column.replace("_", " ") for column in head], found, sweep.title)
    )


def plain(value: Any) -> object:
    """A cell of a table as Python's own number or word; None for null."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
