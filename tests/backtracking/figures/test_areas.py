"""The figure of held-out areas: every method is there, at its number."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.axes import Axes

from backtracking.figures import made
from clampsweep.studies.backtracking.figures.areas import heldout

TABLES = {"chain": made.none(made.heldout()), "gross": made.heldout(), "verbal": made.heldout()}
WHY = {"chain": "insufficient events: 2 from 2 problems"}


def marks(ax: Axes, markers: str = "osDPv^") -> dict[int, list[float]]:
    """Numbers that are drawn with large marks, by row."""
    found: dict[int, list[float]] = {}
    for line in ax.lines:
        if line.get_marker() in markers:
            for x, y in zip(*line.get_data(), strict=True):
                found.setdefault(round(float(y)), []).append(float(x))
    return found


def test_each_method_has_one_mark_at_the_tested_size_in_the_row_of_its_name() -> None:
    figure = heldout(TABLES, "title", WHY)
    assert len(figure.axes) == 4 * 2  # kinds, contrasts with a ranking
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    own = TABLES["gross"][TABLES["gross"]["position_kind"] == "pred"].set_index(["method", "k"])
    shown = marks(figure.axes[2])
    for name, at in (
        ("top neurons", ("top neurons", 20)), ("sparse probe", ("sparse probe", 20)),
        ("confirmed neurons", ("confirmed neurons", 34)), ("next token", ("next token", 0)),
        ("residual direction", ("residual direction", 0)), ("onset's log p", ("onset logit", 0)),
        ("spurious marker", ("top neurons against hard_spurious", 20)),
        ("permuted labels", ("permuted labels", 20)),
    ):  # fmt: skip
        assert shown[names.index(name)] == [own.loc[at, "estimate"]], name


def test_other_sizes_are_ticks() -> None:
    figure = heldout(TABLES, "title", WHY)
    own = TABLES["gross"]
    own = own[(own["position_kind"] == "pre") & (own["method"] == "top neurons")]
    ticks = marks(figure.axes[0], "|")
    np.testing.assert_allclose(ticks[0][-3:], own.loc[own["k"] != 20, "estimate"])


def test_intervals_are_those_of_the_table() -> None:
    figure = heldout({"gross": TABLES["gross"]}, "title")
    own = TABLES["gross"].set_index(["position_kind", "method", "k"])
    row = own.loc[("pre", "position", 0)]
    ends = [bars.get_segments()[0][:, 0] for bars in figure.axes[0].collections]
    assert any(np.allclose(one, [row["low"], row["high"]]) for one in ends)


def test_differences_of_areas_are_not_among_the_areas() -> None:
    figure = heldout(TABLES, "title", WHY)
    assert not [x for ax in figure.axes for row in marks(ax).values() for x in row if x < 0]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert not any("less" in name for name in names)


def test_the_scale_holds_every_interval_and_one_half() -> None:
    low = made.heldout()
    low.loc[low["method"] == "permuted labels", "low"] = 0.04
    ends = [ax.get_xlim() for ax in heldout({"gross": low}, "title").axes]
    assert all(least < 0.04 and most > 1 for least, most in ends)


def test_a_method_that_is_not_known_here_is_drawn_under_its_own_name() -> None:
    table = made.heldout()
    table.loc[table["method"] == "position", "method"] = "another score"
    figure = heldout({"gross": table}, "title")
    assert "another score" in [label.get_text() for label in figure.axes[0].get_yticklabels()]


def test_contrasts_without_events_are_said_above() -> None:
    assert "chain: insufficient events: 2" in heldout(TABLES, "title", WHY).get_suptitle()


@pytest.mark.parametrize("tables", [{}, {"chain": made.none(made.heldout())}])
def test_without_any_ranking_the_figure_says_so(tables) -> None:
    words = heldout(tables, "title").axes[0].texts[0].get_text()
    assert words == ("chain: insufficient events" if tables else "The entry has no contrast.")
