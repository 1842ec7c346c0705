"""The two halves of the texts, and which features can be tested in both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep.studies.universal.features.labels import Labels, counts, labels, same_as
from clampsweep.studies.universal.features.moving import numbered
from clampsweep.studies.universal.features.scan import Half
from clampsweep.studies.universal.features.tables import SAME, TESTED, UNTESTABLE
from clampsweep.studies.universal.sequences import ids_of
from clampsweep.studies.universal.tokens import CONFIRMATION, DISCOVERY


class Halves(NamedTuple):
    """What is scanned and what is confirmed on.

    Attributes:
        discovery: The half that chooses.
        confirmation: The half that confirms.
        strata: Domain of each block of confirmation.
        about: Columns of `FEATURES` that are known before a model runs, a row for each feature.
    """

    discovery: Half
    confirmation: Half
    strata: Int[np.ndarray, " block"]
    about: pd.DataFrame


def halves(found: pd.DataFrame, languages: Mapping[str, str], skip: int, minimum: int) -> Halves:
    """Both halves, with the labels of the features that can be tested.

    Args:
        found: A `TOKENS` table.
        languages: Of each domain.
        skip: First positions of a sequence that do not count.
        minimum: Positives that a feature needs in each half, and as many negatives.
    """
    every = labels(found, languages, skip)
    split = found["split"].to_numpy()
    about = _about(every, split, minimum)
    tested = every.only(about.loc[about["outcome"] == TESTED, "feature"].tolist())
    parts = [_half(found, tested, skip, split == name) for name in (DISCOVERY, CONFIRMATION)]
    own = found[split == CONFIRMATION]
    first = np.unique(parts[1].blocks, return_index=True)[1]
    strata = numbered(own["domain"].tolist())[first]
    return Halves(parts[0], parts[1], strata, about)


def _half(found: pd.DataFrame, tested: Labels, skip: int, chosen: np.ndarray) -> Half:
    own = found[chosen]
    blocks = numbered(list(zip(own["domain"], own["block"], strict=True)))
    return Half(ids_of(own), skip, tested.of(chosen), blocks)


def _about(every: Labels, split: np.ndarray, minimum: int) -> pd.DataFrame:
    """What is known of features by their labels alone."""
    in_halves = {name: every.of(split == name) for name in (DISCOVERY, CONFIRMATION)}
    n = {name: counts(part) for name, part in in_halves.items()}
    size = {name: part.values[:, :, 0].size for name, part in in_halves.items()}
    enough = np.ones(len(every.features), dtype=bool)
    for name in n:
        enough &= (n[name] >= minimum) & (size[name] - n[name] >= minimum)
    same = same_as(every)
    names = [one.name for one in every.features]
    repeats = np.array([name in same for name in names])
    return pd.DataFrame(
        {
            "feature": names,
            "family": [one.family for one in every.features],
            "what": [one.what for one in every.features],
            "outcome": np.where(~enough, UNTESTABLE, np.where(repeats, SAME, TESTED)),
            "same_as": [same.get(name, "") for name in names],
            "moved": ["blocks" if one.whole else "shift" for one in every.features],
            "n_discovery": n[DISCOVERY],
            "n_positive": n[CONFIRMATION],
            "n": size[CONFIRMATION],
        }
    )
