"""One step of one text in float64, from the first token on: what decides near-ties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor, nn

from clampsweep.decoder.interventions import Edit, LayerEdits, Scope, apply, by_layer, pushes
from clampsweep.models.loading import Model, twin


class Exact:
    """A model in float64, run without a cache, one text at a time.

    Each module's weights are widened while it runs: the same numbers as a copy in float64 gives,
    in the memory of one layer.
    """

    def __init__(self, model: Model):
        self._plain = twin(model.plain)
        for module in self._plain.modules():
            _widen(module)
        self._model, self._adapter = model, model.bridge.adapter

    def logits(
        self, tokens: Sequence[int], n_prompt: int, edits: Sequence[Edit], scope: Scope
    ) -> Float64[Tensor, " d_vocab"]:
        """Logits of the next token.

        Args:
            tokens: Prompt and text so far.
            n_prompt: How many of them are the prompt.
            edits: The text's edits.
            scope: Positions that they change.
        """
        ids = torch.tensor([list(tokens)], device=self._plain.device)
        positions = torch.arange(len(tokens), device=self._plain.device)
        covered = scope.covers(positions, n_prompt)
        handles = []
        for layer, changes in by_layer([edits], ids.device, torch.float64).items():
            at_out, after_out = self._hooks(layer, changes, positions, covered)
            out = self._adapter.get_component(self._plain, f"blocks.{layer}.mlp.out")
            handles.append(out.register_forward_pre_hook(at_out))
            handles.append(out.register_forward_hook(after_out))
        try:
            with torch.inference_mode():
                found: Tensor = self._plain(input_ids=ids, use_cache=False).logits[0, -1]
        finally:
            for handle in handles:
                handle.remove()
        return found

    def _hooks(
        self,
        layer: int,
        changes: LayerEdits,
        positions: Int[Tensor, " pos"],
        covered: Bool[Tensor, " pos"],
    ) -> tuple[Callable[..., tuple[Tensor]], Callable[..., Tensor]]:
        """What is done before and after a layer's output projection."""
        redirected, far = changes.redirected, []
        directions = self._model.output_directions(
            layer, redirected.neuron, redirected.along, torch.float64
        )

        def at_out(module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
            rows = args[0].view(1, len(positions), -1)  # some models drop the batch's axis
            far.append(pushes(rows, redirected, positions, covered))
            return (apply(rows, changes, positions, covered).view_as(args[0]),)

        def after_out(module: nn.Module, args: Any, output: Tensor) -> Tensor:
            return output + (far.pop().T @ directions).view_as(output)

        return at_out, after_out


def _widen(module: nn.Module) -> None:
    """Let a module compute in float64 with the weights that it has."""
    own = dict(module.named_parameters(recurse=False))
    if type(module) is nn.Embedding:  # another kind may also scale what it looks up
        module.register_forward_hook(lambda module, args, output: output.double())
    elif own:

        def widen(module: nn.Module, args: Any) -> None:
            for name, one in own.items():
                module.register_parameter(name, nn.Parameter(one.double(), requires_grad=False))

        def restore(module: nn.Module, args: Any, output: Any) -> None:
            for name, one in own.items():
                module.register_parameter(name, nn.Parameter(one, requires_grad=False))

        module.register_forward_pre_hook(widen)
        module.register_forward_hook(restore, always_call=True)


_MADE: WeakKeyDictionary[Any, Exact] = WeakKeyDictionary()


def exact(model: Model) -> Exact | None:
    """The model in float64, made when first needed; None where there are no plain weights."""
    if model.plain is None:
        return None
    if model.bridge not in _MADE:
        _MADE[model.bridge] = Exact(model)
    return _MADE[model.bridge]
