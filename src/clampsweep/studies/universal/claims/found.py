"""A claim with its numbers, and its verdict once q is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from clampsweep.ledger import Control
from clampsweep.statistics import benjamini_hochberg
from clampsweep.verdicts import UNTESTABLE, Claim, Result, conclude

Concluded = list[tuple[dict[str, Any], list[Control]]]


class Found(NamedTuple):
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


def corrected(found: list[Found]) -> Iterator[tuple[dict[str, Any], list[Control]]]:
    """Verdicts of a family of tests, their p values corrected for one another.

    Args:
        found: The family.
    """
    known = [one.result.p for one in found if one.result.p is not None]
    qs = iter(benjamini_hochberg(known).tolist())
    for one in found:
        q = None if one.result.p is None else next(qs)
        result = one.result._replace(q=q)
        row = conclude(one.claim, result, "-", one.why, least_q=one.least_q)
        words = {UNTESTABLE: "cannot be tested", **one.words}[row["verdict"]]
        yield {**row, "words": words}, one.controls
