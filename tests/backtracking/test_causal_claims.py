"""Claims on changes of neurons: against random sets, with harm, and against an equal logit bias."""

from __future__ import annotations

from typing import Any

from backtracking.made import contrast, effect
from clampsweep.studies.backtracking.causal_claims import causal_claims
from clampsweep.studies.backtracking.claims import concluded


def concluded_rows(*effects: dict[str, Any], insufficient: str = "") -> dict[Any, dict[str, Any]]:
    tested = causal_claims("gross", contrast(insufficient, effects=effects))
    return {(row["claim"], row["by"]): row for row, _ in concluded(tested)}


LOWERS = "holding neurons lowers the onset"
BIAS = "neurons do more than an equal logit bias"


def test_an_effect_beyond_random_sets_is_supported_with_its_harm_beside_it():
    row = concluded_rows(effect("zero"))[LOWERS, "zero"]
    assert (row["verdict"], row["null"], row["estimate"]) == ("supported", 0.0, -0.4)
    assert "harm: KL of the next token at controls 0.03 nats, of random sets 0.02" in row["why"]


def test_an_effect_that_random_sets_have_too_is_not():
    null = effect("mean", estimate=-0.001, low=-0.01, high=0.01, random_mean=-0.002, p=0.6)
    row = concluded_rows(null)[LOWERS, "mean"]
    assert (row["verdict"], row["words"]) == ("inconclusive", "inconclusive")


def test_raising_is_claimed_to_bring_the_onset_and_has_no_bias_beside_it():
    found = concluded_rows(effect("raise", estimate=0.3, low=0.2, high=0.4))
    assert found["raising neurons brings the onset", "raise"]["verdict"] == "supported"
    assert (BIAS, "raise") not in found


def test_what_an_equal_bias_does_too_is_not_more():
    same = effect("zero", bias_gap=0.01, bias_low=-0.02, bias_high=0.04, bias_p=0.5)
    assert concluded_rows(same)[BIAS, "zero"]["verdict"] == "inconclusive"
    assert concluded_rows(effect("zero"))[BIAS, "zero"]["verdict"] == "supported"


def test_without_a_bias_of_the_same_size_the_claim_cannot_be_tested():
    names = ("bias", "bias_control", "bias_gap", "bias_low", "bias_high", "bias_p")
    row = concluded_rows(effect("zero", **dict.fromkeys(names)))[BIAS, "zero"]
    assert row["verdict"] == "untestable"
    assert "no bias" in row["reason"]


def test_too_few_events_leave_nothing_to_try():
    rows = concluded_rows(insufficient="insufficient events: none")
    assert {row["verdict"] for row in rows.values()} == {"untestable"}
