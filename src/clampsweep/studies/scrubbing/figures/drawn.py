"""All figures of an entry, each on what is most to be seen."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from clampsweep.studies.scrubbing.figures import (
    attention,
    attribution,
    faithfulness,
    heads,
    recovered,
    shown,
)
from clampsweep.studies.scrubbing.hypotheses import UNSCRUBBED, Listed
from clampsweep.studies.scrubbing.two_heads import attribution_correlation
from clampsweep.studies.scrubbing.view import View

CELLS_OF = "CANDIDATE ERB"  # where induction predicts

N_STRIPS, STRIP, PREFIX = 2, 60, 32  # examples, and tokens of a strip and of a matrix


def draw(view: View, listed: Listed, pair: Sequence[str], title: str) -> dict[str, Figure]:
    """Every figure but the training's, by its name (`index.FIGURES`).

    Args:
        view: The entry's tables.
        listed: Its hypotheses.
        pair: Experiments that scrub one head each.
        title: What the entry is.
    """
    names = [one.name for one in listed.hypotheses if one.decoherent]
    curve = view.resolved["curve"]
    cells = shown.cells_of(view.cell_harm, CELLS_OF)
    first, second = pair
    rho = attribution_correlation(view.saa, first, second)
    found = {
        "recovered": recovered.recovered(view.table, shown.main_hypotheses(listed), title),
        "coherent": recovered.coherent(view.table, names, title),
        "heatmap": recovered.heatmap(shown.named(view.table, listed), title),
        "faithfulness": faithfulness.faithfulness(
            view.table, list(curve), list(curve.values()), view.curves, title
        ),
        "attribution_scatter": attribution.attribution_scatter(
            view.saa, pair[0], pair[1], rho, title
        ),
        "cells": heads.cells(cells, f"{title}; {CELLS_OF}"),
        "heads": heads.heads(view.heads, title),
    }
    return found | {
        "attribution_strips": _strips(view, title),
        "attention": _attention(view, title),
    }


def _strips(view: View, title: str) -> Figure:
    """Attributions to the first experiment that others are held against."""
    first = UNSCRUBBED if UNSCRUBBED in set(view.saa["first"]) else view.saa["first"].iloc[0]
    own = view.saa[view.saa["first"] == first]
    examples, window = shown.striking_tokens(own, N_STRIPS, STRIP)
    return attribution.attribution_strips(own, view.texts, examples, title, window=window)


def _attention(view: View, title: str) -> Figure:
    """The best induction head under the first pair of experiments."""
    head, own = view.induction[0], shown.first_pair(view.attention)
    place = shown.striking_attention(own, head, PREFIX)
    words = view.words(place.example)
    return attention.attention(own, place.example, head, words, title, window=place.window)
