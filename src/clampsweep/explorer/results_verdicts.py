"""A sweep's verdicts as a table, and below them the ledger: which controls each of them has."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from markupsafe import Markup

from clampsweep import markdown
from clampsweep.explorer import marking
from clampsweep.ledger import controls_table
from clampsweep.studies.bcr.view import Tables

_HEAD = ("claim", "of", "judged by", "verdict", "in words", "estimate", "q", "rests on")

_NO_LEDGER = (
    "There is no ledger.parquet: an earlier version made this sweep. Run the workflow again to see "
    "which controls ran."
)


def verdicts(sweep: Tables) -> Markup:
    """The verdicts, and the controls of each; of a selection, drawn anew."""
    if sweep.verdicts is None:
        return Markup()
    rows = [_row(row) for row in sweep.verdicts.to_dict("records")]
    return marking.table(_HEAD, rows, f"Verdicts. {sweep.title}") + _ledger(sweep)


def _row(row: dict[Any, Any]) -> list[object]:
    return [
        row["claim"], row["subject"], row["by"], row["verdict"], row["words"], _estimate(row),
        None if pd.isna(row["q"]) else float(f"{row['q']:.2g}"),
        "; ".join(filter(None, (str(row["why"]), str(row["reason"])))),
    ]  # fmt: skip


def _estimate(row: dict[Any, Any]) -> str | None:
    """Size of the effect with its interval and unit."""
    if pd.isna(row["estimate"]):
        return None
    ends = row["low"], row["high"]
    known = not any(map(pd.isna, ends)) and any(map(math.isfinite, ends))
    interval = " [{:.3g}, {:.3g}]".format(*ends) if known else ""
    return f"{row['estimate']:.3g}{interval} {row['unit']}"


def _ledger(sweep: Tables) -> Markup:
    """The controls that ran, and those that were skipped with the reason."""
    if sweep.ledger is None:
        return marking.message(_NO_LEDGER)
    body = Markup(markdown.fragment(controls_table(sweep.ledger)))
    return Markup(
        '<h3>Controls of these verdicts</h3><div class="cs-scroll cs-ledger">{}</div>'
    ).format(body)
