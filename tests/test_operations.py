"""Operations and clamps: which take a value, how clamps are ordered, and what they are in words."""

from __future__ import annotations

import pandas as pd
import pytest

from clampsweep.config.schemas import join
from clampsweep.operations import VALUE_MEANS, VALUED, Clamp, clamp, describe, positions
from clampsweep.registry import STUDIES
from configs import SCHEMAS

OPERATIONS = join(SCHEMAS, STUDIES)["config"]["$defs"]["sweep"]["properties"]["operation"]["enum"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (clamp("set", 25.0, "all"), "set +25"),
        (clamp("set", -0.5, "last"), "set -0.5 (last)"),
        (clamp("scale", 0.5, "all"), "scale x0.5"),
        (clamp("zero", float("nan"), "all"), "zero"),
        (clamp("mean", 3.5, "all"), "mean"),
    ],
)
def test_a_clamp_is_described_in_full(change, words):
    assert describe(change) == words


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_clamp_has_a_value_where_its_operation_takes_one_from_the_config(operation):
    value = 3.5 if operation in VALUED else None
    assert clamp(operation, 3.5, "all") == Clamp(operation, value, "all")


@pytest.mark.parametrize("empty", [None, float("nan"), pd.NA], ids=["None", "nan", "NA"])
def test_an_empty_cell_is_no_value(empty):
    assert clamp("set", empty, "all") == Clamp("set", None, "all")


def test_every_operation_that_takes_a_value_says_what_it_means():
    assert set(VALUE_MEANS) == VALUED <= set(OPERATIONS)


def test_clamps_are_ordered_by_operation_then_scope_then_value():
    ordered = [
        clamp("set", -100.0, "all"),
        clamp("set", -5.0, "all"),
        clamp("set", 0.0, "all"),
        clamp("set", 25.0, "all"),
        clamp("set", -200.0, "last"),
        clamp("add", -300.0, "all"),
        clamp("scale", 0.5, "all"),
        clamp("mean", None, "all"),
        clamp("zero", None, "all"),
        clamp("resample", None, "all"),
    ]
    mixed = [*ordered[1::2], *ordered[::2]]
    assert sorted(mixed, key=lambda one: one.sort_key) == ordered


def test_a_clamp_of_an_unknown_operation_comes_last():
    found = sorted(
        [Clamp("steer", 1.0, "all"), *(Clamp(name, None, "all") for name in OPERATIONS)],
        key=lambda one: one.sort_key,
    )
    assert found[-1].operation == "steer"


def test_rows_stand_at_the_place_of_their_clamp_whatever_a_mean_is():
    rows = [("zero", float("nan"), "all"), ("mean", 3.7, "all"), ("set", -5.0, "all")]
    frame = pd.DataFrame(rows, columns=["operation", "value", "scope"])
    clamps = [clamp("set", -5, "all"), clamp("mean", 1.0, "all"), clamp("zero", None, "all")]
    assert positions(frame, clamps) == [2, 1, 0]
    with pytest.raises(KeyError):
        positions(frame, clamps[:2])
