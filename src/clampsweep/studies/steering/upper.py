"""The layers of a model above one, run by themselves on what that one gives.

Its lower layers compute nothing, and what the highest of them would have given is put in its place.
Gradients flow to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from clampsweep.errors import UserError
from clampsweep.models.activations import newest_logits_only
from clampsweep.models.agreement import agree
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.models.without_layers import can_be_left_out, without_layers

Past = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer, [row, head, pos, width]."""


class Upper:
    """A model's layers above one.

    Args:
        model: Loaded model.
        layer: The highest layer that is not run.

    Attributes:
        keeps: Whether it can go on from keys and values; else it is given all positions.
    """

    def __init__(self, model: Model, layer: int):
        self._model, self._layer = model, layer
        skips = can_be_left_out(model)
        self._plain = without_layers(model, layer if skips else -1)
        self._outs = model.outs_of(self._plain)
        self._config = model.plain.config.get_text_config(decoder=True)
        kept = skips and model.plain._supports_default_dynamic_cache()
        layers = self.cache().layers if kept else []
        plain = all(type(one) is DynamicLayer for one in layers)  # no window, no recurrence
        self.keeps = len(layers) == model.n_layers and plain

    def cache(self) -> Any:
        """An empty cache of the whole model."""
        return DynamicCache(config=self._config)

    def past(self, cache: Any, n: int) -> Past:
        """Keys and values of the layers above, of the first n positions of a pass."""
        layers = cache.layers[self._layer + 1 :]
        return [(one.keys[:, :, :n].clone(), one.values[:, :, :n].clone()) for one in layers]

    def last_logits(
        self,
        given: Float[Tensor, "row pos d_model"],
        ids: Int[Tensor, "row pos"],
        start: int,
        past: Past,
    ) -> Float[Tensor, "row d_vocab"]:
        """Logits behind the last position; the arguments are those of `logits`."""
        return self.logits(given, ids, start, past, **newest_logits_only(self._model))[:, -1]

    def logits(
        self,
        given: Float[Tensor, "row pos d_model"],
        ids: Int[Tensor, "row pos"],
        start: int,
        past: Past,
        **more: Any,
    ) -> Float[Tensor, "row kept d_vocab"]:
        """Logits behind every position, or behind those that `more` says are kept.

        Args:
            given: The residual stream after the layer.
            ids: Token ids of the same positions.
            start: Place of the first one in its text.
            past: Keys and values before it, of one row or of each, if it is not the first.
            more: What else Hugging Face's model is told.
        """
        n_rows, n_pos = ids.shape
        positions = torch.arange(start, start + n_pos, device=ids.device)
        kept: dict[str, Any] = {"use_cache": False}
        if start:
            kept = {"use_cache": True, "past_key_values": self._filled(given, start, past)}
        block = self._model.part(f"blocks.{self._layer}", self._plain)
        with hooked(self._plain, self._outs, {}, residual={block: lambda found: given}):
            found: Tensor = self._plain(
                input_ids=ids, position_ids=positions.expand(n_rows, -1), **kept, **more
            ).logits
        return found

    def check(self, tried: Callable[[], tuple[Tensor, Tensor]]) -> None:
        """Refuse a model that does not go on from the layer as it would have by itself.

        Args:
            tried: Gives logits that the layers above gave, and the whole model's.

        Raises:
            UserError: They differ, or are not given.
        """
        if not agree("not gone on with from a layer", tried, self._model.dtype):
            raise UserError(
                f"{self._model.manifest['name']}: its layers above {self._layer} cannot be run by "
                "themselves; name another model"
            )

    def _filled(self, given: Float[Tensor, "row pos d_model"], start: int, past: Past) -> Any:
        """A cache that holds keys and values of the layers above."""
        # Of the layers below nothing is read, but how many positions there were.
        empty = given.new_zeros(1).expand(len(given), 1, start, 1)
        cache, below = self.cache(), [(empty, empty)] * (self._layer + 1)
        for layer, pair in zip(cache.layers, [*below, *past], strict=True):
            keys, values = (one.expand(len(given), -1, -1, -1) for one in pair)
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
        return cache
