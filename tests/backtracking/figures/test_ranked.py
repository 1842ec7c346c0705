"""Figures of ranked neurons: what is drawn is what the table holds."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import hypergeom, spearmanr

from backtracking.figures import made
from clampsweep.figures.style import BLUE, VERMILION, save_figure
from clampsweep.names import parse_neuron
from clampsweep.studies.backtracking.figures.ranked import (
    discovery_test,
    layers,
    volcano,
)

TABLE = made.neurons()
PRED = TABLE[TABLE["position_kind"] == "pred"]


def points(figure: Figure, panel: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Places of each series of dots."""
    lines = [line for line in figure.axes[panel].lines if line.get_marker() == "o"]
    return [line.get_data() for line in lines]


def test_the_volcano_has_every_neuron_at_its_place_and_the_confirmed_ones_apart() -> None:
    figure = volcano({"gross": TABLE}, "title")
    (g, height), (sure_g, sure_height) = points(figure, 1)
    sure = (PRED["q"] < 0.05) & (PRED["p_max"] < 0.05) & (PRED["auc_select"] > 0.5)
    assert 0 < sure.sum() == len(sure_g) and len(g) == len(PRED) - len(sure_g)
    end = figure.axes[1].get_xlim()[1] / 1.04
    np.testing.assert_allclose(sure_g, PRED.loc[sure, "g"].clip(-end, end))
    np.testing.assert_allclose(10**-sure_height, PRED.loc[sure, "q"])
    np.testing.assert_allclose(10**-height, PRED.loc[~sure, "q"])
    assert f"{int(sure.sum())} of 240 confirmed" in figure.axes[1].get_title(loc="left")


def test_the_three_of_highest_rank_are_named() -> None:
    named = [text.get_text() for text in volcano({"gross": TABLE}, "title").axes[1].texts]
    first = PRED.nsmallest(3, "rank")
    wanted = set(zip(first["layer"], first["neuron"], strict=True))
    assert {(one.layer, one.index) for one in map(parse_neuron, named)} == wanted


def test_a_neuron_with_an_extreme_g_stands_at_the_end_of_the_axis() -> None:
    table = TABLE.copy()
    table.loc[PRED.index[5], ["g", "q"]] = [-1e6, 0.0]
    figure = volcano({"gross": table}, "title")
    low, high = figure.axes[1].get_xlim()
    assert -low == high < 20
    drawn = np.concatenate([x for x, _ in points(figure, 1)])
    assert drawn.min() == pytest.approx(low / 1.04)
    assert np.isfinite(np.concatenate([y for _, y in points(figure, 1)])).all()


def test_neurons_that_point_the_other_way_on_select_are_not_confirmed() -> None:
    figure = volcano({"gross": TABLE.assign(auc_select=0.5)}, "title")
    assert "; 0 of 240 confirmed" in figure.axes[1].get_title(loc="left")


def test_layers_are_counted_and_held_against_draws_without_replacement() -> None:
    figure = layers({"gross": TABLE}, "title")
    bars = [one for one in figure.axes[1].patches if isinstance(one, Rectangle)]
    first = PRED.nsmallest(100, "rank")
    heights = [bar.get_height() for bar in bars if bar.get_width() == 0.6]
    assert heights == [int((first["layer"] == layer).sum()) for layer in range(4)]
    band = [bar for bar in bars if bar.get_width() == 1]
    low, high = hypergeom.ppf([0.025, 0.975], 240, 60, 100)
    assert [(one.get_y(), one.get_y() + one.get_height()) for one in band] == [(low, high)] * 4
    red = [to_hex(bar.get_facecolor(), False).upper() == VERMILION for bar in bars
           if bar.get_width() == 0.6]  # fmt: skip
    assert red == [height > high for height in heights]


def test_areas_of_both_splits_are_turned_by_the_sign_on_discover() -> None:
    figure = discovery_test({"gross": TABLE}, "title")
    (lot_x, lot_y), (x, y) = points(figure, 1)
    first = PRED.nsmallest(100, "rank")
    own = np.where(first["sign"] > 0, first["auc"], 1 - first["auc"])
    np.testing.assert_allclose(x, own)
    np.testing.assert_allclose(y, first["auc_test"])
    assert len(lot_x) == len(lot_y) == 140 and lot_x.min() >= 0.5
    rho = spearmanr(own, first["auc_test"]).statistic
    said = figure.axes[1].get_title(loc="left").replace("\N{MINUS SIGN}", "-")
    assert f"rank correlation {rho:.2f}," in said
    assert figure.axes[1].lines[-1].get_color() == BLUE


def test_areas_that_are_all_the_same_have_no_rank_correlation() -> None:
    figure = discovery_test({"verbal": TABLE.assign(auc=1.0, sign=1, auc_test=1.0)}, "title")
    assert "rank correlation none" in figure.axes[1].get_title(loc="left")


@pytest.mark.parametrize("draw", [volcano, layers, discovery_test])
def test_without_enough_events_the_figure_says_so(draw, tmp_path) -> None:
    figure = draw({"chain": made.none(TABLE)}, "title", {"chain": "insufficient events: 1 from 1"})
    assert figure.axes[0].texts[0].get_text() == "chain: insufficient events: 1 from 1"
    save_figure(figure, [tmp_path / "x.svg"])
    assert (tmp_path / "x.svg").stat().st_size > 1000


def test_neurons_by_their_thousands_are_an_image_in_the_file(tmp_path) -> None:
    save_figure(volcano({"gross": made.neurons(10, 2000)}, "title"), [tmp_path / "x.svg"])
    assert (tmp_path / "x.svg").stat().st_size < 400_000
