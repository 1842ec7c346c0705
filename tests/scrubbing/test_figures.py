"""Figures of scrubbing: what is drawn is what the tables say."""

from __future__ import annotations

import io
import itertools
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from clampsweep.studies.scrubbing.figures.attention import attention
from clampsweep.studies.scrubbing.figures.attribution import (
    CLASSES,
    attribution_scatter,
    attribution_strips,
)
from clampsweep.studies.scrubbing.figures.faithfulness import faithfulness
from clampsweep.studies.scrubbing.figures.heads import cells, heads, training
from clampsweep.studies.scrubbing.figures.index import FIGURES
from clampsweep.studies.scrubbing.figures.panels import HARMS, short, visible
from clampsweep.studies.scrubbing.figures.recovered import coherent, heatmap, recovered
from clampsweep.studies.scrubbing.masks import CATEGORIES

ROOT = Path(__file__).parents[2]
TITLE = "tiny, 3 examples"
MINUS = "\N{MINUS SIGN}"
LONG = "a" * 20 + "b" * 20

# Loss recovered and its interval in the category CANDIDATES; in others 0.1 more for each.
NUMBERS = {
    "unscrubbed": (1.0, 1.0, 1.0),
    "baseline": (0.0, 0.0, 0.0),
    "naive": (0.22, 0.19, 0.24),
    "naive-decoherent": (0.4, 0.3, 0.55),
    "worse": (-2.0, -3.0, -1.0),
    LONG: (0.9, 0.85, 1.02),
    f"{LONG}-decoherent": (0.95, 0.9, 1.05),
}
UNKNOWN, EMPTY = "MISLEADING INDUCTION", "NFERB UR"


def recovered_table() -> pd.DataFrame:
    rows = []
    for name, numbers in NUMBERS.items():
        for category in CATEGORIES:
            undefined = category in (UNKNOWN, EMPTY)
            value, low, high = (np.nan,) * 3 if undefined else numbers
            rows.append(
                {"experiment": name, "category": category, "mean": 3.0, "variance": 1.0,
                 "count": 0 if category == EMPTY else 1234, "n_examples": 3,
                 "loss_recovered": value, "ci_low": low, "ci_high": high, "undefined": undefined}
            )  # fmt: skip
    return pd.DataFrame(rows)


def panel(figure: Figure, title: str):
    (found,) = [ax for ax in figure.axes if ax.get_title(loc="left").split("\n")[0] == title]
    return found


def said(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for entry in figure.legends for text in entry.get_texts()]


def spans(collection) -> list[tuple[float, float]]:
    """Ends of each horizontal line."""
    return [tuple(path[:, 0]) for path in collection.get_segments()]


