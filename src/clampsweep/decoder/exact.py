"""One step of one text in float64, from the first token on: what decides near-ties."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor, nn

from clampsweep.decoder.interventions import Scope
from clampsweep.decoder.layer_edits import LayerEdits, apply, by_layer, pushes
from clampsweep.decoder.steering import Change, steers_by_layer
from clampsweep.models.agreement import agree
from clampsweep.models.hooks import PostHook, hooked
from clampsweep.models.model import Model, twin
from clampsweep.models.rotations import has_changing_rope


class _Hooks(NamedTuple):
    """What is done before a layer's output projection, and after it."""

    before: PostHook
    after: PostHook


class Exact:
    """A model in float64, run without a cache, one text at a time.

    Each module's weights are widened while it runs: the same numbers as a copy in float64 gives,
    in the memory of one layer.

    Args:
        model: A loaded model with plain weights.
    """

    def __init__(self, model: Model):
        self._plain = twin(model.plain)
        for module in self._plain.modules():
            _widen(module)
        self._model, self._outs = model, model.outs_of(self._plain)

    def logits(
        self, tokens: Sequence[int], n_prompt: int, edits: Sequence[Change], scope: Scope
    ) -> Float64[Tensor, " d_vocab"]:
        """Logits of the next token.

        Args:
            tokens: Prompt and text so far.
            n_prompt: How many of them are the prompt.
            edits: What changes the text.
            scope: Positions that are changed.
        """
        ids = torch.tensor([list(tokens)], device=self._plain.device)  # [1, pos]
        positions = torch.arange(len(tokens), device=self._plain.device)  # [pos]
        covered = scope.covers(positions, n_prompt)  # [pos]
        before, after = {}, {}
        for layer, changes in by_layer([edits], ids.device, torch.float64).items():
            before[layer], after[layer] = self._hooks(layer, changes, positions, covered)
        residual = {
            self._model.part(f"blocks.{layer}", self._plain): partial(
                steers.add_to, covered=covered
            )
            for layer, steers in steers_by_layer([edits], ids.device, torch.float64).items()
        }
        with torch.inference_mode(), hooked(self._plain, self._outs, before, after, residual):
            logits: Tensor = self._plain(input_ids=ids, use_cache=False).logits[0, -1]
        return logits

    def _hooks(
        self,
        layer: int,
        changes: LayerEdits,
        positions: Int[Tensor, " pos"],
        covered: Bool[Tensor, " pos"],
    ) -> _Hooks:
        """The hooks that carry out one layer's edits."""
        redirected = changes.redirected
        distances: list[Tensor] = []  # [edit, pos], from the hook before to the one after
        directions = self._model.output_directions(
            layer, redirected.neuron, redirected.along, torch.float64
        )  # [edit, d_model]

        def at_out(activation: Tensor) -> Tensor:
            distances.append(pushes(activation, redirected, positions, covered))
            return apply(activation, changes, positions, covered)

        def after_out(output: Tensor) -> Tensor:
            return output + distances.pop().T @ directions  # [pos, edit] @ [edit, d_model]

        return _Hooks(at_out, after_out)


def _widen(module: nn.Module) -> None:
    """Let a module compute in float64 with the weights that it has."""
    parameters = dict(module.named_parameters(recurse=False))
    if type(module) is nn.Embedding:  # another kind may also scale what it looks up
        module.register_forward_hook(lambda module, args, output: output.double())
    elif parameters:

        def widen(module: nn.Module, args: Any) -> None:
            for name, weight in parameters.items():
                module.register_parameter(name, nn.Parameter(weight.double(), requires_grad=False))

        def restore(module: nn.Module, args: Any, output: Any) -> None:
            for name, weight in parameters.items():
                module.register_parameter(name, nn.Parameter(weight, requires_grad=False))

        module.register_forward_pre_hook(widen)
        module.register_forward_hook(restore, always_call=True)


_MADE: WeakKeyDictionary[Any, Exact | None] = WeakKeyDictionary()


def exact(model: Model) -> Exact | None:
    """The model in float64, made when first needed; None where near-ties are not decided so.

    That is for processed weights; where rotations depend on how long a text is, since keys that a
    cache holds are of another length's than those of a pass over the whole text; and for a model
    that does not run in float64, or says other things there.
    """
    if model.plain not in _MADE:
        unsettled = model.processed or has_changing_rope(model.plain)
        _MADE[model.plain] = None if unsettled else _make(model)
    return _MADE[model.plain]


def _make(model: Model) -> Exact | None:
    """The model in float64, if it runs and agrees."""
    judge, tokens = Exact(model), list(range(1, 9))
    ids = torch.tensor([tokens], device=model.device)

    def tried() -> tuple[Tensor, Tensor]:
        with torch.inference_mode():
            wanted = twin(model.plain)(input_ids=ids, use_cache=False).logits[0, -1].double()
        return judge.logits(tokens, len(tokens), [], Scope("all")), wanted

    if not agree("near-ties are not decided in float64", tried, model.dtype):
        return None
    return judge
