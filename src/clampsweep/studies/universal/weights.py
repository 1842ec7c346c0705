"""Statistics of each neuron's weights, as they are and folded (Gurnee et al. 2024, section 4.1)."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.model import Model
from clampsweep.studies.universal.mlp import FOLDED, RAW, Mlp, fold, raw, read_norms
from clampsweep.tables import Column, Schema

WEIGHTS = Schema(
    "un_weights",
    {
        "processing": Column("str", "raw, or folded: norms folded in, centred"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "place in the layer, from 0"),
        "w_in_norm": Column("float", "length of what it reads; of a gated neuron, of its gate"),
        "w_up_norm": Column("float", "length of its up weights; null without a gate", null=True),
        "w_out_norm": Column("float", "length of what a unit of it writes"),
        "input_bias": Column("float", "bias before the activation; null if none", null=True),
        "in_out_sim": Column("float", "cosine of what it reads (gate) and writes", null=True),
        "up_out_sim": Column("float", "cosine of up weights and what it writes", null=True),
        "in_up_sim": Column("float", "cosine of gate and up weights", null=True),
        "l2_penalty": Column("float", "sum of the squares of the two (gated: three) lengths"),
    },
    key=("processing", "layer", "neuron"),
)


def weights(model: Model) -> pd.DataFrame:
    """The table `WEIGHTS` of a model.

    Raises:
        UserError: Its weights cannot be folded (`mlp.read_norms`).
    """
    norms = read_norms(model)
    frames: dict[str, list[pd.DataFrame]] = {RAW: [], FOLDED: []}
    for layer in tqdm(range(model.n_layers), "Weights", unit="layer"):
        own = raw(model, layer)
        frames[RAW].append(layer_weights(own, RAW, layer))
        frames[FOLDED].append(layer_weights(fold(own, norms, layer), FOLDED, layer))
    return pd.concat([*frames[RAW], *frames[FOLDED]], ignore_index=True)


def layer_weights(mlp: Mlp, processing: str, layer: int) -> pd.DataFrame:
    """Rows of `WEIGHTS` of a layer.

    Args:
        mlp: Its weights.
        processing: How they were processed.
        layer: The layer.
    """
    missing = torch.full((len(mlp.reads),), torch.nan, dtype=torch.float64)
    norms = [rows.norm(dim=-1) for rows in _vectors(mlp)]
    columns = {
        "w_in_norm": norms[0],
        "w_up_norm": missing if mlp.linear is None else norms[2],
        "w_out_norm": norms[1],
        "input_bias": missing if mlp.bias is None else mlp.bias,
        "in_out_sim": cosines(mlp.reads, mlp.writes),
        "up_out_sim": missing if mlp.linear is None else cosines(mlp.linear, mlp.writes),
        "in_up_sim": missing if mlp.linear is None else cosines(mlp.reads, mlp.linear),
        "l2_penalty": torch.stack([norm.square() for norm in norms]).sum(0),
    }
    place = {"processing": processing, "layer": layer, "neuron": range(len(mlp.reads))}
    return pd.DataFrame(place | {name: column.numpy() for name, column in columns.items()})


def cosines(
    one: Float[Tensor, "neuron d_model"], other: Float[Tensor, "neuron d_model"]
) -> Float[Tensor, " neuron"]:
    """Cosine of each row of one with that of the other; nan where one of them is 0."""
    found: Tensor = (one * other).sum(-1) / (one.norm(dim=-1) * other.norm(dim=-1))
    return found


def _vectors(mlp: Mlp) -> Iterator[Tensor]:
    """The vectors of each neuron: read, written, and read by the up projection."""
    yield mlp.reads
    yield mlp.writes
    if mlp.linear is not None:
        yield mlp.linear
