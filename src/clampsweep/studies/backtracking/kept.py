"""A prefix's keys and values in many rows, for one more token in each.

A cache of Hugging Face's appends by copying all that it holds. Here the copy is made once, with
room for one more token, and each pass writes its own there: a hundred passes copy once.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


def kept_bytes(cache: DynamicCache) -> int:
    """Bytes that a row of a cache takes.

    Args:
        cache: Of a single row.
    """
    parts = [
        part for layer in cache.layers for part in vars(layer).values() if torch.is_tensor(part)
    ]
    return sum(part.numel() * part.element_size() for part in parts)


class PrefixRows:
    """A prefix in many rows.

    Args:
        cache: Of the prefix, in a single row; stays as it is.
        n: Most rows.
    """

    def __init__(self, cache: DynamicCache, n: int):
        self._cache = cache
        # Of other layers, such as those with a sliding window, each pass copies the whole.
        layers: list[Any] = cache.layers
        self._has_room = all(type(layer) is DynamicLayer for layer in layers)
        if self._has_room:
            self._kept = [(_with_room(one.keys, n), _with_room(one.values, n)) for one in layers]

    def first(self, n: int) -> Any:
        """A `DynamicCache` of the first rows, for a pass of one token in each.

        The next one may share its memory: of what a pass appends to it nothing is kept.

        Args:
            n: How many rows.
        """
        if self._has_room:
            found = copy.copy(self._cache)
            found.layers = [_OneMore(keys[:n], values[:n]) for keys, values in self._kept]
            return found
        found = copy.deepcopy(self._cache)
        found.batch_repeat_interleave(n)
        return found


def _with_room(
    part: Float[Tensor, "one head pos d_head"], n: int
) -> Float[Tensor, "row head more d_head"]:
    """A part of a cache in so many rows, with room for one more position."""
    _, heads, length, width = part.shape
    found = part.new_empty(n, heads, length + 1, width)
    found[:, :, :length] = part
    return found


class _OneMore(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer of a cache with room for one more token.

    Args:
        keys: The last position is free.
        values: The same.
    """

    keys: Any
    values: Any

    def __init__(
        self,
        keys: Float[Tensor, "row head pos d_head"],
        values: Float[Tensor, "row head pos d_head"],
    ):
        super().__init__()  # type: ignore[no-untyped-call]
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write the token's keys and values where there is room; all of them."""
        self.keys[..., -1:, :] = key_states
        self.values[..., -1:, :] = value_states
        return self.keys, self.values

    def get_seq_length(self) -> int:
        """Length of the prefix."""
        return int(self.keys.shape[-2]) - 1
