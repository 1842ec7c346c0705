"""What the figures share: reasons in words, panels, scales."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from backtracking.figures import made
from clampsweep.figures.scales import plain_numbers
from clampsweep.figures.style import style
from clampsweep.studies.backtracking.figures.panels import (
    Multiples,
    Reach,
    Shown,
    contrast_panels,
    logarithmic_x,
    nothing,
)


def test_contrasts_without_rows_are_remarked_on_with_the_reason_that_is_known() -> None:
    full = pd.DataFrame({"a": [1]})
    tables = {"chain": full[:0], "gross": full, "given": full[:0]}
    shown = Shown.of(tables, {"chain": "insufficient events: 1", "verbal": "none", "gross": ""})
    assert shown.names == ["gross"]
    assert shown.remarks == [
        "chain: insufficient events: 1", "given: insufficient events", "verbal: none"
    ]  # fmt: skip


def test_a_figure_without_a_contrast_says_why_line_by_line() -> None:
    figure = Shown.of({}, {"chain": "insufficient events", "given": "no event"}).nothing("title")
    assert figure.axes[0].texts[0].get_text() == "chain: insufficient events\ngiven: no event"
    assert "no contrast" in Shown.of({}, {}).nothing("title").axes[0].texts[0].get_text()


@given(
    estimate=st.floats(-5, 5), below=st.none() | st.floats(0, 3), above=st.none() | st.floats(0, 3)
)
def test_intervals_end_where_the_table_says(estimate, below, above) -> None:
    row = pd.DataFrame(
        {
            "estimate": [estimate],
            "low": [np.nan if below is None else estimate - below],
            "high": [np.nan if above is None else estimate + above],
        }
    )
    reach = Reach.of(row)
    np.testing.assert_allclose(reach.below, [below or 0], atol=1e-12)
    np.testing.assert_allclose(reach.above, [above or 0], atol=1e-12)


def test_each_contrast_and_kind_has_a_panel_with_its_own_rows() -> None:
    seen: list[tuple[str, int]] = []

    def draw(ax, own):
        seen.append((own["position_kind"].iloc[0], len(own)))
        return "remark"

    tables = {"gross": made.neurons(), "chain": made.none(made.neurons())}
    with style():
        why = {"chain": "insufficient events: 3"}
        figure = contrast_panels(tables, why, "title", 1.0, draw)
    assert seen == [("pre", 240), ("pred", 240)]
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "gross, pre\nremark", "gross, pred\nremark"
    ]  # fmt: skip
    assert "chain: insufficient events: 3" in figure.get_suptitle()


def test_a_kind_at_which_nothing_was_ranked_is_said_in_its_panel() -> None:
    table = made.neurons()
    only = table[table["position_kind"] == "pred"]
    pre, pred = contrast_panels({"gross": only}, {}, "title", 1.0, lambda ax, own: "").axes
    assert pre.texts[0].get_text() == "no neuron is ranked at pre"
    assert not pred.texts


def test_small_multiples_fill_rows_evenly_and_label_the_lowest_of_each_column() -> None:
    with style():
        for n, left, columns in ((1, 1, 1), (3, 1, 3), (4, 2, 2), (5, 2, 3), (7, 3, 3)):
            found = Multiples.of([f"c{at}" for at in range(n)], 1.0)
            assert (len(found.axes), len(found.left)) == (n, left)
            for ax in found.axes.values():
                ax.plot([0, 1], [0, 1])
            found.figure.draw_without_rendering()
            labelled = [
                ax.xaxis.get_tick_params()["labelbottom"] for ax in found.axes.values()
            ]  # fmt: skip
            assert all(labelled[n - columns :]), n


def test_labels_are_plain_numbers_with_a_true_minus() -> None:
    with style():
        figure = nothing("title", "words")
        ax = figure.add_subplot()
        ax.plot([0.0005, 0.2], [-0.5, 0.5])
        logarithmic_x(ax)
        plain_numbers(ax.yaxis)
        figure.draw_without_rendering()
    across = [label.get_text() for label in ax.get_xticklabels()]
    assert {"0.001", "0.01", "0.1"} <= set(across)
    assert "\N{MINUS SIGN}0.5" in [label.get_text() for label in ax.get_yticklabels()]
    assert not any("math" in one for one in across)
