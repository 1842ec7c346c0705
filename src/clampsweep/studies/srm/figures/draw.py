"""Every figure of spotlight resonance by its name, and saving them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from clampsweep.figures.style import save_figure
from clampsweep.studies.srm.figures.difference import srm_difference
from clampsweep.studies.srm.figures.polar import srm_polar

FIGURES = MappingProxyType({"srm_polar": srm_polar, "srm_difference": srm_difference})


def save(
    groups: pd.DataFrame,
    curves: pd.DataFrame,
    differences: pd.DataFrame,
    title: str,
    paths: Sequence[str | Path],
) -> None:
    """Draw each figure that the files are named after, in the format of their ending.

    Args:
        groups: `SRM_GROUPS`.
        curves: `SRM_CURVES`.
        differences: `SRM_DIFFERENCES`.
        title: What the sweep and the plane are.
        paths: Such as `figures/srm_polar.svg`; written atomically.
    """
    for name, draw in FIGURES.items():
        wanted = [Path(path) for path in paths if Path(path).stem == name]
        if wanted:
            save_figure(draw(groups, curves, differences, title), wanted)
