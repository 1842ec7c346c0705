"""Figures of a rule go to the outputs that have their names, in each format, and nowhere else."""

from __future__ import annotations

from matplotlib.figure import Figure

from clampsweep.figures.outputs import save_figures


def test_each_figure_is_written_in_the_formats_that_are_asked_for(tmp_path):
    outputs = [str(tmp_path / name) for name in ("one.svg", "one.png", "two.svg", "a.parquet")]
    figures = {name: Figure() for name in ("one", "two")}
    for figure, word in zip(figures.values(), ("first", "second"), strict=True):
        figure.text(0, 0, word)
    save_figures(figures, outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.png", "one.svg", "two.svg"]
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    first, second = (figure.texts[0].get_text() for figure in figures.values())
    assert first in (tmp_path / "one.svg").read_text()
    assert second in (tmp_path / "two.svg").read_text()
