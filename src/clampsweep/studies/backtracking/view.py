"""Tables of every contrast of an entry, read from their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from clampsweep import tables
from clampsweep.studies.backtracking.contrast import Contrast, contrast_of
from clampsweep.studies.backtracking.effects import EFFECTS
from clampsweep.studies.backtracking.held_areas import HELDOUT
from clampsweep.studies.backtracking.ranking import NEURONS
from clampsweep.studies.backtracking.sampling import SAMPLES
from clampsweep.studies.backtracking.tables import STRIPS
from clampsweep.tables import Schema


def by_contrast(
    paths: Sequence[Path | str], contrasts: Sequence[str], schema: Schema
) -> dict[str, pd.DataFrame]:
    """A table of each contrast.

    Args:
        paths: Files, in the contrasts' order.
        contrasts: Their names.
        schema: The tables'.
    """
    pairs = zip(contrasts, paths, strict=True)
    return {name: tables.read(path, schema) for name, path in pairs}


def contrasts_of(
    given: Mapping[str, Any], contrasts: Sequence[str], minimum: tuple[int, int], top: int
) -> dict[str, Contrast]:
    """Every contrast as claims read it.

    Args:
        given: Files: `samples`, and of each contrast `neurons`, `heldout`, `logit`, `effects`.
        contrasts: Their names.
        minimum: Events, and problems, that each split needs.
        top: Size of the set that is tested.
    """
    samples = tables.read(given["samples"], SAMPLES)
    read = {
        name: by_contrast(given[name], contrasts, schema)
        for name, schema in (("neurons", NEURONS), ("effects", EFFECTS))
    }
    areas = {name: by_contrast(given[name], contrasts, HELDOUT) for name in ("heldout", "logit")}
    found = {}
    for name in contrasts:
        both = [areas[part][name] for part in ("heldout", "logit") if len(areas[part][name])]
        heldout = pd.concat(both, ignore_index=True) if both else areas["heldout"][name]
        own = samples[samples["contrast"] == name]
        found[name] = contrast_of(
            own, read["neurons"][name], heldout, read["effects"][name], minimum, top
        )
    return found


def joined_strips(paths: Sequence[Path | str], contrasts: Sequence[str]) -> pd.DataFrame:
    """`STRIPS` of all contrasts; of a trace and neuron that several follow, the first.

    Args:
        paths: Files, in the contrasts' order.
        contrasts: Their names.
    """
    every = by_contrast(paths, contrasts, STRIPS).values()
    found = pd.concat([one for one in every if len(one)] or [next(iter(every))])
    return found.drop_duplicates(list(STRIPS.key)).reset_index(drop=True)
