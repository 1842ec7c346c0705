from __future__ import annotations

import re

import numpy as np
import pytest

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.faithfulness import CURVES, areas, curves_table, sizes
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.tables import read, write
from scrubbing.models import ROLES
from scrubbing.tallied import losses, tally

CURVE = ["baseline", "half", "tenth", "unscrubbed"]
X = [0.0, 0.25, 0.5, 1.0]


def test_areas_are_those_under_lines_between_the_points():
    cpr, cmd = areas(X, np.array([0.0, 0.4, 0.6, 1.0]))
    assert cpr == pytest.approx(0.25 * 0.2 + 0.25 * 0.5 + 0.5 * 0.8)
    assert cmd == pytest.approx(1 - cpr)


def test_recovering_more_than_all_raises_cpr_and_cmd_alike():
    cpr, cmd = areas([0, 0.5, 1], np.array([0, 1.5, 1]))
    assert cpr == pytest.approx(0.5 * 0.75 + 0.5 * 1.25)
    assert cmd == pytest.approx(0.5 * 0.75 + 0.5 * 0.25)
    assert cmd > 1 - cpr  # which would set one off against the other


def test_the_sign_of_what_is_measured_cancels():
    found = losses()
    means = tally(found).means
    other = means._replace(mean=-means.mean, resampled=-means.resampled)
    one, negative = (curves_table(m, CURVE, X) for m in (means, other))
    assert np.allclose(one["cpr"], negative["cpr"], equal_nan=True)
    assert np.allclose(one["cmd"], negative["cmd"], equal_nan=True)


def test_a_row_of_each_category_is_by_hand_and_undefined_ones_have_no_number(tmp_path):
    found = losses()
    table = curves_table(tally(found).means, CURVE, X)
    every = found.nll.astype(float).mean((0, 2))  # OVERALL holds all
    f = [(every[1] - every[e]) / (every[1] - every[0]) for e in (1, 2, 3, 0)]
    row = table.iloc[0]
    assert row["cpr"] == pytest.approx(0.125 * f[1] + 0.125 * (f[1] + f[2]) + 0.25 * (f[2] + f[3]))
    assert row["cpr_low"] < row["cpr"] < row["cpr_high"]
    assert row["cmd_low"] < row["cmd"] < row["cmd_high"]
    assert list(table["category"]) == list(CATEGORIES)
    assert table.iloc[-2:][["cpr", "cmd", "cpr_low", "cmd_high"]].isna().all(axis=None)
    write(table, tmp_path / "t.parquet", CURVES, {})
    assert (read(tmp_path / "t.parquet", CURVES)["n_sizes"] == 4).all()


WHOLE = {"q": "all", "k": "all", "v": "all"}
ENTRIES = [
    {"name": "baseline", "heads": "induction", "groups": [WHOLE]},
    {"name": "small", "heads": "induction", "groups": [{**WHOLE, "q": "L0"}]},
    {"name": "large", "heads": "induction", "groups": [{"q": "L0-prev1", "k": "all"}]},
    {"name": "aside", "heads": "induction", "groups": [{"q": "all", "k": "E"}]},
]
FOUND = {e.name: e for e in experiments(parse({"hypotheses": ENTRIES}, "h").hypotheses, ROLES)}


def test_size_is_the_share_kept_of_what_the_baseline_scrubs():
    # Two heads, three channels, five parts: 30 cells.
    found = sizes(["baseline", "small", "large", "unscrubbed"], FOUND, "x")
    assert found == [0, 2 / 30, (30 - 2 * (3 + 5)) / 30, 1]


def test_one_that_keeps_no_more_than_the_one_before_adds_no_area():
    found = sizes(["baseline", "small", "small", "unscrubbed"], FOUND, "x")
    assert found == [0, 2 / 30, 2 / 30, 1]
    twice, once = (
        areas(found, np.array([0, 0.5, 0.5, 1])),
        areas([0, 2 / 30, 1], np.array([0, 0.5, 1])),
    )
    assert np.allclose(twice, once)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        (["small", "unscrubbed"], "x: got ['small', 'unscrubbed']; begin with baseline, end with"),
        (["baseline"], "x: got ['baseline']; begin with baseline, end with unscrubbed"),
        (["baseline", "small", "aside", "unscrubbed"], "x: aside does not keep all that small"),
        (["baseline", "large", "small", "unscrubbed"], "x: small does not keep all that large"),
    ],
)
def test_a_curve_that_does_not_grow_is_one_line(curve, message):
    with pytest.raises(UserError, match=re.escape(message)):
        sizes(curve, FOUND, "x")
