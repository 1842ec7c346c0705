"""Figures of the agreement: what is drawn is what the tables hold."""

from __future__ import annotations

import numpy as np
import pytest

from clampsweep.studies.universal.figures.agreement import (
    excess_correlation,
    figures,
    persistence,
    universal_neurons,
)
from universal.agreements import agreed, alone


def test_shares_of_neurons_above_a_correlation() -> None:
    given, _ = agreed()
    figure = excess_correlation(given.pairs, given.corr, 0.3, "title")
    left, right = figure.axes
    corr = np.sort(given.pairs["corr"])
    x, y = left.lines[0].get_data()
    np.testing.assert_allclose(x, corr)
    np.testing.assert_allclose(y[:2], [1, 1 - 1 / len(corr)])
    assert right.lines[-1].get_xdata() == [0.3, 0.3]


def test_deltas_and_their_intervals() -> None:
    given, own = agreed()
    figure = universal_neurons(own, given.corr, given.gt1, "title")
    _, right = figure.axes
    drawn = [line.get_xdata()[0] for line in right.lines if line.get_marker() == "o"]
    universal = given.gt1[(given.gt1["chosen"] == "universal")].set_index("metric")["matched"]
    assert universal["kurt"] == pytest.approx(max(drawn))
    assert len(drawn) == 8 + 8 * bool(given.corr["chance"].any())


def test_medians_at_checkpoints() -> None:
    given, _ = agreed()
    figure = persistence(given.persistence, "title")
    own = given.persistence.set_index("measure")
    assert figure.axes[0].lines[0].get_ydata()[0] == own.loc["same", "median"]
    assert figure.axes[1].lines[1].get_ydata()[0] == own.loc["corr", "median_rest"]


def test_without_other_models_each_panel_says_so() -> None:
    given, own = alone()
    for figure in figures(given, own, 0.5, "title").values():
        assert all(ax.texts and not ax.lines for ax in figure.axes)
