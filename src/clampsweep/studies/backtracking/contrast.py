"""A contrast's tables as claims read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd


class Contrast(NamedTuple):
    """Tables of a contrast, and why there is no ranking; empty if there is one.

    Attributes:
        insufficient: Why there are too few events.
        heldout: Its `HELDOUT`.
        effects: Its `EFFECTS`.
        top: Size of the set that is tested.
        confirmed: Neurons that survive both corrections, by position kind.
    """

    insufficient: str
    heldout: pd.DataFrame
    effects: pd.DataFrame
    top: int
    confirmed: Mapping[str, int]


def row_of(table: pd.DataFrame, **at: Any) -> Mapping[str, Any] | None:
    """The row of a table with some cells; None if there is none."""
    for name, value in at.items():
        table = table[table[name] == value]
    return None if table.empty else {str(k): v for k, v in table.iloc[0].to_dict().items()}


def lacking(one: Contrast, row: Mapping[str, Any] | None) -> str:
    """Why a claim cannot be tested; empty if it can."""
    return one.insufficient or ("" if row is not None else "the traces have no such case")
