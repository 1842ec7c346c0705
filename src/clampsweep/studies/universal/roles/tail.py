"""A model run from a layer on, by Hugging Face's own modules: what comes before is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.models.activations import logits_at
from clampsweep.models.hooks import Tap, hooked, tapped
from clampsweep.models.model import Model
from clampsweep.models.without_layers import can_be_left_out, without_layers
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
        return can_be_left_out(self._model)

    def _without(self, last: int) -> Any:
        """The model whose layers up to `last` do nothing, over the same weights."""
        if last not in self._twins:
            doing_nothing = last if self._skips else EMBEDDING
            self._twins[last] = without_layers(self._model, doing_nothing)
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
            logits = logits_at(plain, {"input_ids": ids}, keep)
        final = found[0][:, keep]
        if self._centres:
            final = final - final.mean(-1, keepdim=True)
        return Seen(logits, final.square().mean(-1).log() / 2)


def _instead(residual: Tensor, found: Tensor) -> Tensor:
    return residual
