"""A claim with its numbers, before correction."""

from __future__ import annotations

from clampsweep.studies.backtracking import tested
from clampsweep.verdicts import Claim, Result


def test_what_is_not_said_of_a_claim_is_nothing_against_it():
    one = tested.Tested(Claim(tested.STUDY, "a", "b", "greater", "area"), Result(), {}, "so", [])
    assert (one.untestable, one.vacuous, one.family) == ("", "", "")
