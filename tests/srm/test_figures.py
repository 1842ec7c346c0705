"""Figures of spotlight resonance: what is drawn, against numbers counted by hand."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.colors import to_hex

from clampsweep.figures.style import TARGET_COLOURS
from clampsweep.studies.srm.figures.draw import FIGURES, save
from srm_tables import at, names, scattered, see, text

MINUS = "\N{MINUS SIGN}"


def draw(name, found, title="tiny, L1N0, set; plane of L1N1 and L1N2"):
    figure = FIGURES[name](found.groups, found.curves, found.differences, title)
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return figure


def polars(figure):
    return [ax for ax in figure.axes if ax.name == "polar"]


def counts(figure):
    return [ax for ax in figure.axes if ax.name != "polar" and ax.get_ylabel().startswith("v.p")]


def legend(figure, row=0):
    found = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    return [entry.get_text() for entry in found[row].get_texts()]


def two():
    """Two groups: `near` along the first basis vector, `far` opposite, all of length 1."""
    rows = [text(f"{core}/near/1", at(0)) for core in "abcd"]
    rows += [text(f"{core}/far/1", at(180, 0.8, 0.6)) for core in "abc"]
    return see([*rows, text("a/near/1", at(0), 1.0)], thresholds=(0.5, 0.9))


def test_mean_curves_are_drawn_around_a_circle_of_zero():
    (ax,) = polars(draw("srm_polar", two()))
    near, far, zero = ax.lines
    turn = np.radians(np.arange(0, 365, 5))
    assert near.get_xdata() == pytest.approx(turn)
    assert near.get_ydata() == pytest.approx(np.cos(turn))
    assert far.get_ydata() == pytest.approx(-0.8 * np.cos(turn), abs=1e-6)
    assert set(zero.get_ydata()) == {0.0}
    assert ax.get_ylim() == pytest.approx((-1.05, 1.05))  # the lowest value is in the middle
    assert ax.get_rorigin() == pytest.approx(-1.05)


def test_counts_are_drawn_as_shares_of_the_group():
    upper, lower = counts(draw("srm_polar", two()))
    assert [ax.get_ylabel()[-3:] for ax in (upper, lower)] == ["0.5", "0.9"]
    near, far = upper.lines
    degrees = np.arange(0, 365, 5)
    cosine = np.cos(np.radians(degrees))
    assert near.get_xdata() == pytest.approx(degrees)
    assert near.get_ydata() == pytest.approx(1.0 * (cosine >= 0.5 - 1e-9))
    assert far.get_ydata() == pytest.approx(1.0 * (-0.8 * cosine >= 0.5))
    assert not lower.lines[1].get_ydata().any()  # 0.8 is below 0.9


def test_the_legend_names_groups_with_their_number_of_texts():
    figure = draw("srm_polar", two())
    assert legend(figure) == ["near (4)", "far (3)"]
    colours = [to_hex(line.get_color()).upper() for line in polars(figure)[0].lines[:2]]
    assert colours == list(TARGET_COLOURS[:2])


def test_bands_are_drawn_for_a_few_groups_and_left_out_for_many():
    few = scattered()
    many = scattered(prompts=names(types=[f"t{i}" for i in range(7)]))
    assert len(polars(draw("srm_polar", see(few)))[0].collections) == 2
    assert len(polars(draw("srm_polar", see(many)))[0].collections) == 0


def test_every_factor_has_its_row():
    found = see(scattered(), group_by=("type", "level", "core", "clamp"))
    figure = draw("srm_polar", found)
    titles = [ax.get_title(loc="left") for ax in polars(figure)]
    assert titles == ["by type", "by level", "by core", "by clamp"]
    assert legend(figure, 3) == ["baseline (24)", f"L1N0 set {MINUS}5 (24)", "L1N0 set 5 (24)"]


def test_the_baseline_is_black_among_the_clamps():
    figure = draw("srm_polar", see(scattered(), group_by=("clamp",)))
    colours = [to_hex(line.get_color()) for line in polars(figure)[0].lines[:3]]
    assert colours[0] == "#000000" and len(set(colours)) == 3


def test_what_is_not_drawn_is_said():
    rows = scattered(prompts=names(cores=[f"core{i}" for i in range(20)], levels=(1,)))
    rows += [text("alone/declarative/1", np.ones(7))]
    found = see(rows, group_by=("core",), thresholds=(0.1, 0.2, 0.3, 0.4))
    figure = draw("srm_polar", found)
    said = figure.get_suptitle()
    assert "First 14 of 20 groups by core." in said
    assert "By core, 20 of 21 groups have two prompts or more." in said
    assert "2 more thresholds" in said
    assert len(polars(figure)[0].lines) == 14 + 1
    assert "groups" not in draw("srm_polar", two()).get_suptitle()


def pairs(figure):
    """Left and right panels of the differences."""
    return figure.axes[0::2], figure.axes[1::2]


def test_differences_are_cosines_of_the_angle():
    (left,), (right,) = pairs(draw("srm_difference", two()))
    (line,) = left.lines
    angle = np.linspace(0, 360, 181)
    assert line.get_xdata() == pytest.approx(angle)
    assert line.get_ydata() == pytest.approx(1.8 * np.cos(np.radians(angle)), abs=1e-6)
    assert [tick.get_text() for tick in right.get_yticklabels()] == ["near \N{EN DASH} far"]
    assert right.lines[0].get_xdata()[0] == pytest.approx(1.8)


def planted():
    rng = np.random.default_rng(0)
    types = ("declarative", "rhetorical", "authoritative")
    rows = []
    for name in names(cores="abcdefgh", types=types):
        push = np.array(at(135, 3.0)) if "rhet" in name else 0
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5) + push))
        rows.append(text(name, np.array(at(45, 3.0)) + rng.normal(size=5), 1.0))
    return see(rows)


def test_significant_pairs_stand_out_and_the_envelope_is_that_of_chance():
    found = planted()
    (left,), (right,) = pairs(draw("srm_difference", found))
    assert left.get_title(loc="left") == "by type: 2 of 3 pairs with q < 0.05"
    table = found.differences.sort_values("distance", ascending=False)
    assert [bar.get_width() for bar in right.patches] == pytest.approx(table["critical"].tolist())
    marks = [mark.get_markerfacecolor() for mark in right.lines]
    assert marks == [*TARGET_COLOURS[:2], "white"]
    assert [mark.get_xdata()[0] for mark in right.lines] == table["distance"].tolist()
    drawn = [line.get_color() for line in left.lines]
    assert drawn == ["#BBBBBB", TARGET_COLOURS[1], TARGET_COLOURS[0]]  # the largest on top
    band = left.patches[0]
    widest = table["critical"].max()
    assert (band.get_y(), band.get_height()) == pytest.approx((-widest, 2 * widest))


def test_many_pairs_are_drawn_but_only_the_largest_named():
    found = see(scattered(prompts=names(cores="abcdefgh")), group_by=("core",))
    (left,), (right,) = pairs(draw("srm_difference", found))
    assert len(left.lines) == 28
    assert len(right.lines) == len(right.get_yticklabels()) == 10
    assert right.get_title(loc="left") == "first 10 of 28"


def test_clamps_are_named_without_the_baseline():
    found = see(scattered(), group_by=("clamp",))
    (_,), (right,) = pairs(draw("srm_difference", found))
    labels = {tick.get_text() for tick in right.get_yticklabels()}
    assert labels == {f"L1N0 set {MINUS}5", "L1N0 set 5"}


def test_nothing_to_draw_is_said_in_words():
    rows = [text("a/x/1", at(0)), text("a/x/1", at(0), 1.0)]
    for name, words in (("srm_polar", "No group has two"), ("srm_difference", "No two groups")):
        figure = draw(name, see(rows))
        assert words in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_figures_say_what_they_are_of_and_fit_a_page(name):
    found = see(scattered(), group_by=("type", "level", "core", "clamp"), thresholds=(0.3, 0.5))
    figure = draw(name, found)
    width, height = figure.get_size_inches()
    assert width == 6.5 and height <= 10
    assert figure.get_suptitle().startswith("tiny, L1N0, set; plane of L1N1 and L1N2\n")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_take_any_name_as_it_is(name):
    odd = "$\\frac{a_^$ <b>\N{SNOWMAN}"
    rows = scattered(prompts=names(types=(odd, "declarative")))
    draw(name, see(rows), title=odd)


def test_files_are_written_in_the_format_of_their_ending(tmp_path):
    found = two()
    paths = [tmp_path / "srm_polar.svg", tmp_path / "srm_difference.png"]
    save(found.groups, found.curves, found.differences, "tiny", paths)
    assert b"<svg" in paths[0].read_bytes()[:500]
    assert paths[1].read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("name", [*FIGURES, "srm"])
def test_there_is_a_caption(name, request):
    assert (request.config.rootpath / "workflow/report/srm" / f"{name}.rst").exists()
