"""The section on statistics of activations: new data, reliability, what could not fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.studies.universal.claims.data import BIAS, CONVERGED, POOLED, PRODUCT, RELY
from clampsweep.studies.universal.claims.pairs import HOLDS, MEASURE_NAMES, RANKS, TOP
from clampsweep.studies.universal.data_view import DataView
from clampsweep.studies.universal.neuron_table import RELIABLE

_PUBLISHED = (
    "Measured before on SmolLM2 135M (8,064 positions a domain, other texts): post kurtosis 25.7, "
    "gate 3.42 in prose; log-ratio of post kurtosis code/prose -0.25, French -0.17, German -0.34, "
    "Spanish -0.21 against parallel English."
)

Row = dict[str, Any]


def section(found: pd.DataFrame, view: DataView) -> str:
    """The section in Markdown.

    Args:
        found: `VERDICTS` of the slice.
        view: The tables.
    """
    rows = {
        (str(row["claim"]), str(row["subject"]), str(row["by"])): {
            str(k): v for k, v in row.items()
        }
        for row in found.to_dict("records")
    }
    return join(
        [
            "## Statistics of activations: do they hold on new data? (GT2)",
            *_pairs(rows, view.new_data),
            "### How far the numbers can be relied on",
            table(
                ("domain, activation", "median kurtosis", "halves' rho", "reliable",
                 "all text / half", "converged", "layers below 0.5"),
                _domains(rows, view),
            ),
            "Halves: even and odd blocks. Where kurtosis has not converged, it is comparable only "
            "between equal amounts of text, as here.",
            *_values(rows, view),
            "### What could not have failed",
            *_vacuous(rows),
        ]
    )  # fmt: skip


def _pairs(rows: dict[tuple[str, str, str], Row], new_data: pd.DataFrame) -> list[str]:
    """What holds between domains."""
    if new_data.empty:
        return ["The entry compares no domains (key `pairs`), so nothing is said of new data."]
    head = ("new / known", "measure", "median", "95 %", "by chance", "tokens a character",
            "verdict")  # fmt: skip
    ranks = ("new / known", "measure", "rho", "mixed texts", "ranks hold", "top 1 % in top 5 %",
             "mixed texts", "most stay")  # fmt: skip
    return [
        "The median neuron on a new domain against itself on a known one: log-ratios of kurtosis "
        "and of the share above 0 (0.22 is a quarter more), differences of means in standard "
        "deviations. It holds if the interval lies within the margin (0.22; 0.2 for means).",
        table(head, _holding(rows, new_data)),
        "Do the same neurons stand out? Mixed texts: all blocks of both domains dealt out anew.",
        table(ranks, _ranking(rows, new_data)),
        _PUBLISHED,
    ]


def _holding(rows: dict[tuple[str, str, str], Row], new_data: pd.DataFrame) -> Iterator[list[str]]:
    for one in new_data.to_dict("records"):
        pair, by = f"{one['new']} and {one['known']}", MEASURE_NAMES[one["var"], one["measure"]]
        yield [
            plain(pair), by, _signed(one["estimate"]),
            f"[{_signed(one['low'])}, {_signed(one['high'])}]",
            f"[{_signed(one['mixed_low'])}, {_signed(one['mixed_high'])}]",
            f"{one['density_new']:.2f} / {one['density_known']:.2f}",
            rows[HOLDS, pair, by]["verdict"],
        ]  # fmt: skip


def _ranking(rows: dict[tuple[str, str, str], Row], new_data: pd.DataFrame) -> Iterator[list[str]]:
    for one in new_data[new_data["measure"] == "kurt"].to_dict("records"):
        pair, by = f"{one['new']} and {one['known']}", MEASURE_NAMES[one["var"], "kurt"]
        yield [
            plain(pair), by, f"{one['spearman']:.2f}", f"{one['spearman_mixed']:.2f}",
            rows[RANKS, pair, by]["verdict"], f"{100 * one['retained']:.0f} %",
            f"{100 * one['retained_mixed']:.0f} %", rows[TOP, pair, by]["verdict"],
        ]  # fmt: skip


def _domains(rows: dict[tuple[str, str, str], Row], view: DataView) -> Iterator[list[str]]:
    medians = view.stats.groupby(["domain", "var"], sort=False)["kurt"].median()
    low = view.reliability.groupby(["domain", "var"])["reliable"].agg(lambda one: (~one).sum())
    for at, kurt in medians.items():
        domain, var = cast("tuple[str, str]", at)
        rely, grown = rows[RELY, domain, var], rows[CONVERGED, domain, var]
        yield [
            f"{plain(domain)}, {var}", f"{kurt:.2f}", _two(rely["estimate"]), rely["verdict"],
            "" if pd.isna(grown["estimate"]) else f"{np.exp(grown['estimate']):.3f}",
            grown["verdict"], str(int(low[domain, var])),
        ]  # fmt: skip


def _values(rows: dict[tuple[str, str, str], Row], view: DataView) -> list[str]:
    """What the values themselves say."""
    values = view.values
    said = [
        f"L-kurtosis of the median neuron, {plain(view.domain)}: gate "
        f"{values['l_kurt_gate'].median():.3f}, post {values['l_kurt_post'].median():.3f} (0.123 "
        f"for a Gaussian). Through the paper's bins the gate's median kurtosis is "
        f"{values['binned_kurt'].median():.2f} instead of {values['kurt_gate'].median():.2f}; "
        f"{100 * values['clipped'].mean():.3f} % of values lie outside the bins. A layer is called "
        f"reliable from {RELIABLE} on."
    ]
    product = rows[PRODUCT, view.domain, ""]
    return [*said, f"Post kurtosis against products by chance: {plain(product['words'])} "
            f"({product['verdict']})."]  # fmt: skip


def _vacuous(rows: dict[tuple[str, str, str], Row]) -> Iterator[str]:
    for (claim, subject, _), row in rows.items():
        if claim in (POOLED, BIAS):
            yield (
                f"- {plain(claim.capitalize())} ({plain(subject)}): {plain(row['words'])}. "
                f"{plain(str(row['reason']).capitalize())}."
            )


def _signed(value: float) -> str:
    return "" if pd.isna(value) else f"{value:+.3f}"


def _two(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"
