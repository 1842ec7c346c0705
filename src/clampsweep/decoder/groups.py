"""Which prompt each row continues: rows beside those of their prompt, and places for new ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


class Groups:
    """Rows by the prompt that they continue, to be set side by side in products with it.

    Args:
        group: The prompt of each row.
        n_prompts: Number of prompts; some may have no row.

    Attributes:
        group: The same.
    """

    def __init__(self, group: Int[Tensor, " row"], n_prompts: int):
        self.group, self._n_prompts = group, n_prompts
        counts = torch.bincount(group, minlength=n_prompts)  # [prompt], its rows
        self._widest = int(counts.max())
        order = group.argsort(stable=True)  # [row], prompt by prompt
        start = counts.cumsum(0) - counts  # [prompt], where its rows begin in that order
        rank = torch.arange(len(group), device=group.device) - start[group[order]]
        self._rank = torch.empty_like(group)  # [row], its number among the rows of its prompt
        self._rank[order] = rank
        # One row per prompt, in order, stands beside its prompt as it is.
        every = torch.arange(n_prompts, device=group.device)
        self._alone = len(group) == n_prompts and torch.equal(group, every)

    def scatter(
        self, rows: Float[Tensor, "row kv_head head x"]
    ) -> Float[Tensor, "prompt kv_head slot x"]:
        """Rows set beside the others of their prompt; slots stand for (row, head), 0 if unused."""
        _, n_kv, heads, width = rows.shape
        if self._alone:
            return rows
        cells = rows.new_zeros(self._n_prompts, n_kv, self._widest, heads, width)
        cells[self.group, :, self._rank] = rows  # [row] by (prompt, rank), kv heads between them
        return cells.view(-1, n_kv, self._widest * heads, width)

    def gather(
        self, cells: Float[Tensor, "prompt kv_head slot x"], heads: int
    ) -> Float[Tensor, "row kv_head head x"]:
        """The reverse of `scatter`."""
        if self._alone:
            return cells
        n_prompts, n_kv, _, width = cells.shape
        cells = cells.view(n_prompts, n_kv, self._widest, heads, width)
        return cells[self.group, :, self._rank]  # [row, kv_head, head, x]


class Places(NamedTuple):
    """Where rows that go on are kept.

    Attributes:
        number: New number of each row. [new row]
        to: Places that are filled anew. [copied]
        source: What is copied to each of them. [copied]
    """

    number: Int[np.ndarray, " new_row"]
    to: Int[np.ndarray, " copied"]
    source: Int[np.ndarray, " copied"]


def places(parent: Int[np.ndarray, " new_row"]) -> Places:
    """Places, numbered without gaps, for new rows that continue the old rows `parent`.

    A row's first continuation stays where it is, if there is such a place; others are copied.
    """
    n = len(parent)
    order = np.argsort(parent, kind="stable")  # [new row], parent by parent
    first = order[np.unique(parent[order], return_index=True)[1]]  # first new row of each parent
    stay = first[parent[first] < n]
    number = np.full(n, -1)
    number[stay] = parent[stay]
    free = np.setdiff1d(np.arange(n), parent[stay])
    moved = np.flatnonzero(number < 0)  # as many as there are free places
    number[moved] = free
    return Places(number, free, parent[moved])
