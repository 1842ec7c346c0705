"""What goes on in one call of the fast path: nodes, their rows, and their keys and values.

A node is what rows of one prompt share while their tokens agree. After the prompts, every pass
feeds each node one token. Rows that are changed alike share their prompt above the split too: it is
one variant of the prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from clampsweep.decoder.attention import Layout
from clampsweep.decoder.cells import Cells, EditedCells, SteeredCells, ranges
from clampsweep.decoder.engine import Engine, Split
from clampsweep.decoder.heads import Heads
from clampsweep.decoder.key_values import KeyValues, PromptTokens
from clampsweep.decoder.pass_hooks import ForwardPass
from clampsweep.decoder.rows import DecodeJob, RowTexts
from clampsweep.decoder.variants import Variants

_TOKENS = 2048  # most packed tokens of a prompt pass


class _Stores(NamedTuple):
    """Keys and values of the layers up to the split, by node, and above it, by row."""

    below: KeyValues
    above: KeyValues | None  # None if there are no layers above


class _PromptCells(NamedTuple):
    """The cells of a prompt pass, and what comes after it.

    Attributes:
        cells: The tokens as the rows see them.
        above: Where the layers above the split keep keys and values of the packed tokens.
        newest: Where the newest position of each base stands in the residual stream. [base]
        base: The base of each row. [row]
    """

    cells: Cells
    above: PromptTokens
    newest: Int[Tensor, " base"]
    base: Int[Tensor, " row"]


class _Ran(NamedTuple):
    """A forward pass that is over, and the residual stream that it gave."""

    residual: Float[Tensor, "some d_model"]
    forward: ForwardPass


class Nodes:
    """The nodes and rows of one call that still go on, and their keys and values.

    Args:
        engine: The model's.
        job: What is asked for; rows of one prompt stand together.
        texts: Takes what the passes capture.

    Attributes:
        split: Where rows part.
        rows: The rows that go on, by their number in the job. [row]
        node: The node of each. [row]
        node_token: Each node's newest token; not said before the first `advance`. [node]
    """

    def __init__(self, engine: Engine, job: DecodeJob, texts: RowTexts):
        self._engine, self._scope, self._texts = engine, job.scope, texts
        self._device = engine.model.device
        numbers: dict[tuple[int, ...], int] = {}  # of each distinct prompt
        group = [numbers.setdefault(tuple(prompt), len(numbers)) for prompt in job.prompts]
        self._prompts = list(numbers)
        self._group = torch.tensor(group, device=self._device)  # [job row], its prompt
        lengths = [len(prompt) for prompt in self._prompts]
        self._lengths = torch.tensor(lengths, device=self._device)  # [prompt]
        self._n_prompt = self._lengths[self._group]  # [job row]
        self.split = Split(engine, texts.edits, texts.steers, job.scope, self._lengths)
        self._variants = Variants.of(group, job.edits, self._device)
        self._stores = _stores(
            engine,
            self.split,
            self._lengths,
            self._group,
            self._variants,
            job.decoding.max_new_tokens,
        )
        self.rows = torch.arange(len(group), device=self._device)
        self.node = self._group
        self.node_token = torch.zeros_like(self._lengths)

    def prefill(self) -> Heads:
        """Run the prompts; every row's newest position is then its prompt's last."""
        cost = self._lengths  # [prompt]
        if self.split.prompts_apart:  # each variant runs its prompt above the split
            cost = cost * torch.bincount(self._group[self._variants.row])
        return Heads.join([self._prefill(prompts) for prompts in _parts(cost, _TOKENS)])

    def step(self) -> Heads:
        """Run every node's newest token."""
        residual, forward = self._run_newest()
        return forward.parting.heads(residual, None if self.split.apart else self.node)

    def finish(self, layer: int) -> None:
        """Run the newest tokens once more as far as a layer, for the means alone."""
        self._run_newest(stop_at=layer)

    def advance(self, kept: list[int], picked: np.ndarray) -> None:
        """Let some rows go on with their next tokens; nodes split where these differ.

        Args:
            kept: Rows that go on, as indices into `rows`.
            picked: Next token of every row.
        """
        going = torch.tensor(kept, device=self._device)  # [new row]
        token = torch.from_numpy(picked[kept]).to(self._device)  # [new row]
        n_vocab = self._engine.unembedding.n_vocab
        # A new node for each pair of a node and a token, as one number: [new node], [new row].
        pairs, child = torch.unique(self.node[going] * n_vocab + token, return_inverse=True)
        place = self._renumber(self._stores.below, (pairs // n_vocab).cpu().numpy())  # [new node]
        self.node_token = torch.empty_like(pairs)
        self.node_token[place] = pairs % n_vocab
        self.rows, self.node = self.rows[going], place[child]
        if self._stores.above is not None:  # rows stand in the order of their keys and values
            place = self._renumber(self._stores.above, np.asarray(kept))  # [new row]
            rows, node = self.rows, self.node
            self.rows, self.node = torch.empty_like(rows), torch.empty_like(node)
            self.rows[place], self.node[place] = rows, node

    def _renumber(self, store: KeyValues, parent: Int[np.ndarray, " row"]) -> Int[Tensor, " row"]:
        return torch.from_numpy(store.reorder(parent)).to(self._device)

    def _prefill(self, prompts: range) -> Heads:
        """Run some of the prompts."""
        numbers = torch.arange(prompts.start, prompts.stop, device=self._device)  # [prompt]
        packed = PromptTokens(*ranges(numbers, self._lengths[numbers]))
        tokens = [token for prompt in prompts for token in self._prompts[prompt]]
        cells, above, newest, base = self._prompt_cells(prompts, packed)
        residual, forward = self._run(
            torch.tensor(tokens, device=self._device), packed.position, cells, packed, above
        )
        return forward.parting.heads(residual[newest], base)

    def _prompt_cells(self, prompts: range, packed: PromptTokens) -> _PromptCells:
        lengths = self._lengths[prompts.start : prompts.stop]  # [prompt]
        first = lengths.cumsum(0) - lengths  # [prompt], its first packed token
        here = (self._group >= prompts.start) & (self._group < prompts.stop)  # [job row]
        rows = here.nonzero()[:, 0]  # [row], those whose prompts run now
        place = self._group[rows] - prompts.start  # [row], their prompts
        if not self.split.prompts_apart:  # of a row only the newest position is looked at
            position = lengths[place] - 1  # [row]
            cells = Cells(first[place] + position, rows, position, expand=False, generated=False)
            return _PromptCells(cells, packed, first + lengths - 1, place)
        some, base = torch.unique(self._variants.of_row[rows], return_inverse=True)  # [variant]
        first_row = self._variants.row[some]  # [variant], the row that stands for it
        lengths = self._lengths[self._group[first_row]]  # [variant]
        variant, position = ranges(some, lengths)  # [cell] each: all positions of every variant
        row = self._variants.row[variant]  # [cell]
        token = first[self._group[row] - prompts.start] + position  # [cell]
        cells = Cells(token, row, position, expand=True, generated=False)
        newest = lengths.cumsum(0) - 1  # [variant], its last cell
        return _PromptCells(cells, PromptTokens(variant, position), newest, base)

    def _run_newest(self, stop_at: int | None = None) -> _Ran:
        """Run the newest tokens, once their keys and values have room."""
        below, above = self._stores
        for store in (below, above):
            if store is not None:
                store.grow()
        n_before = below.n_new - 1  # tokens that every row has generated before its newest
        positions = self._lengths[below.group] + n_before  # [node]
        position = self._n_prompt[self.rows] + n_before  # [row]
        cells = Cells(self.node, self.rows, position, expand=self.split.apart, generated=True)
        return self._run(self.node_token, positions, cells, None, None, stop_at)

    def _run(
        self,
        tokens: Int[Tensor, " token"],
        positions: Int[Tensor, " token"],
        cells: Cells,
        below: PromptTokens | None,
        above: PromptTokens | None,
        stop_at: int | None = None,
    ) -> _Ran:
        """One forward pass; `below` and `above` are None if it is not over prompts."""
        edited = {
            layer: EditedCells.of(layer_edits, cells, self._scope, self._n_prompt)
            for layer, layer_edits in self._texts.edits.items()
        }
        steered = {
            layer: SteeredCells.of(steers, cells, self._scope, self._n_prompt)
            for layer, steers in self._texts.steers.items()
        }
        means = self._texts.means
        forward = ForwardPass(self._engine, self.split, means, cells, edited, steered, stop_at)
        store_below, store_above = self._stores
        layout_below = Layout(store_below, below)
        layout_above = layout_below if store_above is None else Layout(store_above, above)
        return _Ran(forward.run(tokens, positions, layout_below, layout_above), forward)


def _stores(
    engine: Engine,
    split: Split,
    lengths: Int[Tensor, " prompt"],
    group: Int[Tensor, " row"],
    variants: Variants,
    n_new: int,
) -> _Stores:
    """Empty stores: a node per prompt below the split, a row each above it.

    Args:
        engine: The model's.
        split: Where rows part.
        lengths: Tokens of each prompt.
        group: The prompt of each row.
        variants: Prompts under the changes of the rows.
        n_new: Most tokens that a row will generate.
    """
    n_rows, dtype = len(group), engine.model.dtype
    prompts = torch.arange(len(lengths), device=group.device)
    layers = range(split.layer + 1)
    below = KeyValues(layers, lengths.tolist(), prompts, n_rows, n_new, dtype)
    if not split.apart:
        return _Stores(below, None)
    layers = range(split.layer + 1, engine.model.n_layers)
    if split.prompts_apart:  # each variant has a prompt of its own
        lengths, group = lengths[group[variants.row]], variants.of_row
    return _Stores(below, KeyValues(layers, lengths.tolist(), group, n_rows, n_new, dtype))


def _parts(cost: Int[Tensor, " prompt"], limit: int) -> Iterator[range]:
    """Consecutive prompts, as many together as cost no more than the limit, at least one."""
    start = 0
    while start < len(cost):
        stop = start + max(1, int((cost[start:].cumsum(0) <= limit).sum()))
        yield range(start, stop)
        start = stop
