"""What needs the values themselves of every neuron: one pass over some of the known domain's text.

A layer's gate, up and post activations are kept until the next layer's come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import HookPoint
from clampsweep.studies.universal.moments import points
from clampsweep.studies.universal.places import GATE, HOOKS, POST, UP
from clampsweep.studies.universal.sequences import spread
from clampsweep.studies.universal.value_stats import (
    binned,
    l_kurtosis,
    product_null,
    shape_of,
    top_mean,
)
from clampsweep.tables import Column, Schema

ACTIVE = 0.1  # size of a post activation that counts as active, activation units

TOP_SHARE = 0.001  # of positions

VALUES = Schema(
    "universal values",
    {
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "n": Column("int", "number of positions, but of top_mean and active"),
        "n_all": Column("int", "number of positions of top_mean and active"),
        "kurt_gate": Column("float", "kurtosis of the gate, of an MLP without one of its "
                            "pre-activation", null=True),
        "kurt_post": Column("float", "kurtosis of the post activation", null=True),
        "kurt_null": Column("float", "its geometric mean with up permuted against the gate; null "
                            "without a gate", null=True),
        "l_kurt_gate": Column("float", "L-kurtosis of the gate; 0.123 for a Gaussian", null=True),
        "l_kurt_post": Column("float", "L-kurtosis of the post activation", null=True),
        "active": Column("float", f"share of positions whose post activation is beyond {ACTIVE} "
                         "in size"),
        "top_mean": Column("float", "mean post activation at the 0.1 % of positions where it is "
                           "largest in size"),
        "top_sign": Column("int", "its sign: -1, 0 or 1"),
        "binned_mean": Column("float", "mean of the gate from the paper's bins, -10 to 15"),
        "binned_variance": Column("float", "the same of the variance"),
        "binned_skew": Column("float", "the same of the skewness", null=True),
        "binned_kurt": Column("float", "the same of the kurtosis", null=True),
        "binned_freq": Column("float", "share of positions in bins that the paper's code takes for "
                              "above 0"),
        "clipped": Column("float", "share of positions outside the bins"),
    },
    key=("layer", "neuron"),
)  # fmt: skip

NULLS = Schema(
    "universal product null",
    {
        "layer": Column("int", "layer, from 0"),
        "draw": Column("int", "number of the permutation of up against the gate; -1: none"),
        "median_log_kurt": Column(
            "float", "median over neurons of log kurtosis of post", null=True
        ),
    },
    key=("layer", "draw"),
)

_TOKENS = 8_192  # most tokens that are run: all in one pass

_POSITIONS = 2048  # most positions whose values are sorted and permuted


class Tables(NamedTuple):
    """`VALUES` and `NULLS`."""

    values: pd.DataFrame
    nulls: pd.DataFrame


def values(
    model: Model, sequences: Sequence[Sequence[int]], skip: int, n_draws: int, seed: int
) -> Tables:
    """Statistics that need the values, of every neuron.

    Args:
        model: Loaded model.
        sequences: Token ids, of one length; of many, some spread over all are taken.
        skip: First positions of each that do not count.
        n_draws: Permutations of up against the gate.
        seed: Of the permutations.
    """
    chosen = [sequences[at] for at in spread(len(sequences), max(1, _TOKENS // len(sequences[0])))]
    positions = [range(skip, len(sequence)) for sequence in chosen]
    few = spread(sum(map(len, positions)), _POSITIONS)
    kept: dict[str, np.ndarray] = {}
    found: list[Tables] = []
    names = {name: var for var, name in HOOKS.items()}
    with tqdm(total=model.n_layers, unit="layer", mininterval=1) as bar:

        def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
            some = vectors if point.name == HOOKS[POST] else vectors[few]
            kept[names[point.name]] = some.T.cpu().numpy().copy()  # [neuron, position]
            if point.name == HOOKS[POST]:
                rng = np.random.default_rng([seed, point.layer])
                found.append(_layer(point.layer, kept, few, n_draws, rng))
                kept.clear()
                bar.update()

        wanted = points(model)
        for _ in capture(model, chosen, positions, wanted, receive, torch.float32, len(chosen)):
            pass
    parts = (pd.concat(part, ignore_index=True) for part in zip(*found, strict=True))
    return Tables(*parts)


def _layer(
    layer: int,
    kept: dict[str, np.ndarray],
    few: Int[np.ndarray, " some"],
    n_draws: int,
    rng: np.random.Generator,
) -> Tables:
    """Rows of a layer's neurons."""
    every = kept[POST]
    gate, post = kept[GATE], every[:, few]
    kurt, top, bins = shape_of(post).kurtosis, top_mean(every, TOP_SHARE), binned(gate)
    logs = [np.log(kurt)]
    if UP in kept:
        logs += [np.log(one) for one in product_null(kept[UP], post, n_draws, rng)]
    null = np.exp(np.mean(logs[1:], axis=0)) if len(logs) > 1 else np.full(len(kurt), np.nan)
    rows = {
        "layer": layer,
        "neuron": np.arange(len(kurt)),
        "n": len(few),
        "n_all": every.shape[1],
        "kurt_gate": shape_of(gate).kurtosis,
        "kurt_post": kurt,
        "kurt_null": null,
        "l_kurt_gate": l_kurtosis(gate),
        "l_kurt_post": l_kurtosis(post),
        "active": (np.abs(every) > ACTIVE).mean(1),
        "top_mean": top,
        "top_sign": np.sign(top).astype(np.int64),
        "binned_mean": bins.shape.mean,
        "binned_variance": bins.shape.variance,
        "binned_skew": bins.shape.skewness,
        "binned_kurt": bins.shape.kurtosis,
        "binned_freq": bins.freq,
        "clipped": bins.clipped,
    }
    draws = np.arange(len(logs)) - 1
    nulls = pd.DataFrame(
        {"layer": layer, "draw": draws, "median_log_kurt": [_median(one) for one in logs]}
    )
    return Tables(pd.DataFrame(rows), nulls)


def _median(values: Float64[np.ndarray, " neuron"]) -> float:
    """Median of those that are defined; nan if none is."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan
