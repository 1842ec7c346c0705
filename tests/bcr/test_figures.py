"""Figures: what is drawn, against numbers counted by hand."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from clampsweep.figures.style import BLUE, GREY, PALE, TARGET_COLOURS, VERMILION
from clampsweep.studies.bcr.figures.controls import BEST
from clampsweep.studies.bcr.figures.draw import FIGURES
from clampsweep.studies.bcr.figures.natural_range import becomes
from clampsweep.studies.bcr.figures.panels import CONTROLS, SAMPLING
from clampsweep.texts.metrics import FURTHER_METRICS
from clampsweep.texts.selection import NEURON_STATS
from factories import baseline, frame, generation, prompt
from sweep_tables import (
    BROKEN,
    FINE,
    beside_controls,
    clamped,
    known,
    make,
    stats,
    untouched,
)

WILSON_1_OF_2 = (0.0945, 0.9055)  # n = 2, z = 1.96: 0.5 -+ 0.4055
WILSON_2_OF_2 = (0.3424, 1.0)  # 2 / (2 + z^2)
WILSON_0_OF_2 = (0.0, 0.6576)


def draw(name, sweep):
    figure = FIGURES[name](sweep)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def words(figure: Figure) -> str:
    """Everything that a figure says, its title and legend included."""
    found = [figure.get_suptitle(), figure.get_supxlabel(), *(t.get_text() for t in figure.texts)]
    for ax in figure.axes:
        if ax.get_visible():
            found += [ax.get_title(loc="left"), *(text.get_text() for text in ax.texts)]
    for legend in figure.legends:
        found += [text.get_text() for text in legend.get_texts()]
    return "\n".join(found)


def tick_labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def segments(collection):
    """Lower and upper end of each vertical line."""
    return [tuple(path[:, 1]) for path in collection.get_segments()]


def fills(scatter_or_mesh):
    return [to_hex(colour) for colour in scatter_or_mesh.get_facecolors()]


def stats_table(*rows):
    return frame(rows, NEURON_STATS)


# ---- improvement rate


def test_improvement_rate_draws_the_share_of_collapsed_baselines_rescued_at_equal_steps():
    figure = draw("improvement_rate", make(known()))
    (ax,) = figure.axes
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [0, 1, 2]
    assert line.get_ydata().tolist() == [0.5, 0.0, 1.0]
    assert tick_labels(ax.xaxis) == ["\N{MINUS SIGN}5", "0", "+10"]
    assert ax.get_title(loc="left") == (
        "surface: 2 of 2 collapsed texts rescued; too few prompts to be significant; not compared "
        "with\ncontrols\n2 of 4 baselines collapsed"
    )


def test_improvement_rate_draws_wilson_intervals():
    (ax,) = draw("improvement_rate", make(known())).axes
    drawn = segments(ax.collections[0])
    assert np.allclose(drawn, [WILSON_1_OF_2, WILSON_0_OF_2, WILSON_2_OF_2], atol=1e-4)


def test_improvement_rate_without_a_collapsed_baseline_says_so():
    rows = [baseline("a", FINE), generation("a", BROKEN, 3.0)]
    figure = draw("improvement_rate", make(rows, ("surface", "entropy")))
    assert "nothing to rescue (surface and entropy)" in words(figure)
    assert figure.axes == []


def test_one_detector_without_a_collapsed_baseline_leaves_the_others_drawn():
    looping = " ".join(["the door is open and"] * 4)
    rows = [
        baseline("a", looping, tokens=[1, 2] * 9),
        generation("a", FINE, 3.0, tokens=range(9)),
    ]
    sweep = make(rows, ("surface", "loop"))
    surface, loop = draw("improvement_rate", sweep).axes
    assert "nothing to rescue" in surface.texts[0].get_text()
    assert loop.lines[0].get_ydata().tolist() == [1.0]


def test_several_targets_are_lines_of_their_own_colour_named_in_the_legend():
    rows = known() + [
        generation(row["prompt_id"], FINE, row["value"], target="L1N3")
        for row in known()
        if row["operation"] == "set"
    ]
    figure = draw("improvement_rate", make(rows))
    first, second = figure.axes[0].lines
    assert first.get_ydata().tolist() == [0.5, 0.0, 1.0]
    assert second.get_ydata().tolist() == [1.0, 1.0, 1.0]
    assert [first.get_color(), second.get_color()] == list(TARGET_COLOURS[:2])
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["L1N2", "L1N3"]


def test_a_line_joins_values_but_not_operations():
    rows = known() + [generation(p, FINE, operation="zero") for p in "abcd"]
    (ax,) = draw("improvement_rate", make(rows)).axes
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 1, 2], [3]]
    assert tick_labels(ax.xaxis)[3] == "zero"


# ---- rescue against harm


def test_rescue_vs_harm_draws_rescues_up_and_harms_down():
    (ax,) = draw("rescue_vs_harm", make(known())).axes
    heights = [bar.get_height() for bar in ax.patches]
    middles = [round(bar.get_x() + bar.get_width() / 2) for bar in ax.patches]
    colours = [to_hex(bar.get_facecolor()).upper() for bar in ax.patches]
    assert heights == [1, 0, 2, -2, 0, -1]
    assert middles == [0, 1, 2, 0, 1, 2]
    assert colours == [BLUE] * 3 + [VERMILION] * 3
    assert [text.get_text() for text in ax.texts] == ["1", "2", "2", "1"]


def test_rescue_vs_harm_draws_intervals_in_texts():
    (ax,) = draw("rescue_vs_harm", make(known())).axes
    rescued, harmed = ax.collections[0], ax.collections[1]
    expected = np.array([WILSON_1_OF_2, WILSON_0_OF_2, WILSON_2_OF_2]) * 2
    assert np.allclose(segments(rescued), expected, atol=2e-4)
    expected = np.array([WILSON_2_OF_2, WILSON_0_OF_2, WILSON_1_OF_2]) * -2
    assert np.allclose(segments(harmed), expected, atol=2e-4)


def test_the_net_marker_is_open_where_chance_explains_it():
    (ax,) = draw("rescue_vs_harm", make(known())).axes
    net = ax.collections[2]
    assert net.get_offsets()[:, 1].tolist() == [-1, 0, 1]
    assert fills(net) == ["#ffffff"] * 3


def test_the_net_marker_is_filled_where_the_difference_is_significant():
    # Eight harmed, none rescued: exact p = 2 / 2^8 = 0.008, q = 0.016 with two clamps.
    rows = [baseline(p, FINE) for p in "abcdefgh"]
    rows += [generation(p, BROKEN, 9.0) for p in "abcdefgh"]
    rows += [generation(p, FINE, 1.0) for p in "abcdefgh"]
    (ax,) = draw("rescue_vs_harm", make(rows)).axes
    assert ax.collections[2].get_offsets()[:, 1].tolist() == [0, -8]
    assert fills(ax.collections[2]) == ["#ffffff", "#000000"]


def test_several_targets_have_a_row_of_panels_each():
    rows = [*known(), *(generation(p, BROKEN, 10.0, target="L0N7") for p in "abcd")]
    figure = draw("rescue_vs_harm", make(rows, ("surface", "entropy")))
    assert len(figure.axes) == 4
    assert [ax.get_ylabel().split("\n")[0] for ax in figure.axes[::2]] == ["L0N7", "L1N2"]
    assert [bar.get_height() for bar in figure.axes[0].patches] == [0, -2]


# ---- text metrics


def panel(figure, title):
    return next(ax for ax in figure.axes if ax.get_title(loc="left") == title)


def test_text_metrics_draw_the_median_by_clamp_and_the_baselines_median():
    ax = panel(draw("text_metrics", make(known())), "words")
    median, reference = ax.lines
    # Words are 5 (fine) or 1 (broken). By clamp: 5111, 1155, 5551; baselines 1155.
    assert median.get_ydata().tolist() == [1.0, 3.0, 5.0]
    assert set(reference.get_ydata()) == {3.0}


def test_the_reference_line_is_the_baselines_median_not_their_mean():
    rows = [baseline(p, text) for p, text in zip("abc", [BROKEN, BROKEN, FINE], strict=True)]
    rows += [generation(p, FINE, 1.0) for p in "abc"]
    ax = panel(draw("text_metrics", make(rows)), "words")
    assert set(ax.lines[-1].get_ydata()) == {1.0}


def test_text_metrics_draw_the_interquartile_band():
    ax = panel(draw("text_metrics", make(known())), "words")
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    by_clamp = [sorted(set(corners[corners[:, 0] == x, 1])) for x in range(3)]
    assert by_clamp == [[1.0, 2.0], [1.0, 5.0], [4.0, 5.0]]


def test_metrics_that_no_text_has_are_left_out_and_named():
    figure = draw("text_metrics", make(known(tokens=None)))
    drawn = [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()]
    assert "words" in drawn and len(drawn) == 9
    assert "Not defined for these texts: distinct tokens (share)" in words(figure)


def test_blank_texts_alone_give_words_instead_of_panels():
    rows = [baseline("a", "", tokens=None), generation("a", " \n", 3.0, tokens=None)]
    sweep = make(rows)
    sweep.text_metrics[list(FURTHER_METRICS)] = np.nan
    assert "Every text is blank" in words(draw("text_metrics", sweep))


# ---- states


def meshes(ax):
    return [mesh.get_array().filled(-1).tolist() for mesh in ax.collections[:2]]


def test_states_colour_every_text_and_give_the_baselines_a_column():
    figure = draw("states", make(known()))
    (ax,) = figure.axes
    baseline_column, clamps = meshes(ax)
    assert baseline_column == [[3], [3], [0], [0]]
    assert clamps == [[1, 3, 1], [3, 3, 1], [2, 0, 0], [2, 0, 2]]
    colours = np.array(fills(ax.collections[1])).reshape(4, 3)
    assert colours[0].tolist() == [BLUE.lower(), GREY.lower(), BLUE.lower()]
    assert colours[3].tolist() == [VERMILION.lower(), PALE.lower(), VERMILION.lower()]
    assert tick_labels(ax.xaxis) == ["baseline", "\N{MINUS SIGN}5", "0", "+10"]
    assert tick_labels(ax.yaxis) == ["a", "b", "c", "d"]


def test_states_have_a_panel_per_detector():
    figure = draw("states", make(known(), ("surface", "entropy")))
    titles = [ax.get_title(loc="left").split("\n")[0] for ax in figure.axes]
    assert titles == ["surface", "entropy"]


def test_rows_of_states_stand_core_by_core():
    prompts = [
        prompt(p, p, core=core) for p, core in zip("abcd", ["x", "y", "x", "y"], strict=True)
    ]
    (ax,) = draw("states", make(known(), prompts=prompts)).axes
    assert tick_labels(ax.yaxis) == ["a", "c", "b", "d"]
    assert meshes(ax)[0] == [[3], [0], [3], [0]]


def test_a_large_grid_names_only_the_cores():
    names = [(f"p{i:03d}", "first" if i < 50 else "second") for i in range(70)]
    rows = [baseline(p, FINE) for p, _ in names] + [generation(p, FINE, 1.0) for p, _ in names]
    prompts = [prompt(p, p, core=core) for p, core in names]
    figure = draw("states", make(rows, prompts=prompts))
    (ax,) = figure.axes
    assert tick_labels(ax.yaxis) == ["first", "second"]
    assert ax.get_yticks().tolist() == [24.5, 59.5]
    assert "70 prompts in 2 cores" in words(figure)


def test_more_rows_than_can_be_told_apart_stand_by_state_in_each_column_and_the_figure_says_so():
    names = [f"p{at:04d}" for at in range(1200)]
    rows = [baseline(name, FINE if at % 3 else BROKEN) for at, name in enumerate(names)]
    rows += [generation(name, FINE if at % 2 else BROKEN, 1.0) for at, name in enumerate(names)]
    figure = draw("states", make(rows))
    (ax,) = figure.axes
    baselines, clamped_texts = ([row[0] for row in mesh] for mesh in meshes(ax))
    # Of each six prompts two collapse, one of which is rescued; of the four fine, two are harmed.
    assert baselines == [0] * 800 + [3] * 400
    assert clamped_texts == [0] * 400 + [2] * 400 + [1] * 200 + [3] * 200
    assert "1,200 prompts" in words(figure) and "by state" in words(figure)
    assert tick_labels(ax.yaxis) == []


def test_a_text_that_was_not_generated_is_white_and_said_to_be_missing():
    rows = [row for row in known() if (row["prompt_id"], row["value"]) != ("b", 0.0)]
    figure = draw("states", make(rows))
    assert meshes(figure.axes[0])[1][1] == [3, -1, 1]
    assert "White: not generated" in words(figure)
    assert "White" not in words(draw("states", make(known())))


def test_every_seed_has_its_row_and_a_greedy_text_stands_for_all_of_them():
    rows = [baseline("a", BROKEN), generation("a", FINE, 1.0)]
    rows += [
        generation("a", text, operation="resample", seed=seed)
        for seed, text in ((3, FINE), (4, BROKEN))
    ]
    (ax,) = draw("states", make(rows)).axes
    assert meshes(ax) == [[[3], [3]], [[1, 1], [1, 3]]]
    assert tick_labels(ax.yaxis) == ["a (seed 3)", "a (seed 4)"]
    assert ax.get_title(loc="left").endswith("1 of 1 baselines collapsed")


# ---- natural range


def test_natural_range_marks_the_clamps_that_lie_outside():
    sweep = make(known(), neuron_stats=stats_table(stats(1, 2), stats(1, 3, max=99.0)))
    figure = draw("natural_range", sweep)
    (ax,) = figure.axes
    bounds = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]
    assert bounds == [(-1, 9), (2, 6)]
    marks = ax.lines[1:]
    at = {(mark.get_xdata()[0], mark.get_ydata()[0]): mark for mark in marks}
    assert set(at) == {(0, -5), (1, 0), (2, 10)}
    assert [at[xy].get_markerfacecolor() for xy in sorted(at)] == ["white", BLUE, "white"]
    assert "1,200 positions" in words(figure)


@pytest.mark.parametrize(
    ("operation", "value", "reached"),
    [
        ("set", 7.0, (7, 7, 7)),
        ("mean", 4.0, (4, 4, 4)),
        ("add", 10.0, (9, 14, 19)),
        ("scale", -2.0, (-18, -8, 2)),
        ("zero", float("nan"), (0, 0, 0)),
        ("resample", float("nan"), (-1, 4, 9)),
        ("mean", float("nan"), None),
    ],
)
def test_an_operation_turns_the_natural_range_into(operation, value, reached):
    assert becomes(operation, value, stats_table(stats(1, 2)).iloc[0]) == reached


def test_a_joint_target_has_a_panel_for_each_of_its_neurons():
    rows = [baseline("a", FINE), generation("a", FINE, 3.0, target="L0N1+L1N2")]
    sweep = make(rows, neuron_stats=stats_table(stats(1, 2), stats(0, 1)))
    titles = [ax.get_title(loc="left").split("\n")[0] for ax in draw("natural_range", sweep).axes]
    assert titles == ["L0N1 (in L0N1+L1N2)", "L1N2 (in L0N1+L1N2)"]


@pytest.mark.parametrize(
    ("neuron_stats", "said"),
    [(None, "No activations were recorded"), (stats_table(stats(9, 9)), "none of these neurons")],
)
def test_an_unknown_natural_range_is_said_in_words(neuron_stats, said):
    assert said in words(draw("natural_range", make(known(), neuron_stats=neuron_stats)))


# ---- first divergence


def diverging(steps):
    """One clamp per list of first differing tokens (None: identical), over prompts p0, p1, ..."""
    rows = [baseline(f"p{i}", FINE) for i in range(max(map(len, steps)))]
    for value, own in enumerate(steps):
        rows += [
            generation(f"p{i}", FINE, float(value), first_divergence_step=step)
            for i, step in enumerate(own)
        ]
    return make(rows)


def test_first_divergence_draws_every_text_that_differs():
    sweep = diverging([[0, 7, None, 3], [None, None, None, 5]])
    left, _ = draw("first_divergence", sweep).axes
    points = [line for line in left.lines if line.get_marker() == "."]
    assert [sorted(line.get_ydata()) for line in points] == [[0, 3, 7], [5]]
    assert [round(float(np.mean(line.get_xdata()))) for line in points] == [0, 1]


def test_first_divergence_counts_whole_tokens():
    left, _ = draw("first_divergence", diverging([[0, 1, 3, 17]])).axes
    ticks = left.get_yticks()
    assert len(ticks) > 2 and [tick for tick in ticks if tick != int(tick)] == []


def test_first_divergence_draws_a_box_over_enough_texts():
    left, _ = draw("first_divergence", diverging([[0, 1, 2, 3, 40]])).axes
    (box,) = left.patches
    assert (box.get_path().vertices[:, 1].min(), box.get_path().vertices[:, 1].max()) == (1, 3)


def test_first_divergence_draws_the_share_of_identical_texts_with_intervals():
    _, right = draw("first_divergence", diverging([[4, None], [None, None], [1, 2]])).axes
    assert right.lines[0].get_ydata().tolist() == [0.5, 1.0, 0.0]
    drawn = [segments(lines)[0] for lines in right.collections]
    assert np.allclose(drawn, [WILSON_1_OF_2, WILSON_2_OF_2, WILSON_0_OF_2], atol=1e-4)


def test_first_divergence_of_texts_that_never_differ_says_so():
    figure = draw("first_divergence", diverging([[None, None]]))
    assert "Every text is identical" in words(figure)


def test_first_divergence_without_token_ids_says_so():
    figure = draw("first_divergence", make(known(tokens=None)))
    assert "no token ids" in words(figure)


# ---- controls


def beside(rows, controls):
    """A sweep with its controls: of each its target, its kind, and its texts by value."""
    texts = [row for name, (*_, own) in controls.items() for row in clamped(name, own)]
    kinds = {name: (target, kind) for name, (target, kind, _) in controls.items()}
    return beside_controls(make(rows), texts, kinds)


def with_controls():
    """`known`, three control neurons and a direction, at two of the three clamps.

    Rescue at -5: 1, 2 and 0 of 2 (neurons), 1 (direction); at +10: 0, 1 and 0; 0.
    """
    return beside(
        known(),
        {
            "L1N7": ("L1N2", "neuron", {-5.0: "FBFF", 10.0: "BBFB"}),
            "L1N8": ("L1N2", "neuron", {-5.0: "FFFF", 10.0: "FBFF"}),
            "L1N9": ("L1N2", "neuron", {-5.0: "BBBB", 10.0: "BBFF"}),
            "L1N2R0": ("L1N2", "direction", {-5.0: "FBFF", 10.0: "BBFF"}),
        },
    )


def bars(ax, kind):
    """Clamp, foot and head of each bar of a kind of controls, from left to right."""
    _, colour, shift = CONTROLS[kind]
    own = [bar for bar in ax.patches if to_hex(bar.get_facecolor()).upper() == colour]
    ends = [(bar.get_x() + bar.get_width() / 2 - shift, *bar.get_bbox().intervaly) for bar in own]
    return [tuple(float(round(end, 6)) for end in bar) for bar in ends]


def medians(ax):
    """Place and height of the median lines of controls."""
    flat = [own for lines in ax.collections for own in lines.get_segments() if np.ptp(own[:, 0])]
    return [(round(float(own[:, 0].mean()), 6), float(own[0, 1])) for own in flat]


def test_bars_reach_from_the_lowest_to_the_highest_rescue_rate_of_the_controls():
    (ax,) = draw("improvement_rate", with_controls()).axes
    assert bars(ax, "neuron") == [(0, 0.0, 1.0), (2, 0.0, 0.5)]
    assert bars(ax, "direction") == [(0, 0.5, 0.5), (2, 0.0, 0.0)]


def test_a_line_marks_the_median_of_the_controls():
    (ax,) = draw("improvement_rate", with_controls()).axes
    assert medians(ax) == [(-0.2, 0.5), (1.8, 0.0), (0.2, 0.5), (2.2, 0.0)]


def test_the_legend_and_the_remarks_say_what_the_bars_are():
    said = words(draw("improvement_rate", with_controls()))
    assert "control neurons, lowest to highest" in said
    assert "random directions, lowest to highest" in said
    bars_are = (
        "Bars: 3 control neurons and 1 random direction, on all prompts and 2 of the 3 clamps"
    )
    assert bars_are in said.replace("\n", " ")


def test_a_single_kind_of_controls_has_no_legend_entry_of_the_other():
    sweep = beside(known(), {"L1N7": ("L1N2", "neuron", {10.0: "FBFF"})})
    figure = draw("improvement_rate", sweep)
    assert "random direction" not in words(figure)
    assert bars(figure.axes[0], "neuron") == [(2, 0.5, 0.5)]


def two_layers():
    """Two targets in two layers, each with two control neurons; a and b are collapsed."""
    rows = untouched("BB") + clamped("L1N2", {1.0: "FF"})
    rows += clamped("L3N4", {1.0: "BB"}, layer=3, neuron=4)
    return beside(
        rows,
        {
            "L1N7": ("L1N2", "neuron", {1.0: "BB"}),
            "L1N8": ("L1N2", "neuron", {1.0: "FB"}),
            "L3N7": ("L3N4", "neuron", {1.0: "FB"}),
            "L3N8": ("L3N4", "neuron", {1.0: "FF"}),
        },
    )


def test_no_bar_holds_the_controls_of_two_targets():
    first, second = draw("improvement_rate", two_layers()).axes
    assert [bars(ax, "neuron") for ax in (first, second)] == [[(0, 0.0, 0.5)], [(0, 0.5, 1.0)]]
    assert [ax.get_ylabel().split("\n")[0] for ax in (first, second)] == ["L1N2", "L3N4"]
    assert [ax.lines[0].get_ydata().tolist() for ax in (first, second)] == [[1.0], [0.0]]


def test_a_control_of_two_targets_stands_in_the_panel_of_each():
    sweep = two_layers()
    shared = sweep.controls[sweep.controls["control"] == "L1N7"].assign(target="L3N4")
    both = replace(sweep, controls=pd.concat([sweep.controls, shared]))
    first, second = draw("improvement_rate", both).axes
    assert [bars(ax, "neuron") for ax in (first, second)] == [[(0, 0.0, 0.5)], [(0, 0.0, 1.0)]]


def test_text_metrics_of_several_targets_draw_no_controls_and_say_so():
    figure = draw("text_metrics", two_layers())
    assert all(not bars(ax, "neuron") for ax in figure.axes if ax.get_visible())
    said = words(figure)
    assert "Controls are not drawn: each of the targets has its own." in said
    assert "lowest to highest" not in said


def test_targets_by_a_detector_that_finds_no_collapse_are_not_drawn_but_told():
    looping = " ".join(["the door is open and"] * 4)
    rows = [baseline("a", looping, tokens=[1, 2] * 9)]
    rows += [generation("a", FINE, 1.0, target=t, tokens=range(9)) for t in ("L1N2", "L1N3")]
    texts = [generation("a", FINE, 1.0, target="L1N7", tokens=range(9))]
    own = beside_controls(make(rows, ("surface", "loop")), texts, {"L1N7": ("L1N2", "neuron")})
    figure = draw("improvement_rate", own)
    assert len(figure.axes) == 2
    assert "Nothing to rescue by surface: no baseline is collapsed." in words(figure)


def test_text_metrics_draw_the_range_of_the_controls_medians():
    # Words of the neurons at -5: 5155, 5555, 1111, medians 5, 5 and 1; at +10: 1151, 5155, 1155.
    ax = panel(draw("text_metrics", with_controls()), "words")
    assert bars(ax, "neuron") == [(0, 1.0, 5.0), (2, 1.0, 5.0)]
    assert bars(ax, "direction") == [(0, 5.0, 5.0), (2, 3.0, 3.0)]


def test_bars_leave_room_at_the_edge_of_the_panel():
    ax = panel(draw("text_metrics", with_controls()), "words")
    low, high = ax.get_ylim()
    assert low < 1.0 and high > 5.0


def points(ax, colour):
    """Place and net effect of the marks of a colour, places rounded to the clamp and its side."""
    own = [line for line in ax.lines if line.get_color() == colour and line.get_marker() != "None"]
    return [
        (round(float(x), 1), float(y))
        for line in own
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    ]


def nets(ax, kind):
    """Net effects of a kind of controls, by clamp."""
    _, colour, shift = CONTROLS[kind]
    found = {}
    for x, net in points(ax, colour):
        found.setdefault(round(x - shift), []).append(net)
    return found


def test_controls_draw_the_net_effect_of_the_target_and_of_each_control():
    (ax,) = draw("controls", with_controls()).axes
    assert points(ax, BLUE) == [(0, -1), (1, 1)]
    assert nets(ax, "neuron") == {0: [1, 2, -2], 1: [-1, 1, 0]}
    assert nets(ax, "direction") == {0: [1], 1: [0]}
    assert tick_labels(ax.xaxis) == ["\N{MINUS SIGN}5", "+10"]


def test_a_target_is_drawn_on_the_prompts_of_its_controls_alone():
    # Of a, b, c, d the control ran on b and d: at +10 the target rescues b and harms d.
    sweep = beside(known(), {"L1N7": ("L1N2", "neuron", {10.0: " B F", 0.0: " F B"})})
    (ax,) = draw("controls", sweep).axes
    assert points(ax, BLUE) == [(0, 0), (1, 0)]
    assert nets(ax, "neuron") == {0: [0], 1: [0]}
    said = words(draw("controls", sweep)).replace("\n", " ")
    assert "1 control neuron, on 2 of the 4 prompts and 2 of the 3 clamps" in said


def test_the_title_says_where_the_target_stands_and_the_verdict():
    (ax,) = draw("controls", with_controls()).axes
    said = ax.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")
    assert said.startswith("L1N2, surface: 2 of 2 collapsed texts rescued; too few prompts to be ")
    # Best nets over both clamps: 1 of the target; 1, 2 and 0; 1. Worst: 1; 1, -1 and 2; 0.
    assert said.endswith(
        "rescues more than 50 % of 3 control neurons (p = 0.75) and 50 % of 1 random direction "
        "(p = 1) harms more than 50 % of 3 control neurons (p = 0.75) and 100 % of 1 random "
        "direction (p = 0.5)"
    )


def spans(ax):
    """From where to where the best clamp's band reaches."""
    own = [bar for bar in ax.patches if to_hex(bar.get_facecolor()).upper() == BEST]
    return [tuple(bar.get_bbox().intervalx) for bar in own]


