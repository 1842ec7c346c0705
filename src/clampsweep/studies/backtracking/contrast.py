"""A contrast's tables as claims read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from clampsweep.studies.backtracking.heldout import confirmed
from clampsweep.studies.backtracking.sampling import enough, main
from clampsweep.studies.backtracking.splits import SPLITS


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


def contrast_of(
    samples: pd.DataFrame,
    neurons: pd.DataFrame,
    heldout: pd.DataFrame,
    effects: pd.DataFrame,
    minimum: tuple[int, int],
    top: int,
) -> Contrast:
    """A contrast of its tables.

    Args:
        samples: Its `SAMPLES`.
        neurons: Its `NEURONS`.
        heldout: Its `HELDOUT`.
        effects: Its `EFFECTS`.
        minimum: Events, and problems, that each split needs.
        top: Size of the set that is tested.
    """
    sure = {str(kind): len(confirmed(own)) for kind, own in neurons.groupby("position_kind")}
    return Contrast(enough(main(samples), SPLITS, *minimum), heldout, effects, top, sure)
