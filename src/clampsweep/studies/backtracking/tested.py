"""A claim with its numbers, before it is corrected for the others of its family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clampsweep.ledger import Control
from clampsweep.verdicts import Claim, Result

STUDY = "backtracking"


class Tested(NamedTuple):
    """A claim with its numbers.

    Attributes:
        claim: What is claimed.
        result: What was found, without q.
        words: The conclusion, by verdict; the verdict itself where none is given.
        why: What it rests on.
        controls: Of the claim.
        untestable: What the test lacks; empty if nothing.
        vacuous: Why there is nothing to test; empty if there is.
        family: Tests that it is corrected with.
    """

    claim: Claim
    result: Result
    words: Mapping[str, str]
    why: str
    controls: list[Control]
    untestable: str = ""
    vacuous: str = ""
    family: str = ""
