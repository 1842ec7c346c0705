"""What the weights of a neuron are, raw and with the norm before the MLP folded in.

After Gurnee et al. 2024 (section 4.1, and the published code): folded, W_in is multiplied by the
norm's gain, and b_in gets W_in applied to the norm's bias. Where the norm takes the mean away
(LayerNorm), reading weights are centred, for what they read has no mean, and writing weights are,
for nothing reads the mean. An RMSNorm keeps the mean: nothing is centred there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn import functional

from clampsweep.models.hook_places import is_gated
from clampsweep.models.model import Model
from clampsweep.studies.universal.norms import Norm, read_norm
from clampsweep.tables import Column, Schema

RAW, FOLDED = "raw", "folded"

WEIGHTS = Schema(
    "universal weights",
    {
        "processing": Column("str", "raw, or folded: with the norm before the MLP"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "w_in_norm": Column("float", "norm of what the neuron reads (gated: of its gate)"),
        "w_up_norm": Column("float", "norm of what its up projection reads; null without",
                            null=True),
        "w_out_norm": Column("float", "norm of what it writes"),
        "input_bias": Column("float", "bias of what it reads (gated: of its gate); null without",
                             null=True),
        "in_out_sim": Column("float", "cosine of what it reads (gated: its gate) and writes"),
        "up_out_sim": Column("float", "cosine of what its up projection reads and it writes; null "
                             "without", null=True),
        "gate_up_sim": Column("float", "cosine of what gate and up read; null without", null=True),
        "l2_penalty": Column("float", "sum of the squares of all its norms"),
    },
    key=("processing", "layer", "neuron"),
)  # fmt: skip

_TOKENS_AT_ONCE = 4096


class LayerWeights(NamedTuple):
    """Weights of a layer's neurons, a row each; None where the MLP has none of it.

    Attributes:
        gate: What the activation function is applied to; without a gate, W_in.
        up: What the activated gate is multiplied by.
        out: What one unit of the neuron adds to the residual stream.
        bias: What is added to `gate`.
    """

    gate: Float64[Tensor, "neuron d_model"]
    up: Float64[Tensor, "neuron d_model"] | None
    out: Float64[Tensor, "neuron d_model"]
    bias: Float64[Tensor, " neuron"] | None


def layer_weights(model: Model, layer: int, processing: str) -> LayerWeights:
    """Weights of a layer, float64.

    Args:
        model: Loaded model.
        layer: Layer.
        processing: `RAW` or `FOLDED`.
    """
    raw = _raw(model, layer)
    if processing == RAW:
        return raw
    norm = read_norm(model.part(f"blocks.{layer}.ln2"), model.d_model)
    gate, bias = _folded(raw.gate, raw.bias, norm)
    up = None if raw.up is None else _folded(raw.up, None, norm)[0]
    out = centred(raw.out) if norm.centres else raw.out
    return LayerWeights(gate, up, out, bias)


def _raw(model: Model, layer: int) -> LayerWeights:
    d_model, mlp = model.d_model, f"blocks.{layer}.mlp"
    if not is_gated(model):
        module = model.part(f"{mlp}.in")
        return LayerWeights(rows_of(module, d_model), None, _out(model, layer), _bias(module))
    named = model.adapter.component_mapping["blocks"].submodules["mlp"]
    if fused := getattr(named, "fused_attr", None):  # one projection: gate, then up
        joint: Any = getattr(model.part(mlp), fused)
        both, bias = rows_of(joint, d_model), _bias(joint)
        own = None if bias is None else bias[: model.d_mlp]
        return LayerWeights(both[: model.d_mlp], both[model.d_mlp :], _out(model, layer), own)
    gate, up = model.part(f"{mlp}.gate"), model.part(f"{mlp}.in")
    return LayerWeights(
        rows_of(gate, d_model), rows_of(up, d_model), _out(model, layer), _bias(gate)
    )


def _out(model: Model, layer: int) -> Float64[Tensor, "neuron d_model"]:
    every = torch.arange(model.d_mlp, device=model.device)
    return model.output_directions(layer, every, dtype=torch.float64).cpu()


def rows_of(module: Any, width: int) -> Float64[Tensor, "out width"]:
    """Weights of a linear map, a row for each output, whichever way round it keeps them.

    Args:
        module: The map, of torch or GPT-2's `Conv1D`.
        width: Size of its input.
    """
    weight = module.weight.detach().double().cpu()
    turned = type(module).__name__ == "Conv1D"  # [in, out]; a Linear is [out, in]
    rows: Tensor = weight.T if turned else weight
    if rows.shape[1] != width:
        raise ValueError(f"{type(module).__name__}: got inputs of {rows.shape[1]}, not {width}")
    return rows


def _bias(module: Any) -> Float64[Tensor, " out"] | None:
    bias = getattr(module, "bias", None)
    return None if bias is None else bias.detach().double().cpu()


def _folded(
    rows: Float64[Tensor, "neuron d_model"], bias: Float64[Tensor, " neuron"] | None, norm: Norm
) -> tuple[Tensor, Tensor | None]:
    """Reading weights and bias with the norm in them."""
    gain, added = norm.gain.cpu(), norm.bias.cpu()
    new = bias
    if bias is not None or bool(added.any()):
        own = torch.zeros(len(rows), dtype=torch.float64) if bias is None else bias
        new = own + rows @ added
    folded = rows * gain
    return (centred(folded) if norm.centres else folded), new


def centred(rows: Float64[Tensor, "row d_model"]) -> Float64[Tensor, "row d_model"]:
    """Rows without their means."""
    return rows - rows.mean(1, keepdim=True)


def weights(model: Model) -> pd.DataFrame:
    """The table `WEIGHTS`.

    Args:
        model: Loaded model.
    """
    parts = [
        _rows(processing, layer, layer_weights(model, layer, processing))
        for processing in (RAW, FOLDED)
        for layer in range(model.n_layers)
    ]
    return pd.concat(parts, ignore_index=True)


def _rows(processing: str, layer: int, own: LayerWeights) -> pd.DataFrame:
    """Rows of a layer."""
    norms = {
        name: None if rows is None else rows.norm(dim=1).numpy()
        for name, rows in (("w_in_norm", own.gate), ("w_up_norm", own.up), ("w_out_norm", own.out))
    }
    none = np.full(len(own.gate), np.nan)
    columns = {name: none if values is None else values for name, values in norms.items()}
    return pd.DataFrame(
        {
            "processing": processing,
            "layer": layer,
            "neuron": np.arange(len(own.gate)),
            **columns,
            "input_bias": none if own.bias is None else own.bias.numpy(),
            "in_out_sim": cosine(own.gate, own.out),
            "up_out_sim": none if own.up is None else cosine(own.up, own.out),
            "gate_up_sim": none if own.up is None else cosine(own.gate, own.up),
            "l2_penalty": sum(values**2 for values in norms.values() if values is not None),
        }
    )[list(WEIGHTS.columns)]


def cosine(
    one: Float64[Tensor, "row d_model"], other: Float64[Tensor, "row d_model"]
) -> Float64[np.ndarray, " row"]:
    """Cosine of each row with its partner."""
    found: np.ndarray = functional.cosine_similarity(one, other, dim=1).numpy()
    return found


def unembedding(model: Model, processing: str) -> Iterator[Float64[Tensor, "token d_model"]]:
    """Rows of the unembedding that the tokenizer has tokens for, some at a time.

    Folded: times the final norm's gain, and centred over the vocabulary, because a logit that all
    tokens get alike changes nothing; where the norm takes the mean away, over coordinates too.

    Args:
        model: Loaded model.
        processing: `RAW` or `FOLDED`.
    """
    weight = model.plain.get_output_embeddings().weight.detach()
    known = sorted(at for at in model.tokenizer.get_vocab().values() if at < len(weight))
    norm = read_norm(model.part("ln_final"), model.d_model)
    parts = torch.split(torch.tensor(known, device=weight.device), _TOKENS_AT_ONCE)
    if processing == RAW:
        for part in parts:
            yield weight[part].double().cpu()
        return
    gain = norm.gain.cpu()
    total = sum((weight[part].double().sum(0).cpu() for part in parts), torch.zeros(model.d_model))
    mean = total / len(known) * gain
    for part in parts:
        rows = weight[part].double().cpu() * gain - mean
        yield centred(rows) if norm.centres else rows
