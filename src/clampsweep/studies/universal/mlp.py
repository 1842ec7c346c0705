"""Weights of a model's neurons as they are, and with the norms folded in, in any family.

Folding (Gurnee et al. 2024, section 3; TransformerLens's weight processing) makes weights say what
a neuron reads of, and writes to, the residual stream: gain and bias of the norm before the MLP go
into what reads; what reads or writes along the direction that a LayerNorm takes away is taken out;
an RMSNorm takes none away. Gain of a norm after the MLP goes into what writes, and that of the
final norm into the unembedding, which is then centred over the vocabulary.

Which norm stands where is not told by names but looked up in a forward pass.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from clampsweep.errors import UserError
from clampsweep.models.hook_places import is_gated, place
from clampsweep.models.hooks import Tap, tapped
from clampsweep.models.model import Model
from clampsweep.names import MLP_PRE, MLP_PRE_LINEAR, HookPoint
from clampsweep.studies.universal.norms import Norm, read_norm

RAW, FOLDED = "raw", "folded"
PROCESSINGS = (RAW, FOLDED)

_REMEDY = "; use a model whose MLPs read a norm of the residual stream (docs/universal.md)"


class Mlp(NamedTuple):
    """Weights of a layer's neurons; float64, on the CPU.

    Attributes:
        reads: What each reads; of a gated MLP its gate.
        linear: What the up projection reads; None without a gate.
        writes: What a unit of each writes.
        bias: Input bias; None where nothing in the model is one.
    """

    reads: Float[Tensor, "neuron d_model"]
    linear: Float[Tensor, "neuron d_model"] | None
    writes: Float[Tensor, "neuron d_model"]
    bias: Float[Tensor, " neuron"] | None


class Norms(NamedTuple):
    """The norms about a model's neurons.

    Attributes:
        before: The one that each layer's MLP reads.
        after: The one that each layer's MLP is written through; None where there is none.
        final: The one that the unembedding reads.
    """

    before: list[Norm]
    after: list[Norm | None]
    final: Norm


def raw(model: Model, layer: int) -> Mlp:
    """Weights of a layer's neurons as they are.

    Raises:
        UserError: A projection is no plain linear map.
    """
    reads, bias = _projection(model, HookPoint(layer, MLP_PRE))
    linear = _projection(model, HookPoint(layer, MLP_PRE_LINEAR))[0] if is_gated(model) else None
    where = f"blocks.{layer}.mlp.out"
    return Mlp(reads, linear, _matrix(model.outs[layer], where)[0].T, bias)


def fold(mlp: Mlp, norms: Norms, layer: int) -> Mlp:
    """Weights with the norms about them folded in, centred where a LayerNorm centres.

    Args:
        mlp: Of a layer, as they are.
        norms: Of the model.
        layer: The layer.
    """
    before, after = norms.before[layer], norms.after[layer]
    bias = mlp.bias
    if before.bias is not None:
        told = mlp.reads @ before.bias
        bias = told if bias is None else bias + told
    writes = mlp.writes
    if after is not None:
        writes = _centred(writes, after) * after.gain
    linear = None if mlp.linear is None else _centred(mlp.linear * before.gain, before)
    reads = _centred(mlp.reads * before.gain, before)
    return Mlp(reads, linear, _centred(writes, norms.final), bias)


def unembedding(model: Model) -> Float[Tensor, "token d_model"]:
    """W_U as it is, float64; rows beyond the tokenizer's last token are left out."""
    rows: Tensor = model.plain.get_output_embeddings().weight.detach().double().cpu()
    return rows[: max(model.tokenizer.get_vocab().values()) + 1]


def fold_unembedding(
    rows: Float[Tensor, "token d_model"], final: Norm
) -> Float[Tensor, "token d_model"]:
    """W_U with the final norm's gain folded in, centred over the vocabulary.

    What all tokens share moves no probability.
    """
    folded = _centred(rows * final.gain, final)
    return folded - folded.mean(0)


