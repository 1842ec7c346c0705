"""The style of all figures holds whatever the user has set for matplotlib."""

from __future__ import annotations

import matplotlib as mpl
import pytest

from clampsweep.figures.style import panels, save_figure, styled

USERS = {
    "text.usetex": True,  # ends figures where there is no LaTeX
    "font.sans-serif": ["No such font"],
    "savefig.transparent": True,
    "savefig.bbox": "tight",
    "figure.facecolor": "pink",
    "axes.facecolor": "black",
    "axes.grid": True,
    "axes.prop_cycle": mpl.cycler(color=["r"]),
    "lines.linestyle": ":",
    "path.sketch": (1, 100, 2),
}


@styled
def drawn():
    figure, [[ax]] = panels(1, 1, 1.0)
    ax.plot([1, 2], [1, 3])
    ax.set_title("a_b $c$")
    return figure


def png(path):
    save_figure(drawn(), [path])
    return path.read_bytes()


@pytest.mark.parametrize("name", USERS)
def test_a_users_setting_neither_changes_nor_ends_a_figure(name, tmp_path):
    plain = png(tmp_path / "plain.png")
    with mpl.rc_context({name: USERS[name]}):
        assert png(tmp_path / "own.png") == plain


def test_a_users_settings_are_as_they_were_once_a_figure_is_saved(tmp_path):
    with mpl.rc_context({"lines.linestyle": ":"}):
        before = dict(mpl.rcParams)
        png(tmp_path / "a.png")
        assert dict(mpl.rcParams) == before
