"""Clamps, rates and controls in words, as the reports of a sweep say them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from clampsweep.markdown import code
from clampsweep.operations import clamp, describe
from clampsweep.studies.bcr.among_controls import CONTROL_KINDS
from clampsweep.words import counted


def controls_of(rank: Mapping[str, Any]) -> str:
    """Number and kind of the controls of a row of `SPECIAL`, `20 control neurons`."""
    return counted(rank["n_controls"], CONTROL_KINDS[rank["kind"]])


def named(records: Iterable[Mapping[Any, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of a table, their columns by name."""
    for record in records:
        yield {str(name): value for name, value in record.items()}


def which_clamp(row: Mapping[Any, Any]) -> str:
    """Target and clamp of a row, `L29N1479 set +10`."""
    change = clamp(row["operation"], row["value"], row["scope"])
    return f"{row['target']} {describe(change)}"


def clamp_name(row: Mapping[Any, Any]) -> str:
    """The same as a code span."""
    return code(which_clamp(row))


def effect_of(row: Mapping[str, Any], kind: str) -> str:
    """What a clamp did, such as `rescued 7 of 8 collapsed texts (87.5 % [52.9, 97.8])`."""
    done, of = ("rescued", "collapsed") if kind == "rescue" else ("harmed", "fine")
    total = row[f"n_{of}_baseline"]
    if total == 0:
        return f"had no {of} text to {kind.removesuffix('d')}"
    return f"{done} {row[f'n_{done}']} of {total:,} {of} texts ({rate_of(row, kind)})"


def rate_of(row: Mapping[str, Any], kind: str) -> str:
    """Rate of a row of `RATES`, rescue or harm, in percent with its interval; `none` if null."""
    rate, low, high = (row[f"{kind}_{end}"] for end in ("rate", "low", "high"))
    if pd.isna(rate):
        return "none"
    return f"{100 * rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
