"""The figure of texts before and after: differences of the table, in words too."""

from __future__ import annotations

import numpy as np
import pytest

from backtracking.figures import made
from clampsweep.figures.style import minus
from clampsweep.studies.backtracking.figures.before_after import pairs

TABLE = made.paired()


def test_each_measure_has_a_panel_with_the_top_set_above_random_ones() -> None:
    figure = pairs(TABLE, "title")
    ax = figure.axes[1]
    own = TABLE[TABLE["measure"] == "events"]
    assert ax.get_title(loc="left") == "events, per 1,000 tokens\n160 pairs"
    marks = [line.get_data() for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([x[0] for x, _ in marks], own["difference"])
    assert [y[0] for _, y in marks] == [0, 1]
    ends = [bars.get_segments()[0][:, 0] for bars in ax.collections]
    np.testing.assert_allclose(ends, own[["low", "high"]])


def test_means_and_p_stand_in_words() -> None:
    ax = pairs(TABLE, "title").axes[0]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert [text.get_text() for text in ax.texts] == [
        f"0.6 {arrow} 0.35, p = 0.004", f"0.6 {arrow} 0.575, p = 0.004"
    ]  # fmt: skip
    unknown = pairs(TABLE.assign(p=None, low=None, high=None, before=-1.0), "title").axes[0]
    assert unknown.texts[0].get_text() == minus(f"-1 {arrow} 0.35")


def test_a_measure_that_is_known_of_no_pair_says_so() -> None:
    ax = next(one for one in pairs(TABLE, "t").axes if one.get_title(loc="left").startswith("corr"))
    assert ax.texts[0].get_text() == "not known of any pair"
    assert not ax.lines


@pytest.mark.parametrize("table", [None, TABLE[:0]])
def test_without_pairs_the_figure_says_so(table) -> None:
    words = pairs(table, "title").axes[0].texts[0].get_text()
    assert words == "No texts before and after are compared."
