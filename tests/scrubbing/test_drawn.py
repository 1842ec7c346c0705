"""All figures of an entry on the planted model, and of entries in which something is missing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from clampsweep.studies.scrubbing.figures.attribution import attribution_scatter
from clampsweep.studies.scrubbing.figures.drawn import CELLS_OF, draw
from clampsweep.studies.scrubbing.figures.faithfulness import MAIN
from clampsweep.studies.scrubbing.figures.index import FIGURES
from clampsweep.studies.scrubbing.figures.shown import (
    first_pair,
    striking_attention,
    striking_tokens,
)
from clampsweep.studies.scrubbing.view import View, read_view
from scrubbing import small, viewed

TITLE = "planted, 12 examples of 32 tokens"


def drawn(view: View, **changes: object) -> dict[str, Figure]:
    return draw(view._replace(**changes), viewed.LISTED, viewed.PAIR, TITLE)


def said(figure: Figure) -> list[str]:
    """All that is written in a figure, in its order."""
    texts = [part.get_text() for part in figure.findobj(lambda one: hasattr(one, "get_text"))]
    return [text for text in texts if text]


@pytest.fixture(scope="module")
def figures(view: View) -> dict[str, Figure]:
    return drawn(view)


def test_every_figure_but_the_trainings_is_drawn_and_says_what_the_entry_is(figures):
    assert set(figures) == set(FIGURES) - {"training"}
    for name, figure in figures.items():
        title = figure.get_suptitle()
        assert title.startswith(TITLE), name


def test_random_hypotheses_stand_in_no_figure(figures, view):
    assert any("-random-" in name for name in view.table["experiment"])
    for name, figure in figures.items():
        assert not [text for text in said(figure) if "-random-" in text], name


def test_recovered_and_coherent_are_of_the_hypotheses_of_the_baselines_heads(figures):
    assert "circuit" in said(figures["recovered"])
    assert not {"scrub-1", "baseline", "circuit-decoherent"} & set(said(figures["recovered"]))
    titles = [ax.get_title(loc="left") for ax in figures["coherent"].axes if ax.get_visible()]
    assert titles == ["circuit"]


def test_the_heatmap_has_a_row_of_every_named_experiment(figures):
    (ax,) = figures["heatmap"].axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == [
        "unscrubbed",
        "baseline",
        "circuit",
        "circuit-decoherent",
        "wrong",
        "scrub-1",
        "scrub-2",
    ]


def test_faithfulness_is_over_the_curves_sizes(figures, view):
    (ax,) = figures["faithfulness"].axes
    sizes = list(view.resolved["curve"].values())
    assert sizes[0] == 0 and sizes[-1] == 1 and 0 < sizes[1] < 1
    rows = view.table.set_index(["experiment", "category"])["loss_recovered"]
    lines = {line.get_label().split(":")[0]: line for line in ax.lines}
    for category in MAIN:
        own = [rows[name, category] for name in view.resolved["curve"]]
        assert lines[category].get_xdata().tolist() == sizes
        assert lines[category].get_ydata().tolist() == pytest.approx(own, nan_ok=True)
    assert rows["circuit", "CANDIDATE ERB"] == pytest.approx(1, abs=1e-5)


def test_strips_are_of_the_striking_tokens_against_unscrubbed(figures, view):
    own = view.saa[view.saa["first"] == "unscrubbed"]
    examples, window = striking_tokens(own, 2, 60)
    titles = [ax.get_title(loc="left") for ax in figures["attribution_strips"].axes]
    assert [f"example {one}" for one in examples] == [title for title in titles if title]
    assert window == (0, 33)
    assert not [text for text in said(figures["attribution_strips"]) if text == "circuit"]


def test_attention_is_of_the_best_induction_head_where_it_differs_most(figures, view):
    place = striking_attention(first_pair(view.attention), 0, 32)
    assert f"Head 1.0, example {place.example}." in figures["attention"].get_suptitle()
    titles = [
        ax.get_title(loc="left") for ax in figures["attention"].axes if ax.get_title(loc="left")
    ]
    assert titles == ["unscrubbed", "wrong", "unscrubbed \N{MINUS SIGN} wrong"]


def test_cells_are_of_where_induction_predicts(figures, view):
    assert CELLS_OF in figures["cells"].get_suptitle()
    own = view.cell_harm[view.cell_harm["category"] == CELLS_OF]
    shown = np.concatenate(
        [ax.collections[0].get_array().ravel() for ax in figures["cells"].axes[:3]]
    )
    assert sorted(shown.tolist()) == pytest.approx(sorted(own["harm"]))


# ---- something is missing


def test_without_a_curve_the_figure_says_so(view):
    none = {**view.resolved, "curve": {}}
    figure = drawn(view, resolved=none, curves=view.curves[:0])["faithfulness"]
    assert "The file of hypotheses has no curve." in said(figure)


def test_without_positions_of_a_category_all_is_drawn(view):
    table, harm = view.table.copy(), view.cell_harm.copy()
    empty = table["category"] == CELLS_OF
    table.loc[empty, ["mean", "variance", "loss_recovered", "ci_low", "ci_high"]] = np.nan
    table.loc[empty, ["count", "n_examples"]] = 0
    table.loc[empty, "undefined"] = True
    harm.loc[harm["category"] == CELLS_OF, ["harm", "low", "high"]] = np.nan
    found = drawn(view, table=table, cell_harm=harm)
    for name in ("recovered", "heatmap", "cells"):
        found[name].savefig(io.BytesIO(), format="png")
    assert "no position" in said(found["recovered"])
    (mark,) = {patch.get_hatch() for ax in found["cells"].axes[:3] for patch in ax.patches}
    assert mark, "cells without a number are hatched"


def test_where_a_head_was_not_attributed_the_scatter_says_so(view):
    for saa in (
        view.saa[view.saa["second"] == "scrub-1"],
        view.saa[view.saa["first"] == "baseline"],
    ):
        figure = attribution_scatter(saa, *viewed.PAIR, float("nan"), TITLE)
        assert "Not attributed: both heads against unscrubbed (key attribution.pairs)." in said(
            figure
        )


def test_hypotheses_of_other_heads_and_without_twins_are_drawn(tmp_path: Path) -> None:
    listed = small.listed(*({"name": name, "heads": f"1.{at}", "groups": [small.WHOLE]}
                            for at, name in enumerate(viewed.PAIR)))  # fmt: skip
    pairs = [("unscrubbed", name) for name in viewed.PAIR]
    view = read_view(viewed.write(tmp_path, listed, pairs[:1], pairs, ["unscrubbed"]))
    found = draw(view, listed, viewed.PAIR, TITLE)
    assert {"scrub-1", "scrub-2"} <= set(said(found["recovered"]))
    assert "No hypothesis has 'decoherent: true'." in said(found["coherent"])
    assert "The file of hypotheses has no curve." in said(found["faithfulness"])
