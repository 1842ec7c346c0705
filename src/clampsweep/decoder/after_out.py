"""What a model does between its output projections and the residual stream or the logits.

Mostly nothing. Some models scale what an MLP's output projection gives, some normalise it, some
scale the logits. The engine takes a model apart, so it has to know; it is found by trial.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.final_norm import wide
from clampsweep.models.agreement import tolerance
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model


class AfterOut(NamedTuple):
    """What follows a model's output projections.

    Attributes:
        factor: What the output of an MLP's projection is multiplied by.
        norms: Name of the norm that each layer's output goes through; empty if through none.
        logit_factor: What the output of the unembedding is multiplied by.
    """

    factor: float
    norms: tuple[str, ...]
    logit_factor: float


class _Trial(NamedTuple):
    """One pass over a short text, in float32 at least."""

    outs: list[Float[Tensor, "pos d_model"]]  # of each layer's projection
    blocks: list[Float[Tensor, "pos d_model"]]  # of each layer
    unembedded: Float[Tensor, "pos d_vocab"]
    logits: Float[Tensor, "pos d_vocab"]


def find(model: Model) -> AfterOut:
    """What follows the output projections of a model, tried in every layer.

    Raises:
        UnsupportedError: Something that is none of the above, or not the same in all layers.
    """
    config = model.plain.config.get_text_config()

    def setting(name: str) -> float:
        return float(getattr(config, name, None) or 1.0)

    factors = {1.0, setting("residual_multiplier")}
    scales = {1.0, setting("logit_scale"), 1 / setting("logits_scaling")}
    near = tolerance(model.dtype)
    with torch.inference_mode():
        natural = _run(model)
        logit_factor = _fitting(scales, natural.unembedded, natural.logits, near)
        if logit_factor is None:
            raise UnsupportedError(
                "its logits are no multiple of what its unembedding gives (a soft cap?)"
            )
        moves = [_move(model, natural, layer) for layer in range(model.n_layers)]
        factor = _fitting(factors, moves[-1].step, moves[-1].change, near)
        names = () if factor is not None else _following_modules(model)
        if factor is None and len(names) != model.n_layers:
            raise UnsupportedError("something other than a norm or a factor follows its MLPs")
        found = AfterOut(1.0 if factor is None else factor, names, logit_factor)
        for layer, move in enumerate(moves):
            wanted = _predicted(model, found, natural, layer, move.step)
            if _fitting({1.0}, wanted, move.change, near) is None:
                raise UnsupportedError("something other than a norm or a factor follows its MLPs")
    return found


class _Move(NamedTuple):
    """A step that is added to what a layer's projection gives, and what it changes there."""

    step: Float[Tensor, "pos d_model"]
    change: Float[Tensor, "pos d_model"]  # of what the layer gives


def _move(model: Model, natural: _Trial, layer: int) -> _Move:
    """A step as long as what the projection gives, in a direction that it does not have."""
    block = natural.blocks[layer]
    step = natural.outs[layer].norm() * nn.functional.normalize(block.flip(-1), dim=-1)
    return _Move(step, _run(model, layer, step).blocks[layer] - block)


def _predicted(
    model: Model, found: AfterOut, natural: _Trial, layer: int, step: Float[Tensor, "pos d_model"]
) -> Float[Tensor, "pos d_model"]:
    """What a step changes in what a layer gives, if it is as found."""
    if not found.norms:
        return found.factor * step
    norm = model.plain.get_submodule(found.norms[layer])
    given = natural.outs[layer].to(model.dtype)
    changed: Tensor = norm(given + step.to(given)) - norm(given)
    return changed.to(step)


def _fitting(factors: set[float], given: Tensor, got: Tensor, near: float) -> float | None:
    """The factor by which one is the other's multiple, to a share of it; None if none is."""
    off = {factor: float((factor * given - got).abs().max()) for factor in factors}
    best = min(off, key=lambda factor: off[factor])
    return best if off[best] < near * float(got.abs().max()) else None


def _run(
    model: Model, moved: int | None = None, step: Float[Tensor, "pos d_model"] | None = None
) -> _Trial:
    """A pass; in one layer, if any, a step is added to what its projection gives."""
    layers = range(model.n_layers)
    outs: dict[int, Tensor] = {}
    kept: dict[str, Tensor] = {}

    def at_out(layer: int, output: Float[Tensor, "one pos d_model"]) -> Tensor | None:
        outs[layer] = output[0]
        return output + step.to(output) if layer == moved and step is not None else None

    def keep(name: str, module: Any, args: Any, output: Any) -> None:
        value = output[0] if isinstance(output, tuple | list) else output
        kept[name] = value.flatten(0, -2)  # [pos, width]

    blocks = [f"blocks.{layer}" for layer in layers]
    with ExitStack() as hooks:
        for name in [*blocks, "unembed"]:
            hooks.enter_context(model.part(name).register_forward_hook(partial(keep, name)))
        after = {layer: partial(at_out, layer) for layer in layers}
        hooks.enter_context(hooked(model.plain, model.outs, {}, after))
        logits = model.plain(input_ids=_text(model), use_cache=False).logits[0]
    return _Trial(
        [wide(outs[layer]) for layer in layers],
        [wide(kept[name]) for name in blocks],
        wide(kept["unembed"]),
        wide(logits),
    )


def _text(model: Model) -> Int[Tensor, "one pos"]:
    """Token ids that any model has."""
    return torch.arange(1, 5, device=model.device)[None]


def _following_modules(model: Model) -> tuple[str, ...]:
    """Name of the module that each layer's projection hands its output to, and nothing else."""
    given: list[Tensor] = []  # by the projections so far
    found: list[str] = []

    def note(output: Tensor) -> None:
        given.append(output)

    def look(name: str, module: Any, args: tuple[Any, ...]) -> None:
        waits = len(given) > len(found)
        if waits and args and isinstance(args[0], Tensor) and torch.equal(args[0], given[-1]):
            found.append(name)

    layers = range(model.n_layers)
    with ExitStack() as hooks:
        for name, module in model.plain.named_modules():
            if not list(module.children()) and not isinstance(module, nn.Dropout | nn.Identity):
                hooks.enter_context(module.register_forward_pre_hook(partial(look, name)))
        hooks.enter_context(hooked(model.plain, model.outs, {}, dict.fromkeys(layers, note)))
        model.plain(input_ids=_text(model), use_cache=False)
    return tuple(found)
