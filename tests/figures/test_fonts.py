"""Fonts: what matplotlib's own lacks comes from another that is there, or is said, once."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
from matplotlib import font_manager

from clampsweep.figures import fonts
from clampsweep.figures.style import panels, save_figure, style

LAST = "Last Resort High-Efficiency"  # has a box of its own for every letter of all scripts
NAMES = ["中文/提示/1", "日本語のあ/2", "🧠/3"]
LETTERS = set("中文提示日本語のあ🧠")


@pytest.fixture
def installed(monkeypatch):
    """Function that puts these families in place of the installed ones."""
    boxes = {e.name: e.fname for e in font_manager.fontManager.ttflist if e.name == LAST}
    files = {**fonts._files(), **boxes}

    def put(*families):
        monkeypatch.setattr(fonts, "_files", lambda: {name: files[name] for name in families})
        monkeypatch.setattr(fonts, "_said", set())

    return put


def figure_of(names):
    with style():
        figure, [[ax]] = panels(1, 1, 1.5)
        ax.set_yticks(range(len(names)), names)
    return figure


def test_latin_names_keep_the_font_and_the_one_drawing(installed):
    installed(fonts.OWN, LAST)
    assert fonts.choose("caf\u00e9 \u2212\u00b1 \u05d0\u0639 \u2713") == ((fonts.OWN,), frozenset())


def test_letters_that_no_font_has_are_missing(installed):
    installed(fonts.OWN, "DejaVu Sans Mono")
    assert fonts.choose("".join(NAMES)) == ((fonts.OWN,), LETTERS)


def test_a_font_that_has_the_letters_is_added_to_matplotlibs_own(installed):
    installed(fonts.OWN, "DejaVu Sans Mono", LAST)
    assert fonts.choose("".join(NAMES)) == ((fonts.OWN, LAST), frozenset())


def test_marks_that_are_not_drawn_need_no_font(installed):
    installed(fonts.OWN)
    assert fonts.choose("a\u200d\u202e\x00\n").missing == frozenset()


def test_sans_fonts_come_before_serif_ones_and_those_for_all_scripts_first(monkeypatch):
    known = ["Aa Serif", "Noto Sans CJK JP", "Bb", "Noto Sans CJK SC", "Noto Sans Mono CJK SC"]
    monkeypatch.setattr(fonts, "_files", lambda: dict.fromkeys(known, ""))
    assert fonts._by_preference() == [
        "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans Mono CJK SC", "Bb", "Aa Serif",
    ]  # fmt: skip


def test_names_in_a_figure_are_drawn_in_a_font_that_has_them(installed, tmp_path, caplog):
    installed(fonts.OWN, LAST)
    figure = figure_of(NAMES)
    save_figure(figure, [tmp_path / "a.png", tmp_path / "a.svg"])
    (ax,) = figure.axes
    assert {tuple(one.get_fontfamily()) for one in ax.get_yticklabels()} == {(fonts.OWN, LAST)}
    assert caplog.records == []


def test_letters_that_are_boxes_are_said_once_in_one_line_with_the_remedy(
    installed, tmp_path, caplog
):
    installed(fonts.OWN)
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("a.svg", "b.png"):
            save_figure(figure_of(NAMES), [tmp_path / name])
    (record,) = caplog.records
    said = record.getMessage()
    assert "\n" not in said and "fonts-noto-cjk" in said and "fonts-symbola" in said
    assert all(letter in said for letter in LETTERS)


def test_of_many_letters_the_first_are_named_and_the_rest_counted(installed, tmp_path, caplog):
    installed(fonts.OWN)
    save_figure(figure_of(["".join(map(chr, range(0x4E00, 0x4E00 + 30)))]), [tmp_path / "a.svg"])
    (record,) = caplog.records
    assert " and 10 more: " in record.getMessage()


def test_a_font_that_was_installed_after_matplotlib_looked_is_found(monkeypatch, tmp_path):
    known = [e for e in font_manager.fontManager.ttflist if e.name == "STIXGeneral"]
    others = [e for e in font_manager.fontManager.ttflist if e.name != "STIXGeneral"]
    (regular,) = [e for e in known if (e.style, e.weight) == ("normal", 400)]
    new = Path(tmp_path / "new.ttf")
    new.write_bytes(Path(regular.fname).read_bytes())
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    monkeypatch.setattr(font_manager.fontManager, "ttflist", others)
    monkeypatch.setattr(
        font_manager, "findSystemFonts", lambda: [str(new), str(tmp_path / "damaged.ttf")]
    )
    assert fonts._files.__wrapped__()["STIXGeneral"] == str(new)
