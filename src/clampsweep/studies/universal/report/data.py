"""The section on statistics of activations: new data, reliability, what could not have failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from clampsweep.markdown import join, plain, table
from clampsweep.studies.universal.claims.data import (
    CONVERGED,
    HOLDS,
    NEGATIVE,
    POOLED,
    RELIABLE,
    TOGETHER,
)

_PUBLISHED = "SmolLM2 as measured before on other text: gate 3.42, post 25.7"


def section(found: pd.DataFrame, new_data: pd.DataFrame, stats: pd.DataFrame, known: str) -> str:
    """The section in Markdown.

    Args:
        found: `VERDICTS` of the slice.
        new_data: `NEW_DATA`.
        stats: `STATS`.
        known: The known domain.
    """
    own = stats[stats["domain"] == known].groupby("var", sort=False)["kurt"].median()
    medians = ", ".join(f"{var} {value:.2f}" for var, value in own.items())
    blocks = [
        "## Activations: does it hold on new data? (GT2)",
        f"Median kurtosis of a neuron on {plain(known)}: {medians}.",
    ]
    if new_data.empty:
        blocks.append("No pair of domains was asked for (key `pairs`).")
    else:
        blocks += [
            "A new domain beside the known one, neuron by neuron: the median log-ratio of "
            "kurtosis, rank correlations and what blocks of both, dealt out anew, give.",
            _pairs(found, new_data),
        ]
    blocks += [_sentences(found, claim) for claim in (TOGETHER, CONVERGED, RELIABLE)]
    blocks.append("What the original counted as a pass and could not have failed:")
    blocks.append("\n".join(f"- {_said(row)}" for row in _rows(found, NEGATIVE, POOLED)))
    return join(blocks)


def _pairs(found: pd.DataFrame, new_data: pd.DataFrame) -> str:
    verdicts = {
        (row["claim"], row["subject"], row["by"]): row["verdict"]
        for row in found.to_dict("records")
    }
    rows = []
    for row in new_data[new_data["measure"] == "kurt"].to_dict("records"):
        subject = f"{row['new']} against {row['known']}"
        key = subject, row["var"]
        rows.append(
            [plain(subject), row["var"],
             f"{row['estimate']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}]",
             verdicts[(HOLDS.format("kurtosis"), *key)],
             f"{row['spearman']:.2f} ({row['spearman_mixed']:.2f})",
             verdicts[(HOLDS.format("ranks"), *key)],
             f"{100 * row['retained']:.0f} % ({100 * row['retained_mixed']:.0f} %)"]
        )  # fmt: skip
    head = ("new against known", "of", "log-ratio of kurtosis", "as good as equal?",
            "ranks (mixed)", "ranks kept?", "top 1 % that stay (mixed)")  # fmt: skip
    return table(head, rows)


def _rows(found: pd.DataFrame, *claims: str) -> Sequence[Mapping[Any, Any]]:
    return found[found["claim"].isin(claims)].to_dict("records")


def _sentences(found: pd.DataFrame, claim: str) -> str:
    parts = [
        f"{plain(row['subject'])}, {row['by']}: {plain(row['words'])} ({row['verdict']})"
        for row in _rows(found, claim)
    ]
    return f"**{claim[0].upper()}{claim[1:]}?** " + "; ".join(parts) + "."


def _said(row: Mapping[Any, Any]) -> str:
    said = ", ".join(plain(row[part]) for part in ("words", "why", "reason"))
    return f"{plain(row['claim'])}: {said}."
