"""Keys and values of packed texts: one copy per prompt, and a row's own from there on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from clampsweep.decoder.groups import Groups, places

_ROOM = 64  # generated tokens that memory is taken for at first; it doubles when that is used up


class PromptTokens(NamedTuple):
    """Tokens of a pass over prompts.

    Attributes:
        prompt: The prompt of each.
        position: Its position there.
    """

    prompt: Int[Tensor, " token"]
    position: Int[Tensor, " token"]


class _NewTokens(NamedTuple):
    """What is kept of all generated tokens, row by row and head by head."""

    key: Float[Tensor, "row*kv_head new d_head"]
    value: Float[Tensor, "row*kv_head new d_head"]


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

    Attributes:
        n_new: Tokens that every row has generated.
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
        self._layers, self._n_slots = layers, n_slots
        self._room = min(n_new, _ROOM)
        self._n_prompts, self._longest = len(lengths), max(lengths)
        self.n_new = 0
        self._prompt: Tensor | None = None  # [2, layer, prompt, kv_head, longest, d_head]
        self._generated: Tensor | None = None  # [2, layer, slot, kv_head, room, d_head]
        # What a score gets where a prompt has ended: [prompt, kv_head, slot, longest] by broadcast
        self._hidden = torch.zeros(self._n_prompts, 1, 1, self._longest, dtype=dtype)
        self._hidden = self._hidden.to(group.device)
        last = torch.tensor(lengths, device=group.device)[:, None]  # [prompt, 1]
        beyond = torch.arange(self._longest, device=group.device) >= last  # [prompt, longest]
        self._hidden[beyond[:, None, None]] = -torch.inf
        self._groups = Groups(group, self._n_prompts)

    @property
    def group(self) -> Int[Tensor, " row"]:
        """The prompt that each row continues."""
        return self._groups.group

    def reorder(self, parent: Int[np.ndarray, " row"]) -> Int[np.ndarray, " row"]:
        """New number of each new row that continues old row `parent`; the numbers have no gaps.

        A row's first continuation stays where it is; only others are copied.
        """
        device = self.group.device
        number, to, source = places(parent)
        group = self.group.new_empty(len(parent))  # [new row], of its parent's prompt
        group[torch.from_numpy(number).to(device)] = self.group[torch.from_numpy(parent).to(device)]
        if self._generated is not None and len(to):
            used = self._generated[:, :, :, :, : self.n_new]  # [2, layer, slot, kv_head, new, d]
            used[:, :, torch.from_numpy(to)] = used[:, :, torch.from_numpy(source)]
        self._groups = Groups(group, self._n_prompts)
        return number

    def grow(self) -> None:
        """Make room for one more generated token of every row."""
        self.n_new += 1
        if self._generated is None or self.n_new <= self._generated.shape[4]:
            return
        shape = list(self._generated.shape)
        shape[4] *= 2  # the room
        wider = self._generated.new_empty(shape)
        wider[:, :, :, :, : self.n_new - 1] = self._generated
        self._generated = wider

    def fill(
        self,
        layer: int,
        prompts: PromptTokens,
        query: Float[Tensor, "token head d_head"],
        key: Float[Tensor, "token kv_head d_head"],
        value: Float[Tensor, "token kv_head d_head"],
        scale: float,
    ) -> Float[Tensor, "token head d_head"]:
        """Attention among prompts' own tokens, whose keys and values are kept."""
        if self._prompt is None:
            shape = (2, len(self._layers), self._n_prompts, key.shape[1], self._longest)
            self._prompt = key.new_zeros(*shape, key.shape[2])
        first, last = int(prompts.prompt.min()), int(prompts.prompt.max()) + 1
        at = (prompts.prompt - first, prompts.position)  # [token] into [prompt, longest]
        # [prompt, longest, head, d_head]; no position after its prompt's end is looked at
        queries = query.new_zeros(last - first, self._longest, *query.shape[1:])
        queries[at] = query
        # [prompt, kv_head, longest, d_head] each, of this pass's prompts
        keys, values = self._prompt[:, layer - self._layers.start, first:last]
        keys.transpose(1, 2)[at] = key  # [token] into [prompt, longest]
        values.transpose(1, 2)[at] = value
        mixed = nn.functional.scaled_dot_product_attention(
            queries.transpose(1, 2), keys, values, is_causal=True, scale=scale, enable_gqa=True
        )  # [prompt, head, longest, d_head]
        return mixed.transpose(1, 2)[at]

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
        n, n_kv, d_head = key.shape
        heads = query.shape[1] // n_kv  # query heads of one key head
        query = (query * scale).view(n, n_kv, heads, d_head)
        new_keys, new_values = self._append(layer, key, value)
        # Rows and key heads as one axis: [row x kv_head, head, d_head] with [.., new, d_head]
        scores = torch.bmm(query.reshape(n * n_kv, heads, d_head), new_keys.transpose(1, 2))
        scores = scores.view(n, n_kv, heads, self.n_new)  # of generated tokens
        prompt_keys, prompt_values = self._prompt[:, layer - self._layers.start]
        slots = self._groups.scatter(query)  # [prompt, kv_head, slot, d_head]
        shared = torch.matmul(slots, prompt_keys.transpose(-1, -2)) + self._hidden
        shared = self._groups.gather(shared, heads)  # [row, kv_head, head, longest]
        # One softmax over the prompt and the generated tokens: [row, kv_head, head, longest + new]
        weights = torch.cat([shared, scores], -1).softmax(-1)
        to_prompt, to_new = weights[..., : self._longest], weights[..., self._longest :]
        out = torch.bmm(to_new.reshape(n * n_kv, heads, self.n_new), new_values)
        out = out.view(n, n_kv, heads, d_head)
        mixed = torch.matmul(
            self._groups.scatter(to_prompt), prompt_values
        )  # as slots, [.., d_head]
        return (out + self._groups.gather(mixed, heads)).view(n, n_kv * heads, d_head)

    def _append(
        self,
        layer: int,
        key: Float[Tensor, "row kv_head d_head"],
        value: Float[Tensor, "row kv_head d_head"],
    ) -> _NewTokens:
        """Keep the newest token's key and value; those of all generated tokens, row by row."""
        n, n_kv, d_head = key.shape
        if self._generated is None:
            shape = (2, len(self._layers), self._n_slots, n_kv, self._room, d_head)
            self._generated = key.new_empty(*shape)
        # [row, kv_head, room, d_head] each
        keys, values = self._generated[:, layer - self._layers.start, :n]
        keys[:, :, self.n_new - 1] = key
        values[:, :, self.n_new - 1] = value
        return _NewTokens(
            keys.reshape(n * n_kv, -1, d_head)[:, : self.n_new],
            values.reshape(n * n_kv, -1, d_head)[:, : self.n_new],
        )
