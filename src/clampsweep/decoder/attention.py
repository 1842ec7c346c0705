"""Attention over shared keys and values: one copy per prompt, and one row's own from there on.

Tokens of many texts run through a Hugging Face model packed in one row, `[1, token]`, so nothing is
padded in its matrix products. `attend` is registered as the model's attention function; it finds
the keys and values of the texts that the packed tokens belong to in the `Pass` it is handed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import AttentionInterface

NAME = "clampsweep"

_ROOM = 64  # generated tokens that memory is taken for at first; it doubles when that is used up

_INERT = {"dropout", "position_ids", "position_embeddings", "use_cache", "is_causal"}


class UnsupportedError(Exception):
    """The model's attention asks for something that `attend` does not do."""


@dataclass
class Layout:
    """Which keys and values packed tokens belong to, the same for a run of layers.

    Attributes:
        keys: Where they are kept.
        prompts: In a pass over prompts, the prompt of each token and its position there; None in
            a pass over every row's newest token.
    """

    keys: KeyValues
    prompts: tuple[Int[Tensor, " token"], Int[Tensor, " token"]] | None = None


@dataclass
class Pass:
    """One forward pass: the layout of each layer's tokens."""

    layouts: Sequence[Layout]


class KeyValues:
    """Keys and values of some layers: a part per prompt, shared by its rows, and a part per row.

    Rows are numbered 0..n_rows-1 without gaps; `reorder` renumbers them as texts split and end.
    All rows have generated the same number of tokens.

    Args:
        layers: Layers, counted from 0.
        lengths: Tokens of each prompt.
        group: The prompt that each row continues.
        n_slots: Most rows there will ever be.
        n_new: Most tokens that a row will generate, if known.
        dtype: The model's.
    """

    def __init__(
        self,
        layers: range,
        lengths: Sequence[int],
        group: Int[Tensor, " row"],
        n_slots: int,
        n_new: int,
        dtype: torch.dtype,
    ):
        self.layers, self.n_slots = layers, n_slots
        self._room = min(n_new, _ROOM)
        self.lengths = torch.tensor(lengths, device=group.device)
        self.longest = max(lengths)
        self.n_new = 0
        self._prompt: Tensor | None = None  # [2, layer, prompt, kv_head, longest, d_head]
        self._own: Tensor | None = None  # [2, layer, slot, kv_head, room, d_head]
        self._hidden = torch.zeros(len(lengths), 1, 1, self.longest, dtype=dtype).to(group.device)
        beyond = torch.arange(self.longest, device=group.device) >= self.lengths[:, None]
        self._hidden[beyond[:, None, None]] = -torch.inf
        self.set_group(group)

    def set_group(self, group: Int[Tensor, " row"]) -> None:
        """Say which prompt each row continues."""
        self.group = group
        n_groups = len(self.lengths)
        counts = torch.bincount(group, minlength=n_groups)
        self.widest = int(counts.max())
        order = group.argsort(stable=True)
        start = counts.cumsum(0) - counts
        self._rank = torch.empty_like(group)
        self._rank[order] = torch.arange(len(group), device=group.device) - start[group[order]]
        same = torch.arange(n_groups, device=group.device)
        self._alone = len(group) == n_groups and torch.equal(group, same)

    def reorder(self, parent: np.ndarray) -> np.ndarray:
        """New number of each new row that continues old row `parent`; the numbers have no gaps.

        A row's first continuation stays where it is; only others are copied.
        """
        n = len(parent)
        number = np.full(n, -1)
        order = np.argsort(parent, kind="stable")
        first = order[np.unique(parent[order], return_index=True)[1]]
        stay = first[parent[first] < n]
        number[stay] = parent[stay]
        free = np.setdiff1d(np.arange(n), parent[stay])
        move = np.flatnonzero(number < 0)
        number[move] = free
        group = torch.empty(n, dtype=self.group.dtype, device=self.group.device)
        group[torch.from_numpy(number).to(group.device)] = self.group[
            torch.from_numpy(parent).to(group.device)
        ]
        if self._own is not None and len(move):
            to, source = torch.from_numpy(free), torch.from_numpy(parent[move])
            part = self._own[:, :, :, :, : self.n_new]
            part[:, :, to] = part[:, :, source]
        self.set_group(group)
        return number

    def grow(self) -> None:
        """Make room for one more generated token of every row."""
        self.n_new += 1
        if self._own is None or self.n_new <= self._own.shape[4]:
            return
        wider = list(self._own.shape)
        wider[4] *= 2
        own = self._own.new_empty(wider)
        own[:, :, :, :, : self.n_new - 1] = self._own
        self._own = own

    def fill(
        self,
        layer: int,
        prompts: tuple[Int[Tensor, " token"], Int[Tensor, " token"]],
        query: Float[Tensor, "token head d_head"],
        key: Float[Tensor, "token kv_head d_head"],
        value: Float[Tensor, "token kv_head d_head"],
        scale: float,
    ) -> Float[Tensor, "token head d_head"]:
        """Attention among prompts' own tokens, whose keys and values are kept."""
        if self._prompt is None:
            shape = (2, len(self.layers), len(self.lengths), key.shape[1], self.longest)
            self._prompt = key.new_zeros(*shape, key.shape[2])
        group, position = prompts
        first, last = int(group.min()), int(group.max()) + 1
        at = (group - first, position)
        queries = query.new_zeros(last - first, self.longest, *query.shape[1:])
        queries[at] = query
        keys, values = self._prompt[:, layer - self.layers.start, first:last]
        keys.transpose(1, 2)[at] = key
        values.transpose(1, 2)[at] = value
        found = nn.functional.scaled_dot_product_attention(
            queries.transpose(1, 2), keys, values, is_causal=True, scale=scale, enable_gqa=True
        )
        return found.transpose(1, 2)[at]

    def step(
        self,
        layer: int,
        query: Float[Tensor, "row head d_head"],
        key: Float[Tensor, "row kv_head d_head"],
        value: Float[Tensor, "row kv_head d_head"],
        scale: float,
    ) -> Float[Tensor, "row head d_head"]:
        """Attention of every row's newest token to its prompt and to its own tokens so far."""
        if self._prompt is None:
            raise RuntimeError("a step before the prompts")
        (n, n_heads, d_head), n_kv = query.shape, key.shape[1]
        at = layer - self.layers.start
        if self._own is None:
            shape = (2, len(self.layers), self.n_slots, n_kv, self._room, d_head)
            self._own = key.new_empty(*shape)
        own_k, own_v = self._own[:, at, :n]
        own_k[:, :, self.n_new - 1] = key
        own_v[:, :, self.n_new - 1] = value
        heads = n_heads // n_kv
        query = (query * scale).view(n, n_kv, heads, d_head)
        rows = query.reshape(n * n_kv, heads, d_head)
        keys = own_k.reshape(n * n_kv, -1, d_head)[:, : self.n_new]
        values = own_v.reshape(n * n_kv, -1, d_head)[:, : self.n_new]
        own = torch.bmm(rows, keys.transpose(1, 2)).view(n, n_kv, heads, self.n_new)
        prompt_k, prompt_v = self._prompt[:, at]
        cells = self._scatter(query)
        shared = torch.matmul(cells, prompt_k.transpose(-1, -2)) + self._hidden
        shared = self._gather(shared, heads)
        weights = torch.cat([shared, own], -1).softmax(-1)
        out = torch.bmm(
            weights[..., self.longest :].reshape(n * n_kv, heads, self.n_new), values
        ).view(n, n_kv, heads, d_head)
        mixed = torch.matmul(self._scatter(weights[..., : self.longest]), prompt_v)
        return (out + self._gather(mixed, heads)).view(n, n_heads, d_head)

    def _scatter(self, rows: Float[Tensor, "row kv_head head x"]) -> Tensor:
        """Rows set beside the others of their prompt: [prompt, kv_head, row x head, x]."""
        _, n_kv, heads, width = rows.shape
        if self._alone:
            return rows
        cells = rows.new_zeros(len(self.lengths), n_kv, self.widest, heads, width)
        cells[self.group, :, self._rank] = rows
        return cells.view(-1, n_kv, self.widest * heads, width)

    def _gather(self, cells: Tensor, heads: int) -> Tensor:
        """The reverse of `_scatter`."""
        if self._alone:
            return cells
        n_groups, n_kv, _, width = cells.shape
        return cells.view(n_groups, n_kv, self.widest, heads, width)[self.group, :, self._rank]


def attend(
    module: Any,
    query: Float[Tensor, "one head token d_head"],
    key: Float[Tensor, "one kv_head token d_head"],
    value: Float[Tensor, "one kv_head token d_head"],
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    sweep_pass: Pass,
    **options: Any,
) -> tuple[Float[Tensor, "one token head d_head"], None]:
    """Attention of packed tokens, as Hugging Face's attention interface wants it.

    Raises:
        UnsupportedError: The layer asks for an option that is not known here, such as a window.
    """
    asked = {name for name, value in options.items() if value is not None} - _INERT
    if asked or attention_mask is not None:
        raise UnsupportedError(f"attention option {', '.join(sorted(asked)) or 'attention_mask'}")
    layer = module.layer_idx
    layout = sweep_pass.layouts[layer]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    parts = [one[0].transpose(0, 1) for one in (query, key, value)]
    if layout.prompts is None:
        out = layout.keys.step(layer, *parts, scale)
    else:
        out = layout.keys.fill(layer, layout.prompts, *parts, scale)
    return out[None], None


AttentionInterface.register(NAME, attend)
