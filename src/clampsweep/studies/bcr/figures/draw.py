"""The figures of a sweep: tables in, `matplotlib.figure.Figure` out; no pyplot.

Clamps stand at equal steps, in ascending order, because their values are spread unevenly. What a
figure shows is said in plain words in `workflow/report/<name>.rst`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from matplotlib.figure import Figure

from clampsweep.figures.style import save_figure
from clampsweep.studies.bcr.figures.controls import controls
from clampsweep.studies.bcr.figures.natural_range import natural_range
from clampsweep.studies.bcr.figures.rates import improvement_rate, rescue_vs_harm
from clampsweep.studies.bcr.figures.states import states
from clampsweep.studies.bcr.figures.texts import first_divergence, text_metrics
from clampsweep.studies.bcr.view import Tables

FIGURES: Mapping[str, Callable[[Tables], Figure]] = MappingProxyType(
    {
        "improvement_rate": improvement_rate,
        "rescue_vs_harm": rescue_vs_harm,
        "text_metrics": text_metrics,
        "states": states,
        "natural_range": natural_range,
        "first_divergence": first_divergence,
        "controls": controls,
    }
)


def save(view: Tables, paths: Sequence[str | Path]) -> None:
    """Draw each figure that the files are named after, in the format of their ending.

    Args:
        view: The tables.
        paths: Such as `figures/states.svg` and `figures/states.png`; written atomically.
    """
    for name, draw in FIGURES.items():
        wanted = [Path(path) for path in paths if Path(path).stem == name]
        if wanted:
            save_figure(draw(view), wanted)
