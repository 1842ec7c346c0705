"""All figures of an entry are drawn, also where no contrast has a ranking."""

from __future__ import annotations

import pandas as pd
from matplotlib import pyplot

from backtracking.figures import made
from clampsweep.studies.backtracking.figures import all_figures
from clampsweep.studies.backtracking.figures.index import FIGURES
from clampsweep.studies.backtracking.rates import RATES

WHY = {"plain": "insufficient events: 1 from 1 problems"}


def test_every_figure_of_the_index_is_drawn_and_says_why_there_is_nothing():
    rates = pd.DataFrame(columns=list(RATES.columns))
    given = all_figures.Given({}, {}, {}, {}, rates, None, WHY)
    found = all_figures.draw(given, "tiny")
    assert set(found) == set(FIGURES)
    texts = [text.get_text() for text in found["volcano"].findobj(pyplot.Text)]
    assert any("insufficient events" in text for text in texts)
    pyplot.close("all")


def test_a_contrast_with_a_ranking_is_drawn_beside_one_without():
    given = all_figures.Given(
        {"gross": made.neurons()}, {}, {}, {}, pd.DataFrame(columns=list(RATES.columns)), None, WHY
    )
    texts = [
        text.get_text() for text in all_figures.draw(given, "tiny")["layers"].findobj(pyplot.Text)
    ]
    assert any("gross" in text for text in texts)
    assert any("insufficient events" in text for text in texts)
    pyplot.close("all")
