"""Claims on rankings: what is supported, what is not, and what cannot be asked."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from backtracking.made import area, contrast, effect, exits
from clampsweep.studies.backtracking.claims import judge

TOP = "top neurons"


def verdicts(**contrasts: Any) -> pd.DataFrame:
    found = judge(contrasts, None, exits())
    return found.verdicts.set_index(["claim", "subject", "by"])


def areas(**changes: Any) -> list[dict[str, Any]]:
    """Rows of a contrast in which the top neurons tell events, and the direction tells more."""
    rows = []
    for kind in ("pre", "pred"):
        rows += [
            area(TOP, kind, 20, **changes),
            area("permuted labels", kind, 20, estimate=0.5, low=0.4, high=0.6, p=None),
            area("residual direction", kind, estimate=0.97),
            area("token before", kind, estimate=0.5),
            area(f"{TOP} less residual direction", kind, 20, estimate=-0.07, low=-0.12, high=-0.02,
                 null=0.0, p=0.01),
            area(f"{TOP} less token before", kind, 20, estimate=0.4, low=0.3, high=0.45, null=0.0),
        ]  # fmt: skip
    return rows


def test_a_held_out_area_above_a_half_is_supported_and_the_null_is_not():
    found = verdicts(
        gross=contrast(heldout=areas()),
        off=contrast(heldout=areas(estimate=0.51, low=0.42, high=0.6, p=0.4)),
    )["verdict"]
    name = "neurons tell events from controls"
    assert found[name, "gross", "pred"] == "supported"
    assert found[name, "off", "pred"] == "inconclusive"
    assert found[name, "off", "pre"] == "inconclusive"


def test_too_few_events_are_said_by_every_claim_of_the_contrast():
    found = verdicts(plain=contrast("insufficient events: 2 from 1 problems"))
    own = found.xs("plain", level="subject")
    assert set(own["verdict"]) == {"untestable"}
    reasons = set(own["reason"])
    assert reasons == {"insufficient events: 2 from 1 problems"}


def test_what_a_residual_direction_beats_is_contradicted():
    found = verdicts(gross=contrast(heldout=areas()))["verdict"]
    assert found["neurons tell more than the residual direction", "gross", "pre"] == "contradicted"
    assert found["neurons tell more than the token before", "gross", "pre"] == "supported"


def test_the_same_prefix_with_and_without_a_marker_is_vacuous():
    rows = [
        *areas(),
        area(f"{TOP} against hard_unmarked", k=20, estimate=0.5, low=0.5, high=0.5, p=1.0),
    ]
    rows.append(area(f"{TOP} against hard_spurious", k=20))
    found = verdicts(gross=contrast(heldout=rows))
    assert found.loc[("neurons foretell the marker", "gross", "pred"), "verdict"] == "vacuous"
    assert found.loc[("neurons answer to the error", "gross", "pred"), "verdict"] == "supported"


def test_chains_have_no_hard_controls_and_say_so():
    found = verdicts(plain=contrast(heldout=areas()))
    row = found.loc[("neurons answer to the error", "plain", "pred")]
    assert row["verdict"] == "untestable"
    assert "only written traces" in row["reason"]


def test_p_is_corrected_over_contrasts_and_kinds_of_a_claim():
    one = contrast(heldout=areas(p=0.03))
    found = verdicts(a=one, b=contrast(heldout=areas(p=0.5)))
    # Four tests: p 0.03, 0.03, 0.5, 0.5; Benjamini-Hochberg makes the least 0.03 * 4 / 2.
    q = found.loc[("neurons tell events from controls", "a", "pred"), "q"]
    assert q == pytest.approx(0.06)


def test_every_claim_has_a_line_in_the_ledger():
    found = judge(
        {"gross": contrast(heldout=areas(), effects=[effect("zero")])}, None, exits((True, False))
    )
    keys = ["study", "claim", "subject", "by"]
    asked = set(found.verdicts[keys].itertuples(index=False, name=None))
    assert asked == set(found.ledger[keys].itertuples(index=False, name=None))
