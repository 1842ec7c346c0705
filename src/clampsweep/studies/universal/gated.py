"""Input-output classes of gated neurons, and what of them chance would give.

Gerstner and Schuetze 2025 (arXiv 2505.17936) class a neuron by three cosines of its weights, the
norm's gain folded in. Writes along the up weights or against them: enrichment or depletion; if the
gate reads another direction, conditional. Neither: proportional change if it writes along what the
gate reads, or against it; else orthogonal output. Beyond means a cosine above 0.5 or below -0.5. A
neuron whose third cosine does not fit the other two is atypical; it is counted with its class.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.hook_places import is_gated
from clampsweep.models.model import Model
from clampsweep.studies.universal.mlp import FOLDED, fold, raw, read_norms
from clampsweep.studies.universal.rotation import ORTHOGONAL, rotation
from clampsweep.studies.universal.weights import cosines
from clampsweep.tables import Column, Schema

THRESHOLD = 0.5  # as in arXiv 2505.17936

CLASSES = (
    ENRICHMENT, CONDITIONAL_ENRICHMENT, PROPORTIONAL, ELSEWHERE, CONDITIONAL_DEPLETION, DEPLETION,
) = (
    "enrichment", "conditional enrichment", "proportional change", "orthogonal output",
    "conditional depletion", "depletion",
)  # fmt: skip

ENRICHING, DEPLETING = (ENRICHMENT, CONDITIONAL_ENRICHMENT), (DEPLETION, CONDITIONAL_DEPLETION)

GATED = Schema(
    "un_gated",
    {
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "place in the layer, from 0"),
        "gate_out": Column("float", "cosine of gate weights and what it writes, folded"),
        "up_out": Column("float", "cosine of up weights and what it writes"),
        "gate_up": Column("float", "cosine of gate and up weights"),
        "class": Column("str", "one of the six input-output classes"),
        "typical": Column("bool", "whether the third cosine fits the other two"),
    },
    key=("layer", "neuron"),
)

GATED_LAYERS = Schema(
    "un_gated_layers",
    {
        "weights": Column("str", "own, or rotated: what is written turned at random in each layer"),
        "layer": Column("int", "layer, from 0"),
        "class": Column("str", "one of the six input-output classes"),
        "n": Column("int", "neurons of the layer in the class"),
        "n_typical": Column("int", "those of them whose third cosine fits"),
    },
    key=("weights", "layer", "class"),
)

OWN, ROTATED = "own", "rotated"


def gated(weights: pd.DataFrame) -> pd.DataFrame:
    """The table `GATED`; empty for a model without gates.

    Args:
        weights: The table `WEIGHTS`.
    """
    own = weights[(weights["processing"] == FOLDED) & weights["up_out_sim"].notna()]
    renamed = {"in_out_sim": "gate_out", "up_out_sim": "up_out", "in_up_sim": "gate_up"}
    found = own.rename(columns=renamed)[["layer", "neuron", *renamed.values()]]
    found = found.dropna().reset_index(drop=True)
    return classed(found)


def classed(found: pd.DataFrame, threshold: float = THRESHOLD) -> pd.DataFrame:
    """A table with the columns `class` and `typical` added.

    Args:
        found: Columns `gate_out`, `up_out` and `gate_up`.
        threshold: Of cosines.
    """
    gate_out, up_out, gate_up = (
        found[name].to_numpy(float) for name in ("gate_out", "up_out", "gate_up")
    )
    along_gate = np.abs(gate_out) > threshold
    conditions = [
        (up_out > threshold) & along_gate,
        up_out > threshold,
        (up_out < -threshold) & along_gate,
        up_out < -threshold,
        along_gate,
    ]
    names = [ENRICHMENT, CONDITIONAL_ENRICHMENT, DEPLETION, CONDITIONAL_DEPLETION, PROPORTIONAL]
    which = np.select(conditions, names, ELSEWHERE)
    signed = gate_up * np.where(gate_out < 0, -1, 1)
    fits = np.select(
        [which == ENRICHMENT, which == DEPLETION, which == ELSEWHERE],
        [signed > threshold, signed < -threshold, True],
        np.abs(gate_up) <= threshold,
    )
    return found.assign(**{"class": which.astype(str), "typical": fits.astype(bool)})


def layers(found: pd.DataFrame, weights: str, n_layers: int) -> pd.DataFrame:
    """Rows of `GATED_LAYERS`: neurons of each layer and class; none for a model without gates.

    Args:
        found: Rows of `GATED`.
        weights: Own or rotated.
        n_layers: Of the model.
    """
    places = pd.MultiIndex.from_product([range(n_layers), CLASSES], names=["layer", "class"])
    groups = found.groupby(["layer", "class"])["typical"]
    counts = pd.DataFrame({"n": groups.size(), "n_typical": groups.sum()})
    counts = counts.reindex(places, fill_value=0).astype("int64").reset_index()
    counts.insert(0, "weights", weights)
    return counts[list(GATED_LAYERS.columns)].iloc[: None if len(found) else 0]


def rotated(model: Model, seed: int) -> pd.DataFrame:
    """Rows of `GATED`, were what each layer writes turned at random; none without gates.

    Lengths, and cosines among what the layer's neurons write, stay.

    Args:
        model: Loaded model.
        seed: Of the rotations.

    Raises:
        UserError: Its weights cannot be folded (`mlp.read_norms`).
    """
    names = ["layer", "neuron", "gate_out", "up_out", "gate_up"]
    frames = [pd.DataFrame(columns=names).astype({"layer": int, "neuron": int})]
    norms = read_norms(model)
    generator = np.random.default_rng(seed)
    for layer in tqdm(range(model.n_layers if is_gated(model) else 0), "Rotated", unit="layer"):
        mlp = fold(raw(model, layer), norms, layer)
        if mlp.linear is None:
            continue
        turned = mlp.writes @ torch.from_numpy(
            rotation(ORTHOGONAL, model.d_model, generator, np.float64)
        )
        columns: list[Tensor] = [
            cosines(mlp.reads, turned),
            cosines(mlp.linear, turned),
            cosines(mlp.reads, mlp.linear),
        ]
        place = {"layer": layer, "neuron": range(model.d_mlp)}
        own = dict(zip(names[2:], (column.numpy() for column in columns), strict=True))
        frames.append(pd.DataFrame(place | own))
    found = pd.concat([frame for frame in frames if len(frame)] or frames[:1], ignore_index=True)
    return classed(found.dropna())


def both(model: Model, weights: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The tables `GATED` and `GATED_LAYERS`.

    Args:
        model: Loaded model.
        weights: The table `WEIGHTS`.
        seed: Of the rotations.

    Raises:
        UserError: Its weights cannot be folded (`mlp.read_norms`).
    """
    found = gated(weights)
    parts = [
        layers(one, name, model.n_layers)
        for name, one in ((OWN, found), (ROTATED, rotated(model, seed)))
    ]
    return found[list(GATED.columns)], pd.concat(parts, ignore_index=True)
