from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from clampsweep.figures.style import save_figure
from clampsweep.studies.universal.figures.roles import curves, effects
from universal.roles.rows_of_roles import rows


def words(figure: Figure) -> str:
    return " ".join(text.get_text() for ax in figure.axes for text in ax.texts)


def test_each_candidate_has_a_line_with_the_values_of_the_table():
    figure = curves(rows(), "tiny")
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    assert {f"L5N{at}" for at in range(5)} <= set(lines)
    np.testing.assert_allclose(lines["L5N2"].get_xdata(), [-6, 0, 6])
    np.testing.assert_allclose(lines["L5N2"].get_ydata(), [-0.5, 0, 0.5], atol=0.01)
    assert len(lines["matched controls"].get_xdata()) == 40


def test_candidates_and_controls_are_dots_of_the_tests():
    figure = effects(rows(), "tiny")
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert [len(line.get_ydata()) for line in dots] == [5, 20]
    np.testing.assert_allclose(dots[0].get_ydata(), 1, atol=0.1)
    assert words(figure).count("no candidate") == 1  # attention


@pytest.mark.parametrize("draw", [curves, effects])
def test_without_candidates_the_figure_says_so(draw, tmp_path):
    figure = draw(rows(0), "tiny")
    assert "no candidate" in words(figure)
    save_figure(figure, [tmp_path / "x.svg"])
    assert (tmp_path / "x.svg").stat().st_size > 1000
