"""Saving of a rule's figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure

from clampsweep.figures.style import save_figure


def save(outputs: Iterable[str], name: str, figure: Figure) -> None:
    """Write a figure to those of a rule's outputs that have its name, in each format.

    Args:
        outputs: Files that the rule makes.
        name: Of the figure.
        figure: The figure.
    """
    save_figure(figure, [Path(path) for path in outputs if Path(path).stem == name])
