"""A claim with its numbers, and its verdict once q is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from clampsweep.ledger import Control
from clampsweep.studies.universal.claims.conclusions import Concluded
from clampsweep.verdicts import UNTESTABLE, Claim, Result, conclude, corrected


class Tested(NamedTuple):
    """A claim with its numbers, before its q is known.

    Attributes:
        claim: What is claimed.
        result: What was found, without q.
        words: The conclusion, by verdict.
        why: What it rests on.
        controls: Of the claim.
        least_q: The smallest q that so few cases allow, if the test has one.
    """

    claim: Claim
    result: Result
    words: Mapping[str, str]
    why: str
    controls: list[Control]
    least_q: float | None = None


def concluded(family: Sequence[Tested]) -> Concluded:
    """Verdicts of a family of tests, their p values corrected for one another.

    Args:
        family: The tests.
    """
    found: Concluded = []
    results = corrected([one.result for one in family])
    for one, result in zip(family, results, strict=True):
        row = conclude(one.claim, result, "-", one.why, least_q=one.least_q)
        words = {UNTESTABLE: "cannot be tested", **one.words}[row["verdict"]]
        found.append(({**row, "words": words}, one.controls))
    return found
