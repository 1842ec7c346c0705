"""Confirmation: what the chosen neurons explain of texts that did not choose them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, MLP_PRE, HookPoint
from clampsweep.statistics import benjamini_hochberg, rank_p
from clampsweep.studies.universal.features.labels import Labels
from clampsweep.studies.universal.features.moving import moved
from clampsweep.studies.universal.features.scan import Half
from clampsweep.studies.universal.features.variance import block_sums, intervals

Place = tuple[int, int]  # layer and neuron


class Confirmed(NamedTuple):
    """What confirmation says of pairs of a feature and its neuron, in their order.

    Attributes:
        vr: Variance reduction, 0..1.
        ends: Its 95 % interval.
        p: Against the pair's own moved labels.
        p_fwer: Against the largest of all moved labels and all chosen neurons.
        q: p corrected for all pairs.
    """

    vr: Float64[np.ndarray, " pair"]
    ends: Float64[np.ndarray, "pair 2"]
    p: Float64[np.ndarray, " pair"]
    p_fwer: Float64[np.ndarray, " pair"]
    q: Float64[np.ndarray, " pair"]


def values_and_gates(
    model: Model,
    half: Half,
    neurons: Sequence[Place],
    fired: Sequence[Place],
    progress: Callable[[int], object],
) -> tuple[Float[np.ndarray, "sequence pos neuron"], Float[np.ndarray, "sequence pos fired"]]:
    """What some neurons give out, and what goes into the activation function of others."""
    found = _captured(model, half, {MLP_POST: neurons, MLP_PRE: fired}, progress)
    return found[MLP_POST], found[MLP_PRE]


def _captured(
    model: Model,
    half: Half,
    wanted: dict[str, Sequence[Place]],
    progress: Callable[[int], object],
) -> dict[str, Float[np.ndarray, "sequence pos neuron"]]:
    shape = len(half.sequences), half.length
    found = {hook: np.zeros((*shape, len(own)), dtype=np.float32) for hook, own in wanted.items()}
    columns: dict[HookPoint, tuple[list[int], list[int]]] = {}
    for hook, own in wanted.items():
        for column, (layer, neuron) in enumerate(own):
            into, which = columns.setdefault(HookPoint(layer, hook), ([], []))
            into.append(column)
            which.append(neuron)

    def receive(rows: Rows, point: HookPoint, values: Tensor) -> None:
        into, which = columns[point]
        own = values[:, which].to(torch.float32).cpu().numpy()
        at = rows.sequences[:, None], rows.positions[:, None] - half.skip, np.array(into)
        found[point.name][at] = own

    for done in capture(model, half.sequences, half.positions, list(columns), receive):
        progress(done)
    return found


def confirm(
    found: Labels,
    values: Float[np.ndarray, "sequence pos neuron"],
    chosen: Sequence[int],
    blocks: Int[np.ndarray, " sequence"],
    strata: Int[np.ndarray, " block"],
    shifts: int,
    seed: int,
) -> Confirmed:
    """Test pairs of a feature and the neuron that was chosen for it.

    Args:
        found: Labels of the features of the pairs.
        values: Of neurons.
        chosen: For each feature the column of its neuron.
        blocks: Block of each sequence, from 0.
        strata: Domain of each block.
        shifts: How often the labels are moved.
        seed: Of the moves.
    """
    n_pairs = len(chosen)
    if not n_pairs:
        return Confirmed(np.zeros(0), np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0))
    standard = standardised(values)
    columns, own_column = np.unique(np.asarray(chosen), return_inverse=True)
    judged = np.ascontiguousarray(standard[:, columns])
    own = reductions(found, judged)[np.arange(n_pairs), own_column]
    rng = np.random.default_rng([seed, 5])
    whole = np.array([one.whole for one in found.features])
    chance, largest = np.zeros((shifts, n_pairs)), np.zeros((shifts, n_pairs))
    for draw in range(shifts):
        away = reductions(Labels(found.features, moved(found, blocks, rng)), judged)
        chance[draw] = away[np.arange(n_pairs), own_column]
        for kind in np.unique(whole):  # blocks dealt anew differ more than sequences turned round
            largest[draw, whole == kind] = away[whole == kind].max()
    p = np.array([rank_p(own[at], chance[:, at].tolist()) for at in range(n_pairs)])
    p_fwer = np.array([rank_p(own[at], largest[:, at].tolist()) for at in range(n_pairs)])
    labels = found.values.reshape(-1, n_pairs).astype(np.float32)
    sums = block_sums(labels, judged[:, own_column], np.repeat(blocks, found.values.shape[1]))
    ends = intervals(sums, strata)
    return Confirmed(own, ends, p, p_fwer, benjamini_hochberg(p.tolist()))


def standardised(
    values: Float[np.ndarray, "sequence pos neuron"],
) -> Float[np.ndarray, "row neuron"]:
    """Values with mean 0 and standard deviation 1; 0 of a constant neuron."""
    rows = values.reshape(-1, values.shape[2])
    centred = rows - rows.mean(0, dtype=np.float64).astype(np.float32)
    sd = np.sqrt((centred.astype(np.float64) ** 2).mean(0))
    scale = np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
    return np.asarray(centred * scale.astype(np.float32))


def reductions(
    found: Labels, standard: Float[np.ndarray, "row neuron"]
) -> Float64[np.ndarray, "feature neuron"]:
    """VR of each feature and each neuron, 0..1.

    Args:
        found: Labels.
        standard: What `standardised` gives.
    """
    labels = found.values.reshape(len(standard), -1).astype(np.float32)
    share = labels.mean(0, dtype=np.float64)
    scale = np.sqrt(share * (1 - share))[:, None]
    together = (labels.T @ standard).astype(np.float64) / len(standard)
    return np.asarray(np.divide(together, scale, out=np.zeros_like(together), where=scale > 0) ** 2)


def by_rank(
    candidates: pd.DataFrame,
    found: Labels,
    values: Float[np.ndarray, "sequence pos neuron"],
    column: dict[Place, int],
) -> pd.DataFrame:
    """Rows of `FEATURE_NEURONS` from candidates of features.

    Args:
        candidates: Rows of `CANDIDATES`, of features.
        found: Labels of the features.
        values: Of neurons.
        column: Column of each neuron in them.
    """
    every = reductions(found, standardised(values))
    row = {one.name: at for at, one in enumerate(found.features)}
    pairs = zip(candidates["feature"], candidates["layer"], candidates["neuron"], strict=True)
    confirmed = [every[row[name], column[layer, neuron]] for name, layer, neuron in pairs]
    own = candidates.rename(columns={"value": "vr_discovery"})
    return own.assign(vr_confirmation=np.array(confirmed, dtype=float))[
        ["feature", "rank", "layer", "neuron", "vr_discovery", "vr_confirmation"]
    ]
