"""Clamps, rates and controls in words."""

from __future__ import annotations

import pytest

from clampsweep.studies.bcr.phrases import clamp_name, controls_of, effect_of, named, rate_of

ROW = {
    "n_rescued": 7,
    "n_collapsed_baseline": 8,
    "n_harmed": 0,
    "n_fine_baseline": 0,
    "rescue_rate": 0.875,
    "rescue_low": 0.529,
    "rescue_high": 0.978,
    "harm_rate": float("nan"),
    "harm_low": float("nan"),
    "harm_high": float("nan"),
}


def test_a_rate_is_in_percent_with_its_interval_and_none_where_there_is_none():
    assert rate_of(ROW, "rescue") == "87.5 % [52.9, 97.8]"
    assert rate_of(ROW, "harm") == "none"


def test_an_effect_names_both_numbers_or_that_there_was_nothing_to_change():
    assert effect_of(ROW, "rescue") == "rescued 7 of 8 collapsed texts (87.5 % [52.9, 97.8])"
    assert effect_of(ROW, "harm") == "had no fine text to harm"


@pytest.mark.parametrize(
    ("operation", "value", "scope", "words"),
    [
        ("set", 10.0, "all", "`L1N2 set +10`"),
        ("scale", 0.5, "last", "`L1N2 scale x0.5 (last)`"),
        ("mean", 3.7, "all", "`L1N2 mean`"),
    ],
)
def test_a_clamp_is_named_with_its_target(operation, value, scope, words):
    row = {"target": "L1N2", "operation": operation, "value": value, "scope": scope}
    assert clamp_name(row) == words


def test_controls_are_counted_by_kind():
    assert controls_of({"n_controls": 1, "kind": "direction"}) == "1 random direction"
    assert controls_of({"n_controls": 20, "kind": "neuron"}) == "20 control neurons"


def test_rows_have_their_columns_by_name():
    assert list(named([{"a": 1}, {"a": 2}])) == [{"a": 1}, {"a": 2}]
