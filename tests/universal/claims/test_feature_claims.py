"""Claims on features, from tables written by hand."""

from __future__ import annotations

from typing import Any

import pandas as pd

from clampsweep import ledger
from clampsweep.studies.universal.claims.features import NUMBERS, POSITION, Setting, claims
from clampsweep.studies.universal.features.tables import FEATURES, PLANTS, POSITIONS

SETTING = Setting(46_080, 200, 200, 8)


def feature(name: str, family: str, **changes: Any) -> dict[str, Any]:
    """A row of `FEATURES` with a neuron that responds, changed."""
    row = {
        "feature": name, "family": family, "what": f"the token is {name}", "outcome": "tested",
        "same_as": "", "moved": "shift", "n_discovery": 500, "n_positive": 400, "n": 54_000,
        "layer": 22, "neuron": 1293, "vr_discovery": 0.6, "vr_confirmation": 0.55, "low": 0.5,
        "high": 0.6, "null_max": 0.02, "p": 1 / 201, "p_fwer": 1 / 201, "q": 0.006,
    }  # fmt: skip
    return row | changes


def planted(found: int) -> pd.DataFrame:
    """`PLANTS` of ten features, some of them found."""
    rows = [
        {"kind": kind, "feature": str(at), "found": kind == "planted" and at < found, "right": True}
        for kind in ("planted", "shifted")
        for at in range(10)
    ]
    return pd.DataFrame(rows, columns=list(PLANTS.columns))


def concluded(rows: list[dict[str, Any]], positions: pd.DataFrame | None = None) -> pd.DataFrame:
    """Verdicts, by subject, of rows of `FEATURES`."""
    none = pd.DataFrame(columns=list(POSITIONS.columns))
    table = pd.DataFrame(rows, columns=list(FEATURES.columns))
    found = claims(table, planted(9), none if positions is None else positions, SETTING)
    assert all(controls for _, controls in found)
    return ledger.conclusions(found).verdicts


def test_a_neuron_must_be_sure_on_both_counts() -> None:
    found = concluded(
        [
            feature("the", "unigram"),
            feature("luck", "form", vr_confirmation=0.01, low=0.0, high=0.015),
            feature("wide", "form", low=0.01),
            feature("topic", "topic", q=0.06),
            feature("rare", "form", outcome="untestable", n_positive=0, layer=None, neuron=None,
                    vr_discovery=None, vr_confirmation=None, low=None, high=None, null_max=None,
                    p=None, p_fwer=None, q=None),
            feature("twin", "unigram", outcome="same", same_as="the"),
        ]
    ).set_index("subject")  # fmt: skip
    verdicts = found["verdict"].to_dict()
    assert verdicts == {
        "the": "supported",
        "luck": "contradicted",
        "wide": "inconclusive",
        "topic": "inconclusive",
        "rare": "untestable",
        "any feature of numbers": "untestable",
    }
    assert found["words"]["the"].startswith("L22N1293")
    assert "200" in found["reason"]["rare"]


def test_numbers_are_held_against_the_original_s_cut() -> None:
    rows = [
        feature("digit", "number"),
        feature("year", "number", vr_discovery=0.7, vr_confirmation=0.12, low=0.08, high=0.15),
    ]
    found = concluded(rows).set_index("claim").loc[NUMBERS]
    assert (found["null"], found["estimate"], found["verdict"]) == (0.1, 0.12, "inconclusive")
    assert concluded(rows[:1]).set_index("claim").loc[NUMBERS, "verdict"] == "supported"


def test_position_is_told_by_the_neuron_that_discovery_ranks_first() -> None:
    row = {"rank": 1, "layer": 3, "neuron": 4, "mi_discovery": 0.3, "mi_confirmation": 0.2,
           "low": 0.18, "high": 0.21, "null": 0.01, "p": 0.005, "q": 0.005, "firing_first": 1.0,
           "firing_last": 0.1}  # fmt: skip
    table = pd.DataFrame([row | {"rank": 2, "low": 0.0}, row])
    found = concluded([feature("the", "unigram")], table).set_index("claim").loc[POSITION]
    assert found["verdict"] == "supported"
    assert found["words"].startswith("L3N4")


def test_the_ledger_says_how_many_planted_features_were_found() -> None:
    table = pd.DataFrame([feature("the", "unigram")], columns=list(FEATURES.columns))
    none = pd.DataFrame(columns=list(POSITIONS.columns))
    book = ledger.conclusions(claims(table, planted(9), none, SETTING)).ledger
    why = book.loc[book["control"] == "planted features", "why"].iloc[0]
    assert "9 of 10 found" in why and "0 of 10 found" in why
    left = ledger.conclusions(claims(table, planted(9).head(0), none, SETTING)).ledger
    assert not left.loc[left["control"] == "planted features", "ran"].any()
