"""What a model does between its output projections and the residual stream or the logits.

Mostly nothing. Some models scale what an MLP's output projection gives, some normalise it, some
scale the logits. The engine takes a model apart, so it has to know; it is found by trial.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from clampsweep.decoder.attention import UnsupportedError
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

    out: Float[Tensor, "pos d_model"]  # of a layer's projection
    block: Float[Tensor, "pos d_model"]  # of that layer
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
    near = 1e-3 if model.dtype in (torch.float32, torch.float64) else 0.1
    with torch.inference_mode():
        natural, moved, step = _try(model, model.n_layers - 1)
        logit_factor = _fitting(scales, natural.unembedded, natural.logits, near)
        factor = _fitting(factors, step, moved.block - natural.block, near)
        names = () if factor is not None else _following_modules(model)
        if logit_factor is None:
            raise UnsupportedError(
                "its logits are no multiple of what its unembedding gives (a soft cap?)"
            )
        if factor is None and len(names) != model.n_layers:
            raise UnsupportedError("something other than a norm or a factor follows its MLPs")
        found = AfterOut(1.0 if factor is None else factor, names, logit_factor)
        _check_layers(model, found, near)
    return found


def _check_layers(model: Model, found: AfterOut, near: float) -> None:
    """Refuse a model in whose layers a step does not go as far as was found."""
    for layer in range(model.n_layers):
        natural, moved, step = _try(model, layer)
        wanted = found.factor * step
        if found.norms:
            norm = model.plain.get_submodule(found.norms[layer])
            given = natural.out.to(model.dtype)
            wanted = (norm(given + step.to(given)) - norm(given)).to(step)
        if _fitting({1.0}, wanted, moved.block - natural.block, near) is None:
            raise UnsupportedError("something other than a norm or a factor follows its MLPs")


def _try(model: Model, layer: int) -> tuple[_Trial, _Trial, Float[Tensor, "pos d_model"]]:
    """A layer without and with a step at its projection, and the step."""
    natural = _run(model, layer, None)
    step = natural.out.norm() * nn.functional.normalize(natural.block.flip(-1), dim=-1)
    return natural, _run(model, layer, step), step


def _fitting(factors: set[float], given: Tensor, got: Tensor, near: float) -> float | None:
    """The factor by which one is the other's multiple, to a share of it; None if none is."""
    off = {factor: float((factor * given - got).abs().max()) for factor in factors}
    best = min(off, key=lambda factor: off[factor])
    return best if off[best] < near * float(got.abs().max()) else None


def _run(model: Model, layer: int, step: Float[Tensor, "pos d_model"] | None) -> _Trial:
    """A pass in which a step is added to what a layer's projection gives."""
    ids = torch.arange(1, 5, device=model.device)[None]  # [1, pos]
    kept: dict[str, Tensor] = {}

    def add(output: Float[Tensor, "one pos d_model"]) -> Tensor:
        kept["out"] = output[0]
        return output if step is None else output + step.to(output)

    def keep(name: str, module: Any, args: Any, output: Any) -> None:
        value = output[0] if isinstance(output, tuple | list) else output
        kept[name] = value.reshape(ids.shape[1], -1)

    with ExitStack() as hooks:
        for name, part in (("block", f"blocks.{layer}"), ("unembedded", "unembed")):
            handle = model.part(part).register_forward_hook(partial(keep, name))
            hooks.enter_context(handle)
        hooks.enter_context(hooked(model.plain, model.outs, {}, {layer: add}))
        kept["logits"] = model.plain(input_ids=ids, use_cache=False).logits[0]
    return _Trial(**{name: value.to(_wide(value)) for name, value in kept.items()})


def _wide(value: Tensor) -> torch.dtype:
    return torch.float64 if value.dtype == torch.float64 else torch.float32


def _following_modules(model: Model) -> tuple[str, ...]:
    """Name of the module that each layer's projection hands its output to, and nothing else."""
    ids = torch.arange(1, 5, device=model.device)[None]  # [1, pos]
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
        model.plain(input_ids=ids, use_cache=False)
    return tuple(found)
