"""A model run from a layer on, by Hugging Face's own modules: what comes before is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clampsweep.models.hooks import Tap, hooked, tapped
from clampsweep.models.model import Model, twin
from clampsweep.studies.universal.norms import read_norm

Change = Callable[[Tensor], Tensor]

EMBEDDING = -1  # the layer before the first


class Seen(NamedTuple):
    """At each kept position.

    Attributes:
        logits: Of the next token.
        log_scale: Log of the root mean square that the final norm divides by (of a LayerNorm, of
            what is left without the mean).
    """

    logits: Float[Tensor, "row kept d_vocab"]
    log_scale: Float[Tensor, "row kept"]


class _Passed(nn.Module):
    """Stands for a layer and hands on what it is given."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._behind = (layer,)  # in a tuple, so that it is no part of this module

    def __getattr__(self, name: str) -> Any:
        """What models ask of their layers, such as the kind of their attention."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.__dict__["_behind"][0], name)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return hidden_states


class Tails:
    """Runs a model from any layer on.

    Args:
        model: Loaded model.
    """

    def __init__(self, model: Model):
        self._model = model
        self._twins: dict[int, Any] = {}

    @cached_property
    def _centres(self) -> bool:
        """Whether the final norm takes the mean away."""
        model = self._model
        return read_norm(model.part("ln_final"), model.d_model, "model: ln_final").centred

    @cached_property
    def _skips(self) -> bool:
        """Whether layers can be left out: they hand on a tensor and nothing else."""
        kinds = []
        handle = self._model.part("blocks.0").register_forward_hook(
            lambda module, args, output: kinds.append(isinstance(output, Tensor))
        )
        with handle, torch.inference_mode():
            ids = torch.arange(4, device=self._model.device)[None]
            self._model.plain(input_ids=ids, use_cache=False)
        return all(kinds)

    def _without(self, last: int) -> Any:
        """The model whose layers up to `last` do nothing, over the same weights."""
        if last not in self._twins:
            plain = twin(self._model.plain)
            layers = range(last + 1 if self._skips else 0)
            doomed = {id(self._model.part(f"blocks.{one}", plain)) for one in layers}
            for parent in list(plain.modules()):
                for name, child in list(parent.named_children()):
                    if id(child) in doomed:
                        setattr(parent, name, _Passed(child))
            self._twins[last] = plain
        return self._twins[last]

    def run(
        self,
        ids: Int[Tensor, "row pos"],
        after: int,
        residual: Float[Tensor, "row pos d_model"] | None,
        keep: Int[Tensor, " kept"],
        posts: Mapping[int, Change] | None = None,
    ) -> Seen:
        """Run the layers after one, and what follows.

        Args:
            ids: Tokens.
            after: The last layer that is not run; EMBEDDING if all are.
            residual: The residual stream after it; None with EMBEDDING.
            keep: Positions wanted, the same in all rows.
            posts: By layer, what changes the post-activations [row, pos, d_mlp].
        """
        model, plain = self._model, self._without(after)
        found: list[Tensor] = []
        given: dict[Any, Change] = {}
        if residual is not None:
            given[model.part(f"blocks.{after}", plain)] = partial(_instead, residual)
        tap = Tap(model.part("ln_final", plain), True)
        hooks = hooked(plain, model.outs_of(plain), posts or {}, residual=given)
        with torch.inference_mode(), hooks, tapped(plain, [(tap, found.append)]):
            if plain._supports_logits_to_keep():
                logits = plain(input_ids=ids, use_cache=False, logits_to_keep=keep).logits
            else:
                logits = plain(input_ids=ids, use_cache=False).logits[:, keep]
        final = found[0][:, keep]
        if self._centres:
            final = final - final.mean(-1, keepdim=True)
        return Seen(logits, final.square().mean(-1).log() / 2)


def _instead(residual: Tensor, found: Tensor) -> Tensor:
    return residual
