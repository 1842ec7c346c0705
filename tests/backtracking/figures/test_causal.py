"""Figures of interventions: estimates, random sets and harm are those of the table."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex

from backtracking.figures import made
from clampsweep.studies.backtracking.figures.causal import damage, dose

EFFECTS = made.effects()
INTERVENTIONS = ("zero", "mean", "resample", "raise")


def test_doses_are_estimates_over_the_sizes_that_were_tried() -> None:
    figure = dose({"gross": EFFECTS, "chain": EFFECTS[:0]}, "title")
    for ax, name in zip(figure.axes, INTERVENTIONS, strict=True):
        own = EFFECTS[(EFFECTS["intervention"] == name) & (EFFECTS["scope"] == "pred_pos")]
        top, bottom = (own[own["set_kind"] == kind] for kind in ("top", "bottom"))
        dots = next(one for one in ax.collections if len(one.get_offsets()) == 4)
        np.testing.assert_allclose(dots.get_offsets(), top[["k", "estimate"]].astype(float))
        dashed = next(line for line in ax.lines if line.get_linestyle() == "--")
        np.testing.assert_allclose(dashed.get_data(), bottom[["k", "estimate"]].to_numpy(float).T)
    figure.draw_without_rendering()
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [
        "1", "5", "20", "100"
    ]  # fmt: skip
    assert figure.axes[0].get_xscale() == "log"
    assert "chain: insufficient events" in figure.get_suptitle()


def test_random_sets_are_a_bar_at_each_size_that_has_them() -> None:
    figure = dose({"gross": EFFECTS}, "title")
    for ax, sizes in zip(figure.axes, ([1, 5, 20, 100], [1, 5, 20, 100], [20], [20]), strict=True):
        wide = next(one for one in ax.collections if one.get_linewidth()[0] == 5)
        ends = np.array(wide.get_segments())
        np.testing.assert_allclose(ends[:, 0, 0], sizes)
        np.testing.assert_allclose(ends[:, 1, 1], 0.02 * np.sqrt(sizes))


def test_marks_are_filled_where_random_sets_rarely_go_as_far() -> None:
    ax = dose({"gross": EFFECTS}, "title").axes[0]
    dots = next(one for one in ax.collections if len(one.get_offsets()) == 4)
    open_ones = [to_hex(colour) == "#ffffff" for colour in dots.get_facecolor()]
    top = EFFECTS[(EFFECTS["intervention"] == "zero") & (EFFECTS["set_kind"] == "top")]
    assert open_ones == [p >= 0.05 for p in top[top["scope"] == "pred_pos"]["p"]]


def test_the_equal_logit_bias_does_at_events_what_the_set_does() -> None:
    figure = dose({"gross": EFFECTS}, "title")
    crosses = [[line for line in ax.lines if line.get_marker() == "x"] for ax in figure.axes]
    assert [len(one) for one in crosses] == [1, 1, 1, 0]  # raised neurons are read at controls
    top = EFFECTS[(EFFECTS["intervention"] == "mean") & (EFFECTS["set_kind"] == "top")]
    wanted = top["delta_event"] - top["bias_control"]
    np.testing.assert_allclose(crosses[1][0].get_ydata(), wanted)


def test_effects_stand_over_harm_and_are_joined_to_random_sets() -> None:
    ax = damage({"gross": EFFECTS}, "title").axes[0]
    marks = {(line.get_marker(), float(line.get_xdata()[0]), float(line.get_ydata()[0]))
             for line in ax.lines if len(line.get_xdata()) == 1}  # fmt: skip
    own = EFFECTS[EFFECTS["scope"] == "pred_pos"]
    for row in own[own["intervention"] == "mean"].to_dict("records"):
        assert ("s", row["kl_control"], row["estimate"]) in marks
    chance = own[(own["set_kind"] == "top") & own["kl_random"].notna()]
    joins = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_zorder() == 1]
    assert len(joins) == len(chance)
    assert {float(line.get_xdata()[1]) for line in joins} == set(chance["kl_random"])
    assert ax.get_xscale() == "log"
    assert not [y for _, _, y in marks if y > 50]  # of scope output


def test_a_set_that_does_no_harm_has_a_place_on_the_logarithmic_axis() -> None:
    ax = damage({"gross": EFFECTS.assign(kl_control=0.0)}, "title").axes[0]
    assert min(line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1) == 1e-6


def test_an_intervention_that_was_not_tried_is_said() -> None:
    figure = dose({"gross": EFFECTS[EFFECTS["intervention"] != "resample"]}, "title")
    assert [bool(ax.texts) for ax in figure.axes] == [False, False, True, False]


@pytest.mark.parametrize("draw", [dose, damage])
def test_without_enough_events_the_figure_says_so(draw) -> None:
    figure = draw({"chain": EFFECTS[:0]}, "title", {"chain": "insufficient events: 0"})
    assert figure.axes[0].texts[0].get_text() == "chain: insufficient events: 0"