def read_norms(model: Model) -> Norms:
    """Which norms stand about a model's neurons, as a forward pass shows.

    Raises:
        UserError: The MLPs or the unembedding read something else, or a norm is of another kind.
    """
    seen = _look(model)
    before, after = [], []
    for layer in range(model.n_layers):
        own = _norms_of(model, layer)
        reads, writes = seen["reads", layer], seen["writes", layer]
        found = [name for name in own if _same(seen.get((name, layer, "out")), reads)]
        if not found:
            raise UserError(
                f"model: weights of layer {layer} cannot be folded: what its MLP reads is not what "
                f"a norm gives (looked at: {', '.join(own) or 'no norm'}){_REMEDY}"
            )
        then = [name for name in own if _same(seen.get((name, layer, "in")), writes)]
        before.append(_read(model, f"blocks.{layer}.{found[0]}"))
        after.append(_read(model, f"blocks.{layer}.{then[0]}") if then else None)
    if not _same(seen.get("final"), seen.get("head")):
        raise UserError(
            "model: the unembedding cannot be folded: what it reads is not what the final norm "
            "gives; use another model (docs/universal.md)"
        )
    return Norms(before, after, _read(model, "ln_final"))


def _read(model: Model, name: str) -> Norm:
    return read_norm(model.part(name), model.d_model, f"model: {name}")


def _norms_of(model: Model, layer: int) -> list[str]:
    """TransformerLens's names of the norms that a layer has."""
    named = model.adapter.component_mapping["blocks"].submodules
    found = []
    for name in (name for name in named if name.startswith("ln")):
        try:
            model.part(f"blocks.{layer}.{name}")
        except (AttributeError, LookupError, ValueError):
            continue  # a name of the family that this model has no norm for
        found.append(name)
    return found


def _look(model: Model) -> dict[Any, Tensor]:
    """What goes through norms, projections and unembedding for a few tokens."""
    seen: dict[Any, Tensor] = {}

    def see(key: Any, value: Tensor) -> None:
        seen.setdefault(key, value.clone())

    taps: list[tuple[Any, Tap]] = []
    for layer in range(model.n_layers):
        projection = place(model, model.plain, HookPoint(layer, MLP_PRE)).tap.module
        taps += [(("reads", layer), Tap(projection, True))]
        taps += [(("writes", layer), Tap(model.outs[layer], False))]
        for name in _norms_of(model, layer):
            part = model.part(f"blocks.{layer}.{name}")
            taps += [
                ((name, layer, "in"), Tap(part, True)),
                ((name, layer, "out"), Tap(part, False)),
            ]
    taps += [("final", Tap(model.part("ln_final"), False))]
    taps += [("head", Tap(model.plain.get_output_embeddings(), True))]
    ids = torch.arange(1, 9, device=model.device)[None]  # [1, pos]
    with (
        torch.inference_mode(),
        tapped(model.plain, [(tap, partial(see, key)) for key, tap in taps]),
    ):
        model.plain(input_ids=ids, use_cache=False)
    return seen


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether a tensor went on as it was; a pass may leave out positions before it unembeds."""
    if one is None or other is None or one.shape[-1] != other.shape[-1]:
        return False
    return torch.equal(one[:, -other.shape[1] :], other)


def _projection(model: Model, point: HookPoint) -> tuple[Tensor, Tensor | None]:
    """[neuron, d_model] that a hook point's projection reads, and its bias."""
    found = place(model, model.plain, point)
    weight, bias = _matrix(found.tap.module, str(point))
    return weight[found.columns], None if bias is None else bias[found.columns]


def _matrix(module: Any, where: str) -> tuple[Float[Tensor, "out in"], Tensor | None]:
    """Weights and bias of a linear map, checked by what it gives."""
    inner = getattr(module, "original_component", module)  # of a bridge
    weight = getattr(inner, "weight", None)
    if not isinstance(weight, Tensor) or weight.ndim != 2 or not weight.is_floating_point():
        raise UserError(f"model: {where}: no plain linear map ({type(inner).__name__}){_REMEDY}")
    matrix = weight.detach().double().cpu()
    matrix = matrix.T if isinstance(inner, Conv1D) else matrix
    bias = None if inner.bias is None else inner.bias.detach().double().cpu()
    vector = torch.linspace(-1, 1, matrix.shape[1], dtype=torch.float64)
    with torch.inference_mode():
        given = inner(vector.to(weight)[None])[0].double().cpu()
    wanted = matrix @ vector + (0 if bias is None else bias)
    if not torch.allclose(given, wanted, rtol=0.03, atol=0.03 * float(wanted.abs().max())):
        raise UserError(f"model: {where}: {type(inner).__name__} is no plain linear map{_REMEDY}")
    return matrix, bias


def _centred(rows: Float[Tensor, "row d_model"], norm: Norm) -> Float[Tensor, "row d_model"]:
    """Rows without their mean, if the norm takes that away."""
    return rows - rows.mean(-1, keepdim=True) if norm.centred else rows
