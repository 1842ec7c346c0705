"""What all claims have in common: their form, words that follow the verdict, correction of p."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from clampsweep.ledger import Control
from clampsweep.statistics import rank_interval, rank_p
from clampsweep.verdicts import SUPPORTED, Claim, Result, conclude

Conclusion = tuple[dict[str, Any], list[Control]]
"""A row of `VERDICTS` and the controls of its claim."""

Concluded = list[Conclusion]

STUDY = "universal"

DELTA = "Cliff's delta"


def row_of(
    claim: Claim, result: Result, words: tuple[str, str], why: str, **more: Any
) -> dict[str, Any]:
    """A verdict whose words are the first if it is supported, else the second.

    Args:
        claim: What was claimed.
        result: What was found.
        words: If it is supported, and if not.
        why: What it rests on.
        more: As `verdicts.conclude` takes it.
    """
    row = conclude(claim, result, words[1], why, **more)
    return {**row, "words": words[0]} if row["verdict"] == SUPPORTED else row


def ranked(own: float, draws: Sequence[float], n: int) -> Result:
    """A value with its rank among draws; no case where one of them is not a number.

    Args:
        own: The value.
        draws: What it is held against; their median is the null.
        n: Number of cases.
    """
    if not np.isfinite([own, *draws]).all():
        return Result(n=0)
    low, high = rank_interval(own, draws)
    p = rank_p(own, draws)
    return Result(own, low, high, float(np.median(draws)), n, p, p)
