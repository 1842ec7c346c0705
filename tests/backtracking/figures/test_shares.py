"""The figure of rates: shares, intervals and counts of the table."""

from __future__ import annotations

import numpy as np
import pytest

from backtracking.figures import made
from clampsweep.studies.backtracking.figures.shares import rates

TABLE = made.rates(("chain", "given", "written"))


def test_each_source_has_its_share_and_counts_in_the_panel_of_the_measure() -> None:
    figure = rates(TABLE, "title")
    own = TABLE[(TABLE["by"] == "all") & (TABLE["measure"] == "backtracking")]
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left") == "backtracking")
    marks = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(marks.get_data(), [own["share"], range(3)])
    ends = np.array(ax.collections[0].get_segments())[:, :, 0]
    np.testing.assert_allclose(ends, own[["low", "high"]])
    counts = [f"{k}/{n}" for k, n in zip(own["k"], own["n"], strict=True)]
    assert [text.get_text() for text in ax.texts] == counts
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["chain", "given", "written"]


def test_a_share_of_no_trace_is_none_and_has_no_mark() -> None:
    ax = next(ax for ax in rates(TABLE, "t").axes if ax.get_title(loc="left") == "out of tokens")
    assert [text.get_text() for text in ax.texts][2] == "none"
    assert len(ax.lines[0].get_xdata()) == 2


@pytest.mark.parametrize(
    ("by", "names"), [("level", "given, level 2"), ("type", "chain, counting & probability")]
)
def test_levels_and_types_are_rows_of_each_source(by, names) -> None:
    figure = rates(TABLE, "title", by)
    shown = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names in shown and len(shown) == len(set(shown)) == 3 * {"level": 5, "type": 2}[by]


def test_rows_beyond_what_a_page_holds_are_left_out_and_counted() -> None:
    figure = rates(made.rates([f"chain{at}" for at in range(13)]), "title", "level")
    assert "5 further rows are left out" in figure.get_suptitle()


@pytest.mark.parametrize(("by", "words"), [("all", "no trace"), ("level", "No trace has a level")])
def test_without_traces_the_figure_says_so(by, words) -> None:
    table = TABLE[TABLE["by"] != by]
    assert words in rates(table, "title", by).axes[0].texts[0].get_text()
