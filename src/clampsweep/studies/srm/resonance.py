"""Spotlight resonance mapping (SRM): mean activation vectors in a plane, seen angle by angle.

Unit vectors are projected onto the plane once, to n x 2; curves, grey vectors and tests follow from
these points. Coordinates that the sweep changes are left out. Definitions: docs/srm.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from clampsweep.studies.srm.curves import SRM_CURVES, SRM_GROUPS, group_of
from clampsweep.studies.srm.differences import differences_of
from clampsweep.studies.srm.plane import Srm, check_prompts
from clampsweep.studies.srm.texts import basis_of, check_basis, orthonormal, select


@dataclass(frozen=True, eq=False)
class Resonance:
    """What SRM finds: `SRM_GROUPS`, `SRM_CURVES` and `SRM_DIFFERENCES`."""

    groups: pd.DataFrame
    curves: pd.DataFrame
    differences: pd.DataFrame


def resonance(vectors: pd.DataFrame, prompts: pd.DataFrame, srm: Srm) -> Resonance:
    """Groups, curves and differences of a sweep's vectors in the plane that the config asks for.

    Args:
        vectors: A `VECTORS` table, baselines included.
        prompts: The `PROMPTS` table of its prompts.
        srm: Plane, factors, thresholds.

    Raises:
        UserError: The basis does not fit the sweep, spans no plane, or has no text.
    """
    check_prompts(srm, prompts)
    texts = select(vectors, prompts, srm)
    basis = basis_of(texts, srm)
    check_basis(basis, srm)
    points = texts.unit_vectors @ orthonormal(basis)
    rows, curves = [], [pd.DataFrame(columns=list(SRM_CURVES.columns))]
    for factor in ("all", *srm.group_by):
        for group in texts.groups[factor]:
            row, drawn = group_of(texts, points, factor, group, srm.thresholds)
            rows.append(row)
            curves += drawn
    differences = [differences_of(texts, points, factor, srm) for factor in srm.group_by]
    return Resonance(
        pd.DataFrame(rows, columns=list(SRM_GROUPS.columns)),
        pd.concat(curves, ignore_index=True),
        pd.concat(differences, ignore_index=True),
    )