def test_the_best_clamp_of_the_target_is_marked_where_its_controls_ran_at_it():
    # On all prompts +10 rescues both and harms one: net +1, the best of the three.
    figure = draw("controls", with_controls())
    assert spans(figure.axes[0]) == [(0.55, 1.45)]
    assert "best clamp of the target" in words(figure)
    elsewhere = beside(known(), {"L1N7": ("L1N2", "neuron", {-5.0: "FBFF"})})
    figure = draw("controls", elsewhere)
    assert spans(figure.axes[0]) == [] and "best clamp of the target" not in words(figure)


def test_each_targets_panel_has_the_clamps_of_its_own_controls():
    # L1N9 is a control of both, and ran at the best clamps of both: +2 of L1N2, +3 of L1N3.
    rows = untouched("BBBB")
    rows += clamped("L1N2", {1.0: "BBBB", 2.0: "BBFF", 3.0: "BBBB"})
    rows += clamped("L1N3", {1.0: "BBBB", 2.0: "BBBB", 3.0: "BBFF"})
    sweep = beside(
        rows,
        {
            "L1N7": ("L1N2", "neuron", {1.0: "FF", 2.0: "FB"}),
            "L1N8": ("L1N3", "neuron", {1.0: "BB", 3.0: "FF"}),
            "L1N9": ("L1N2", "neuron", {1.0: "FF", 2.0: "FF", 3.0: "BB"}),
        },
    )
    shared = sweep.controls[sweep.controls["control"] == "L1N9"].assign(target="L1N3")
    figure = draw("controls", replace(sweep, controls=pd.concat([sweep.controls, shared])))
    first, second = figure.axes
    assert [tick_labels(ax.xaxis) for ax in (first, second)] == [["+1", "+2"], ["+1", "+3"]]
    assert [nets(ax, "neuron") for ax in (first, second)] == [
        {0: [2, 2], 1: [1, 2]}, {0: [0, 2], 1: [2, 0]},
    ]  # fmt: skip
    assert [spans(ax) for ax in (first, second)] == [[(0.55, 1.45)]] * 2


