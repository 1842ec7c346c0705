"""The tables of features, from what confirmation measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.features import planted as plants
from clampsweep.studies.universal.features.confirm import (
    Confirmed,
    Place,
    by_rank,
    confirm,
    values_and_gates,
)
from clampsweep.studies.universal.features.halves import Halves
from clampsweep.studies.universal.features.labels import Feature, Labels
from clampsweep.studies.universal.features.position import against_shifts
from clampsweep.studies.universal.features.tables import (
    FEATURES,
    PLACE,
    PLANTED,
    PLANTS,
    POSITIONS,
    REAL,
    SAME,
    SHIFTED,
)
from clampsweep.verdicts import LEVEL

_NUMBERS = ("layer", "neuron", "vr_discovery", "vr_confirmation", "low", "high", "null_max", "p",
            "p_fwer", "q")  # fmt: skip


class FeatureTables(NamedTuple):
    """Tables `FEATURES`, `FEATURE_NEURONS`, `PLANTS` and `POSITIONS`."""

    features: pd.DataFrame
    neurons: pd.DataFrame
    planted: pd.DataFrame
    positions: pd.DataFrame


def judge(
    model: Model,
    parts: Halves,
    candidates: pd.DataFrame,
    truths: pd.DataFrame,
    shifts: int,
    seed: int,
) -> FeatureTables:
    """Measure the candidates on the half that did not choose them.

    Args:
        model: Loaded model.
        parts: Both halves.
        candidates: `CANDIDATES` of discovery.
        truths: `TRUTHS`: planted neurons.
        shifts: How often labels are moved.
        seed: Of the draws.
    """
    half = parts.confirmation
    is_place = candidates["kind"] == PLACE
    neurons = sorted({*_places(candidates[~is_place]), *_places(truths)})
    column = {place: at for at, place in enumerate(neurons)}
    in_place = candidates[is_place]
    with tqdm(total=len(half.sequences), unit="text", desc="confirm", mininterval=1) as bar:
        values, gates = values_and_gates(model, half, neurons, _places(in_place), bar.update)

    def test(found: Labels, kind: pd.DataFrame) -> Confirmed:
        chosen = [column[place] for place in _places(kind[kind["rank"] == 1])]
        return confirm(found, values, chosen, half.blocks, parts.strata, shifts, seed)

    own = candidates[candidates["kind"] == REAL]
    real = _features(parts.about, own, test(half.found, own))
    fakes = candidates[candidates["kind"].isin([PLANTED, SHIFTED])]
    made = _planted_labels(truths, values[:, :, [column[place] for place in _places(truths)]], seed)
    neurons_of = by_rank(own, half.found, values, column)
    planted = _planted(fakes, truths, test(made, fakes))
    return FeatureTables(real, neurons_of, planted, _positions(in_place, gates, shifts, seed))


def _places(rows: pd.DataFrame) -> list[Place]:
    """Layer and neuron of each row."""
    pairs = rows[["layer", "neuron"]].itertuples(index=False)
    return [(int(layer), int(neuron)) for layer, neuron in pairs]


def _features(about: pd.DataFrame, own: pd.DataFrame, tested: Confirmed) -> pd.DataFrame:
    """The table `FEATURES`; a feature of the same tokens as another has that one's numbers."""
    best = own[own["rank"] == 1].rename(columns={"value": "vr_discovery"})
    numbers = best[["feature", "layer", "neuron", "vr_discovery", "null_max"]].assign(
        vr_confirmation=tested.vr, low=tested.ends[:, 0], high=tested.ends[:, 1],
        p=tested.p, p_fwer=tested.p_fwer, q=tested.q,
    )  # fmt: skip
    source = about["feature"].where(about["outcome"] != SAME, about["same_as"])
    numbers = numbers.set_index("feature").reindex(source.to_list())
    columns = {name: numbers[name].to_numpy() for name in _NUMBERS}
    found = about.reset_index(drop=True).assign(**columns)
    whole = {name: found[name].astype("Int64") for name in ("layer", "neuron")}
    return found.assign(**whole)[list(FEATURES.columns)]


def _planted_labels(
    truths: pd.DataFrame, values: Float[np.ndarray, "sequence pos planted"], seed: int
) -> Labels:
    """Labels of the planted features of confirmation, then of their copies."""
    sequences, length, planted = values.shape
    wrong = plants.noise(sequences, length, planted, seed + 1)
    own, copies = plants.labels(truths, values, wrong)
    features = [
        Feature(name, kind, "planted") for kind in (PLANTED, SHIFTED) for name in truths["feature"]
    ]
    return Labels(features, np.concatenate([own, copies], axis=2))


def _planted(fakes: pd.DataFrame, truths: pd.DataFrame, tested: Confirmed) -> pd.DataFrame:
    """The table `PLANTS`."""
    best = fakes[fakes["rank"] == 1].rename(columns={"value": "vr_discovery"})
    true = truths.set_index("feature").loc[best["feature"].to_list(), ["layer", "neuron"]]
    found = best.assign(
        true_layer=true["layer"].to_numpy(), true_neuron=true["neuron"].to_numpy(),
        vr_confirmation=tested.vr, low=tested.ends[:, 0], high=tested.ends[:, 1],
        p=tested.p, q=tested.q,
    )  # fmt: skip
    found["found"] = (found["q"] < LEVEL) & (found["low"] > found["null_max"])
    at_home = (found["layer"] == found["true_layer"]) & (found["neuron"] == found["true_neuron"])
    return found.assign(right=at_home)[list(PLANTS.columns)]


def _positions(
    own: pd.DataFrame, gates: Float[np.ndarray, "sequence pos fired"], shifts: int, seed: int
) -> pd.DataFrame:
    """The table `POSITIONS`."""
    found = own.rename(columns={"value": "mi_discovery"})
    return found.assign(**against_shifts(gates > 0, shifts, seed))[list(POSITIONS.columns)]
