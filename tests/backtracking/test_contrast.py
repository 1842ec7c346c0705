"""A contrast's tables as claims read them."""

from __future__ import annotations

import pandas as pd

from backtracking.made import area, contrast
from clampsweep.studies.backtracking.contrast import contrast_of, lacking, row_of


def samples(n: int) -> pd.DataFrame:
    rows = [
        {"split": split, "y": 1, "problem_id": f"{split}{at}", "control_kind": "event"}
        for split in ("discover", "select", "test")
        for at in range(n)
    ]
    return pd.DataFrame(rows)


def neurons() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "position_kind": ["pre", "pred", "pred"],
            "rank": [1, 2, 1],
            "q": [0.01, 0.01, 0.2],
            "p_max": [0.3, 0.01, 0.01],
            "auc_select": [0.9, 0.8, 0.9],
        }
    )


def test_neurons_are_confirmed_by_both_corrections():
    tables = neurons(), contrast().heldout, contrast().effects
    found = contrast_of(samples(3), *tables, (3, 3), 20)
    assert found.confirmed == {"pre": 0, "pred": 1}
    assert not found.insufficient


def test_too_few_events_of_a_split_are_said_with_their_number():
    tables = neurons(), contrast().heldout, contrast().effects
    found = contrast_of(samples(2), *tables, (3, 1), 20)
    assert found.insufficient.startswith("insufficient events: 2 from 2 problems in the split")
    assert lacking(found, {"estimate": 1}) == found.insufficient


def test_a_row_is_found_by_its_cells():
    table = contrast(heldout=[area("a", k=1), area("a", "pre", k=2)]).heldout
    row = row_of(table, method="a", position_kind="pre")
    assert row is not None
    assert row["k"] == 2
    assert row_of(table, method="b") is None
    assert lacking(contrast(), None) == "the traces have no such case"