def test_a_single_target_is_named_on_the_axis_of_the_clamps():
    assert "value that L1N2 is set to" in draw("first_divergence", make(known())).get_supxlabel()
    two = make([*known(), *clamped("L1N3", {1.0: "FFFF"})])
    assert "value that the neuron is set to" in draw("states", two).get_supxlabel()
    zero = make(untouched("BF") + clamped("L1N2", {float("nan"): "FF"}, operation="zero"))
    assert draw("states", zero).get_supxlabel() == "operation (L1N2)"


def test_several_targets_stand_beside_their_own_controls():
    rows = known() + clamped("L0N4", {10.0: "BBBB"})
    sweep = beside(
        rows,
        {
            "L0N7": ("L0N4", "neuron", {10.0: "BBFB"}),
            "L1N7": ("L1N2", "neuron", {10.0: "FFFF"}),
        },
    )
    first, second = draw("controls", sweep).axes
    assert [points(ax, BLUE) for ax in (first, second)] == [[(0, -2)], [(0, 1)]]
    assert [nets(ax, "neuron") for ax in (first, second)] == [{0: [-1]}, {0: [2]}]
    titles = [ax.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ") for ax in (first, second)]
    assert titles == [
        # Nets: -2 beside -1; 1 beside 2. q: of two targets, the larger p counts for both.
        "L0N4, surface\nrescues more than 0 % of 1 control neuron (q = 1)\n"
        "harms more than 100 % of 1 control neuron (q = 0.5)",
        "L1N2, surface\nrescues more than 0 % of 1 control neuron (q = 1)\n"
        "harms more than 100 % of 1 control neuron (q = 0.5)",
    ]


def test_mean_is_one_clamp_whatever_value_each_neuron_has():
    rows = untouched("BBFF") + clamped("L1N2", {3.5: "FFFF"}, operation="mean")
    texts = clamped("L1N7", {0.25: "FBFF"}, operation="mean")
    sweep = beside_controls(make(rows), texts, {"L1N7": ("L1N2", "neuron")})
    (ax,) = draw("controls", sweep).axes
    assert (points(ax, BLUE), nets(ax, "neuron")) == ([(0, 2)], {0: [1]})
    assert tick_labels(ax.xaxis) == ["mean"]
    (ax,) = draw("improvement_rate", sweep).axes
    assert bars(ax, "neuron") == [(0, 0.5, 0.5)]


def test_without_controls_their_figure_says_how_to_get_them():
    assert "No controls were run: the config key controls" in words(draw("controls", make(known())))


# ---- sampled baselines


def test_a_band_shows_what_sampling_alone_rescues():
    seeds = pd.DataFrame(
        {
            "detector": "surface",
            "seed": range(3),
            "n_rescued": [1, 1, 2],
            "n_collapsed_baseline": 2,
            "n_harmed": 0,
            "n_fine_baseline": 2,
        }
    )
    figure = draw("improvement_rate", make(known(), variability=seeds))
    (ax,) = figure.axes
    (band,) = [b for b in ax.patches if to_hex(b.get_facecolor()).upper() == SAMPLING]
    assert tuple(band.get_bbox().intervaly) == (0.5, 1.0)
    (mean,) = [line for line in ax.lines if list(line.get_xdata()) == [0, 1]]
    assert mean.get_ydata()[0] == pytest.approx(2 / 3)
    assert "sampling alone, 3 seeds: range, mean" in words(figure)


# ---- words in their place


def crowd():
    """Three targets by three detectors, with controls and a long verdict."""
    letters = {float(v): "FFFFFFFFFFFF" if v > 0 else "BBBBBBBBBBBB" for v in range(-6, 7)}
    names = ("L29N1233", "L29N1479", "L29N1512")
    rows = untouched("BBBBBBBBFFFF", tokens=[1] * 9)
    rows += [row for name in names for row in clamped(name, letters, tokens=range(9))]
    sweep = make(rows, ("surface", "entropy", "loop"))
    kinds = {
        name: (target, kind)
        for target in names
        for i in range(9)
        for name, kind in ((f"{target}{i}", "neuron"), (f"{target}R{i}", "direction"))
    }
    texts = [row for name in kinds for row in clamped(name, {3.0: "BBBBBBBBFFFF"}, tokens=range(9))]
    return beside_controls(sweep, texts, kinds)


@pytest.mark.parametrize("name", FIGURES)
def test_no_title_or_legend_runs_into_the_next_panel_or_off_the_page(name):
    seeds = {"seed": range(8), "n_rescued": 1, "n_collapsed_baseline": 2}
    each = [pd.DataFrame({"detector": d, **seeds}) for d in ("surface", "entropy", "loop")]
    usual = {"min": -5.6923, "mean": -3.4066, "sd": 0.8931, "max": -0.5211}
    own = stats_table(*(stats(29, neuron, **usual) for neuron in (1233, 1479, 1512)))
    sweep = replace(crowd(), variability=pd.concat(each), neuron_stats=own)
    figure = draw(name, sweep)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    titles = [ax._left_title.get_window_extent() for ax in figure.axes if ax.get_visible()]
    for place, own in enumerate(titles):
        assert own.x1 <= figure.bbox.x1
        assert not any(own.overlaps(other) for other in titles[:place])
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1
    rows = {}
    for place in (ax.get_position() for ax in figure.axes if ax.get_visible()):
        rows.setdefault(round(place.y0, 3), []).append(place.width)
    assert max(map(sum, rows.values()), default=1) > 0.6  # wide titles make narrow panels


# ---- all of them


@pytest.mark.parametrize("name", FIGURES)
def test_figures_say_how_many_targets_they_leave_out(name):
    rows = [baseline("a", BROKEN)]
    rows += [generation("a", FINE, 1.0, target=f"L0N{i}") for i in range(8)]
    sweep = make(rows, neuron_stats=stats_table(*(stats(0, i) for i in range(8))))
    kinds = {f"L0N{100 + i}": (f"L0N{i}", "neuron") for i in range(8)}
    texts = [generation("a", FINE, 1.0, target=control) for control in kinds]
    said = words(draw(name, beside_controls(sweep, texts, kinds)))
    shown = 3 if name in ("states", "controls") else 6
    assert f"First {shown} of 8 targets; {8 - shown} not drawn." in said


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_drawn_from_one_prompt_and_one_clamp(name):
    sweep = make([baseline("a", FINE), generation("a", FINE, 1.0)])
    assert "tiny, L1N2, set" in words(draw(name, sweep))


@pytest.mark.parametrize("name", FIGURES)
def test_figures_take_any_name_as_it_is(name):
    odd = "$\\frac{a_^$ <b>\N{SNOWMAN}"
    sweep = make([baseline(odd, FINE), generation(odd, FINE, 1.0)])
    FIGURES[name](sweep).savefig(io.BytesIO(), format="svg")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_as_wide_as_a_page_and_no_higher_than_one(name):
    rows = [
        generation(f"p{i}", FINE, value, target=f"L0N{n}")
        for i in range(80)
        for value in (-1.0, 1.0)
        for n in range(3)
    ]
    rows += [baseline(f"p{i}", FINE if i else BROKEN) for i in range(80)]
    width, height = FIGURES[name](make(rows, ("surface", "entropy"))).get_size_inches()
    assert width == 6.5
    assert height <= 10


def test_figures_load_neither_pyplot_nor_torch():
    script = (
        "import sys, clampsweep.studies.bcr.figures.draw, clampsweep.studies.bcr.summary; "
        "print([name for name in ('matplotlib.pyplot', 'torch') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_figure_has_a_caption(request):
    folder = request.config.rootpath / "workflow" / "report" / "bcr"
    assert [name for name in FIGURES if not (folder / f"{name}.rst").exists()] == []
