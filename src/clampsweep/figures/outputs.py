"""Figures of a rule, each written to the outputs that have its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from matplotlib.figure import Figure

from clampsweep.figures.style import save_figure


def save_figures(figures: Mapping[str, Figure], outputs: Iterable[str | Path]) -> None:
    """Write figures, each in the formats in which the outputs ask for it; atomically.

    Args:
        figures: By name.
        outputs: Files that the rule makes, such as `figures/heads.svg`; others may be among them.
    """
    paths = [Path(path) for path in outputs]
    for name, figure in figures.items():
        save_figure(figure, [path for path in paths if path.stem == name])
