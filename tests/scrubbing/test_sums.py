from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.sums import (
    DRAWS,
    LOSSES,
    SUMS,
    draws_table,
    losses_table,
    sums,
)
from clampsweep.tables import read, write

NLL = np.array([[1.0, 2.0, 4.0], [0.5, 0.0, 8.0]], np.float32)
FLAGS = np.zeros((len(CATEGORIES), 3), bool)
FLAGS[0], FLAGS[1, [0, 2]] = True, True


def test_sums_are_over_the_positions_of_each_category():
    found = sums(7, NLL, FLAGS, ["one", "two"]).set_index(["experiment", "category"])
    assert found.loc[("one", "OVERALL"), ["count", "total", "squares"]].tolist() == [3, 7, 21]
    assert found.loc[("two", "CANDIDATES"), ["count", "total", "squares"]].tolist() == [
        2,
        8.5,
        64.25,
    ]
    assert found.loc[("two", "REPEATS"), ["count", "total", "squares"]].tolist() == [0, 0, 0]
    assert (found["example"] == 7).all() and len(found) == 2 * len(CATEGORIES)


def test_losses_stand_beside_the_tokens_that_they_are_of():
    found = losses_table(7, NLL, np.array([0, 5, 6, 5]), ["one", "two"])
    assert found["input"].tolist() == [0, 5, 6] * 2
    assert found["label"].tolist() == [5, 6, 5] * 2
    assert found["position"].tolist() == [0, 1, 2] * 2
    assert found["nll"].tolist() == [1, 2, 4, 0.5, 0, 8]


def test_draws_are_written_one_by_one():
    found = draws_table(7, [{}, {1: 3, 2: 9}], ["unscrubbed", "two"])
    assert found.to_numpy().tolist() == [[7, "two", 1, 3], [7, "two", 2, 9]]


@pytest.mark.parametrize(
    ("schema", "frame"),
    [
        (SUMS, sums(7, NLL, FLAGS, ["one", "two"])),
        (LOSSES, losses_table(7, NLL, np.array([0, 5, 6, 5]), ["one", "two"])),
        (DRAWS, draws_table(7, [{}, {1: 3}], ["unscrubbed", "two"])),
    ],
    ids=["sums", "losses", "draws"],
)
def test_rows_fit_their_table(schema, frame, tmp_path):
    write(frame.assign(block="0"), tmp_path / "t.parquet", schema, {})
    assert len(read(tmp_path / "t.parquet", schema)) == len(frame)