def hatched(ax) -> set[tuple[int, int]]:
    """Row and column of each hatched cell."""
    marks = [patch for patch in ax.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    return {(round(mark.get_y() + 0.5), round(mark.get_x() + 0.5)) for mark in marks}


def values(ax) -> np.ndarray:
    """Numbers of a matrix, nan where it is blank."""
    return np.ma.filled(ax.collections[0].get_array(), np.nan)


def ticks(axis) -> list[Text]:
    """Labels of ticks in view."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


def cut_off(figure: Figure) -> list[str]:
    """Texts that leave the figure."""
    figure.savefig(io.BytesIO(), format="png", dpi="figure")
    width, height = figure.bbox.size
    parts = list(figure.texts)
    for ax in figure.axes:
        if ax.get_visible():
            parts += [*ax.texts, *ticks(ax.xaxis), *ticks(ax.yaxis)]
            parts += [ax._left_title, ax.xaxis.label, ax.yaxis.label]
    for entry in figure.legends:
        parts += [entry.get_title(), *entry.get_texts()]
    boxes = [(part.get_text(), part.get_window_extent()) for part in parts if part.get_visible()]
    return [
        words
        for words, box in boxes
        if words and (min(box.x0, box.y0) < -1 or box.x1 > width + 1 or box.y1 > height + 1)
    ]


# ---- the list


def test_every_figure_has_a_function_and_a_caption_of_its_name():
    modules = [
        import_module(f"clampsweep.studies.scrubbing.figures.{name}")
        for name in ("recovered", "faithfulness", "attribution", "attention", "heads")
    ]
    for name in FIGURES:
        assert any(callable(getattr(module, name, None)) for module in modules), name
        caption = (ROOT / f"workflow/report/scrubbing/{name}.rst").read_text()
        assert re.search(r"^Definition: ", caption, re.MULTILINE), name


# ---- loss recovered


def test_recovered_draws_numbers_and_intervals_of_the_named_hypotheses():
    ax = panel(recovered(recovered_table(), ["naive", LONG], TITLE), "CANDIDATES")
    (marks,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert marks.get_xdata().tolist() == [0.22, 0.9] and marks.get_ydata().tolist() == [0, 1]
    assert spans(ax.collections[0]) == [(0.19, 0.24), (0.85, 1.02)]
    assert said(ax) == ["22 % (19 to 24)", "90 % (85 to 102)"]
    assert ax.get_title(loc="left").endswith("1,234 positions")


def test_recovered_says_where_there_is_no_number():
    figure = recovered(recovered_table(), ["naive"], TITLE)
    assert said(panel(figure, UNKNOWN)) == ["undefined:\nbaseline may\ndo no harm"]
    assert said(panel(figure, EMPTY)) == ["no position"]
    assert not panel(figure, UNKNOWN).collections


def test_a_number_beyond_the_axis_stands_at_its_edge_and_is_written_out():
    ax = panel(recovered(recovered_table(), ["worse"], TITLE), "CANDIDATES")
    assert ax.lines[-1].get_xdata().tolist() == [ax.get_xlim()[0]] == [-0.5]
    assert said(ax) == [f"{MINUS}200 % ({MINUS}300 to {MINUS}100)"]


def test_coherent_draws_each_hypothesis_beside_its_twin():
    figure = coherent(recovered_table(), ["naive", LONG], TITLE)
    ax = panel(figure, "naive")
    one, each = (line for line in ax.lines if line.get_linestyle() == "None")
    n_known = len(CATEGORIES) - 2
    assert one.get_xdata().tolist() == [0.22] * n_known
    assert each.get_xdata().tolist() == [0.4] * n_known
    assert (one.get_ydata() < each.get_ydata()).all()  # the coherent one on top
    assert spans(ax.collections[1])[0] == (0.3, 0.55)
    assert said(ax).count("undefined") == 2
    assert labels(ax.yaxis) == list(CATEGORIES)
    assert legend(figure)[0].startswith("coherent") and legend(figure)[1].startswith("decoherent")


def test_coherent_without_a_twin_says_so():
    (ax,) = coherent(recovered_table(), [], TITLE).axes
    assert said(ax) == ["No hypothesis has 'decoherent: true'."]


def test_the_heatmap_has_every_number_and_hatches_what_is_undefined():
    figure = heatmap(recovered_table(), TITLE)
    (ax,) = figure.axes
    known = [place for place, name in enumerate(CATEGORIES) if name not in (UNKNOWN, EMPTY)]
    right = np.full((len(NUMBERS), len(CATEGORIES)), np.nan)
    right[:, known] = np.array([numbers[0] for numbers in NUMBERS.values()])[:, None]
    assert np.array_equal(values(ax).reshape(right.shape), right, equal_nan=True)
    assert hatched(ax) == {tuple(place) for place in np.argwhere(np.isnan(right)).tolist()}
    assert "22 %" in said(ax) and "19 to 24" in said(ax)
    assert len(said(ax)) == 2 * np.isfinite(right).sum()
    assert legend(figure)[0].startswith("undefined")


CURVE, SIZES = ["baseline", "naive", LONG, "unscrubbed"], [0.0, 0.2, 0.2, 1.0]


def curves_table() -> pd.DataFrame:
    rows = dict.fromkeys(CATEGORIES, (0.5, 0.4, 0.6, 0.45, 0.35, 0.55))
    rows[UNKNOWN] = (np.nan,) * 6
    columns = ["cpr", "cpr_low", "cpr_high", "cmd", "cmd_low", "cmd_high"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("category").reset_index().assign(n_sizes=4)


def test_faithfulness_is_drawn_over_size_with_areas_in_the_legend():
    chosen = ["CANDIDATES", UNKNOWN]
    figure = faithfulness(recovered_table(), CURVE, SIZES, curves_table(), TITLE, categories=chosen)
    (ax,) = figure.axes
    assert ax.lines[0].get_xdata().tolist() == SIZES
    assert ax.lines[0].get_ydata().tolist() == [0, 0.22, 0.9, 1]
    assert np.isnan(ax.lines[1].get_ydata()).all()
    areas = "CPR 0.50 (0.40 to 0.60), CMD 0.45 (0.35 to 0.55)"
    assert legend(figure) == [f"CANDIDATES: {areas}", f"{UNKNOWN}: undefined"]
    assert said(ax) == ["baseline", f"naive\n{short(LONG)}", "unscrubbed"]


# ---- tokens

TEXTS = ["<|begin|>", " the", "\n", "x", "$a$"]
TOKENS = [0, 1, 2, 3, 4, 1]
KINDS = ["", "OVERALL", "OVERALL", "OVERALL; CANDIDATE ERB", "OVERALL",
         "OVERALL; NON-ERB UNCOMMON REPEATS; NFERB UR"]  # fmt: skip
HARM = {"scrub-1": [0.0, 0.5, -1.0, 2.0, 0.0, 1.0], "scrub-2": [0.0, 0.1, 0.2, 0.3, 0.4, -0.5]}


def saa_table(names=("scrub-1", "scrub-2"), se: float = 0.25) -> pd.DataFrame:
    frames = [
        pd.DataFrame(
            {"example": example, "first": "unscrubbed", "second": name, "position": range(6),
             "token": TOKENS, "categories": KINDS, "dloss": HARM[key], "se": se, "n_draws": 8}
        )
        for example in (3, 7)
        for name, key in zip(names, HARM, strict=True)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def cells_of_strips(ax, n_strips: int) -> list[list[str]]:
    """Colours of each strip's cells."""
    bars = [patch for container in ax.containers for patch in container]
    tall = [bar for bar in bars if bar.get_height() > 0.5]
    colours = [to_hex(bar.get_facecolor()) for bar in tall]
    n = len(colours) // n_strips
    return [colours[i * n : (i + 1) * n] for i in range(n_strips)]


def test_strips_write_tokens_with_blanks_seen_and_colour_them_on_one_scale():
    figure = attribution_strips(saa_table(), TEXTS, [3, 7], TITLE)
    ax = panel(figure, "example 3")
    assert said(ax) == ["<|begin|>", "·the", "↵", "x", "$a$", "·the"]
    assert labels(ax.yaxis) == ["scrub-1", "scrub-2"]
    limit = figure.axes[-1].get_xlim()[1]  # of the colour bar
    for strip, harm in zip(cells_of_strips(ax, 2), HARM.values(), strict=True):
        right = [to_hex(HARMS(0.5 + value / limit / 2)) for value in harm]
        assert strip == right
    assert "8 draws, standard errors up to 0.25 nats" in figure.get_suptitle()


def test_strips_underline_the_tokens_of_a_class():
    ax = panel(attribution_strips(saa_table(), TEXTS, [3], TITLE), "example 3")
    lines = [
        patch for container in ax.containers for patch in container if patch.get_height() < 0.5
    ]
    assert [to_hex(line.get_facecolor()).upper() for line in lines] == [
        CLASSES["CANDIDATE ERB"][0], CLASSES["NON-ERB UNCOMMON REPEATS"][0]
    ]  # fmt: skip
    under = [line.get_x() + line.get_width() / 2 for line in lines]
    assert under == pytest.approx([ax.texts[3].get_position()[0], ax.texts[5].get_position()[0]])


def test_strips_show_the_chosen_window_only():
    figure = attribution_strips(saa_table(), TEXTS, [3], TITLE, window=(3, 5))
    assert said(panel(figure, "example 3")) == ["x", "$a$"]
    (ax,) = attribution_strips(saa_table(), TEXTS, [3], TITLE, window=(9, 12)).axes
    assert said(ax) == ["None of these tokens was attributed."]


def test_many_tokens_go_on_in_further_lines_without_overlap():
    long = pd.DataFrame(
        {"example": 0, "first": "unscrubbed", "second": "scrub-1", "position": range(60),
         "token": [1, 0] * 30, "categories": "OVERALL", "dloss": 0.1, "se": np.nan, "n_draws": 1}
    )  # fmt: skip
    figure = attribution_strips(long, TEXTS, [0], TITLE)
    assert not cut_off(figure)
    boxes = [text.get_window_extent() for text in panel(figure, "example 0").texts]
    assert len({round(box.y0) for box in boxes}) > 2
    for a, b in itertools.pairwise(boxes):
        assert b.x0 > a.x1 or b.y1 < a.y0
    assert figure.get_suptitle().endswith("Means over 1 draw.")


def test_the_scatter_puts_each_token_but_the_first_at_both_harms_by_class():
    figure = attribution_scatter(saa_table(), "scrub-1", "scrub-2", -0.3, TITLE)
    (ax,) = figure.axes
    marks = {c.get_label().split("\n")[0]: c[0].get_xydata().tolist() for c in ax.containers}
    assert marks == {
        "other": [[0.5, 0.1], [-1.0, 0.2], [0.0, 0.4]] * 2,
        "CANDIDATE ERB": [[2.0, 0.3]] * 2,
        "NON-ERB UNCOMMON REPEATS": [[1.0, -0.5]] * 2,
    }
    (key,) = figure.legends
    assert key.get_title().get_text().strip() == f"Spearman's rho {MINUS}0.30"
    assert legend(figure) == [
        "other\n6 tokens", "CANDIDATE ERB\n2 tokens", "NON-ERB UNCOMMON REPEATS\n2 tokens"
    ]  # fmt: skip
    figure = attribution_scatter(saa_table(se=np.nan), "scrub-1", "scrub-2", np.nan, TITLE)
    assert "not defined" in figure.legends[0].get_title().get_text()


# ---- attention


def attention_table() -> pd.DataFrame:
    frames = []
    for first, second, scale in (("unscrubbed", "", 1.0), ("all", "", 0.5),
                                 ("unscrubbed", "all", 0.5)):  # fmt: skip
        for head in (4, 5):
            query, key = np.tril_indices(5)
            mean = scale * (1 + 10 * query + key) / 100 * (head - 3)
            frames.append(
                pd.DataFrame({"example": 2, "first": first, "second": second, "layer": 1,
                              "head": head, "query": query, "key": key, "mean": mean})
            )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def test_attention_draws_both_matrices_and_the_first_minus_the_second():
    words = ["<|begin|>", " the", "\n", "x", "$a$"]
    figure = attention(attention_table(), 2, 5, words, TITLE)
    one, other, difference = (
        values(panel(figure, name)).reshape(5, 5)
        for name in ("unscrubbed", "all", f"unscrubbed {MINUS} all")
    )
    assert one[3, 1] == pytest.approx(0.64) and other[3, 1] == pytest.approx(0.32)
    assert np.isnan(one[1, 3])  # a later token
    table = attention_table()
    own = table[(table["second"] == "all") & (table["head"] == 5)]
    assert difference[own["query"], own["key"]] == pytest.approx(own["mean"].to_numpy())
    low, high = panel(figure, f"unscrubbed {MINUS} all").collections[0].get_clim()
    assert low == -high
    ax = panel(figure, f"unscrubbed {MINUS} all")
    assert labels(ax.xaxis) == labels(ax.yaxis) == [visible(word) for word in words]


def test_attention_shows_the_chosen_window_only():
    figure = attention(attention_table(), 2, 4, TEXTS, TITLE, window=(1, 4))
    ax = panel(figure, "unscrubbed")
    assert labels(ax.yaxis) == ["·the", "↵", "x"]
    assert values(ax).reshape(3, 3)[2, 0] == pytest.approx(0.32)  # query 3, key 1


def test_attention_of_one_experiment_says_what_is_missing():
    table = attention_table()
    (ax,) = attention(table[table["first"] == "all"], 2, 4, TEXTS, TITLE).axes
    assert said(ax) == ["There is no second experiment to compare with."]


# ---- heads


def harm_table() -> pd.DataFrame:
    rows = [
        {"head": head, "channel": channel, "upstream": upstream, "harm": harm,
         "low": harm - 0.1, "high": harm + 0.1}
        for channel, sign in (("q", 1), ("k", -1), ("v", 1))
        for head, harm in (("1.2", 0.25 * sign), ("1.10", 0.05))
        for upstream in ("0.10", "0.2", "E")
        if (channel, head, upstream) != ("v", "1.2", "E")
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_cells_are_by_upstream_and_head_a_panel_for_each_channel():
    figure = cells(harm_table(), TITLE)
    ax = panel(figure, "into keys (k)")
    assert labels(panel(figure, "into queries (q)").yaxis) == ["E", "0.2", "0.10"]
    assert labels(ax.xaxis) == ["1.2", "1.10"]
    assert values(ax).reshape(3, 2).tolist() == [[-0.25, 0.05]] * 3
    assert said(ax) == [f"{MINUS}0.25", "0.05"] * 3
    assert hatched(panel(figure, "into values (v)")) == {(0, 0)}  # not run


def test_cells_whose_interval_holds_0_are_pale():
    ax = panel(cells(harm_table(), TITLE), "into keys (k)")
    assert [text.get_weight() for text in ax.texts] == ["bold", "normal"] * 3
    assert ax.texts[1].get_alpha() < 0.5 < ax.texts[0].get_alpha()


def heads_table(n_heads: int = 2) -> pd.DataFrame:
    rows = [
        {"layer": layer, "head": head, "previous": 0.1 + layer, "induction": 0.2,
         "duplicate": 0.3, "self": 0.4, "first": 0.126,
         "roles": "prev1 self2 first3" if layer == head == 0 else ""}
        for layer in (0, 1)
        for head in range(n_heads)
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize("n_heads", [1, 2])
def test_heads_have_five_numbers_and_their_roles_beside(n_heads):
    first, second = heads(heads_table(n_heads), TITLE).axes
    numbers = ["0.10", "0.20", "0.30", "0.40", "0.13"] * n_heads
    assert sorted(said(first)) == sorted([*numbers, "prev1 self2 first3", *[""] * (n_heads - 1)])
    assert labels(second.yaxis) == [f"1.{head}" for head in range(n_heads)]
    assert values(second).reshape(n_heads, 5)[0].tolist() == [1.1, 0.2, 0.3, 0.4, 0.126]


def curve_table() -> pd.DataFrame:
    """Measured at steps 0 and 5 of 10."""
    steps = np.arange(10)
    curve = pd.DataFrame({"step": steps, "tokens": (1 + steps) * 1e6, "loss": 5.0})
    for place, name in enumerate(
        ["natural", "second_copy_30", "second_copy_149", "previous_30", "previous_149",
         "induction_30", "induction_149"]
    ):  # fmt: skip
        curve[name] = np.where(steps % 5 == 0, place / 10 + steps / 100, np.nan)
    return curve


def test_training_draws_the_steps_that_were_measured():
    left, right = training(curve_table(), TITLE).axes
    assert [line.get_xdata().tolist() for line in left.lines] == [[1e6, 6e6]] * 3
    assert [line.get_ydata()[0] for line in left.lines] == pytest.approx([0, 0.1, 0.2])
    assert [line.get_ydata()[0] for line in right.lines] == pytest.approx([0.3, 0.4, 0.5, 0.6])


# ---- names


def test_a_long_name_keeps_both_ends_and_a_token_shows_its_blanks():
    assert short(LONG) == "a" * 12 + "…" + "b" * 11 and len(short(LONG)) == 24
    assert short("naive") == "naive"
    assert [visible(token) for token in (" a", "\n\t", "a\u200b", "\ufffd", "configuration")] == [
        "·a", "↵→", "a\\u200b", "\ufffd", "config…ation"
    ]  # fmt: skip


def test_nothing_is_cut_off():
    table, title = recovered_table(), "a model of a very long name, " * 6
    names = [*NUMBERS][2:]
    long = saa_table((LONG, "scrub-2"))
    for figure in (
        recovered(table, names, title),
        coherent(table, ["naive", LONG], title),
        coherent(table, [LONG], title),
        heatmap(table, title),
        faithfulness(table, CURVE, SIZES, curves_table(), title),
        attribution_strips(long, TEXTS, [3, 7], title),
        attribution_scatter(long, LONG, "scrub-2", 0.3, title),
        attention(attention_table(), 2, 5, TEXTS, title),
        cells(harm_table(), title),
        heads(heads_table(1), title),
        training(curve_table(), title),
    ):
        assert not cut_off(figure)
