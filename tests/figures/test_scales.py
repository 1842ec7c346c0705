"""Logarithmic axes: plain numbers, as our figures have no mathematical typesetting."""

from __future__ import annotations

import pytest

from clampsweep.figures.scales import logarithmic
from clampsweep.figures.style import panels, style


@pytest.mark.parametrize(
    ("values", "shown"), [([3, 40], ["5", "10", "20"]), ([0.2, 9000], ["1", "10", "100", "1000"])]
)
def test_labels_are_plain_numbers(values, shown):
    with style():
        figure, ((ax,),) = panels(1, 1, 2.0)
        ax.plot([1, 2], values)
        logarithmic(ax, "y")
        figure.draw_without_rendering()
    found = [label.get_text() for label in ax.get_yticklabels()]
    assert set(shown) <= set(found)
    assert not any("math" in one for one in found)
