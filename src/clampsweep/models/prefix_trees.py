"""Sequences that begin alike, in passes that read what they share once.

The tokens of a tree stand one behind the other in a single row; a mask lets each see those before
it in its own sequences alone, and its position is its place in these.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.models.activations import logits_at
from clampsweep.models.agreement import agree
from clampsweep.models.model import Model
from clampsweep.models.rotations import has_changing_rope

_NODES = 512  # of a tree of several sequences: each token is held against all of them
_WORTH = 0.75  # of the sequences' tokens: with more to read than that, trees are not worth it


class Tree(NamedTuple):
    """Sequences whose shared beginnings stand once.

    Attributes:
        ids: Token of each node.
        positions: Its place in its sequences, from 0.
        parents: Node before it, -1 of a first one; always a lower number.
        paths: By number of a sequence, its nodes in order.
    """

    ids: list[int]
    positions: list[int]
    parents: list[int]
    paths: dict[int, list[int]]

    def add(self, number: int, sequence: Sequence[int], shared: Sequence[int]) -> None:
        """Add a sequence.

        Args:
            number: Its number.
            sequence: Its token ids.
            shared: Nodes that it begins with.
        """
        path = list(shared)
        for at in range(len(path), len(sequence)):
            self.parents.append(path[-1] if path else -1)
            self.ids.append(int(sequence[at]))
            self.positions.append(at)
            path.append(len(self.ids) - 1)
        self.paths[number] = path

    def inputs(self, model: Model) -> dict[str, Tensor]:
        """What Hugging Face's model is given, as keyword arguments."""
        device = model.device
        return {
            "input_ids": torch.tensor([self.ids], device=device),
            "position_ids": torch.tensor([self.positions], device=device),
            "attention_mask": self._mask(model.dtype).to(device),
        }

    def _mask(self, dtype: torch.dtype) -> Float[Tensor, "one one node node"]:
        """Added to attention scores: nothing where a node sees another, else the lowest number."""
        n = len(self.ids)
        sees = np.zeros((n, n), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                sees[node] = sees[parent]
            sees[node, node] = True
        mask = torch.zeros(n, n, dtype=dtype)
        return mask.masked_fill(~torch.from_numpy(sees), torch.finfo(dtype).min)[None, None]


def trees(model: Model, sequences: Sequence[Sequence[int]]) -> list[Tree]:
    """Trees that hold all sequences; none where passes over these are as well or give other things.

    Args:
        model: Loaded model.
        sequences: Token ids, none empty.
    """
    longest = max(map(len, sequences), default=0)
    found = _grown(sequences, min(_NODES, model.n_ctx - longest))
    read, tokens = sum(len(tree.ids) for tree in found), sum(map(len, sequences))
    return [] if read >= _WORTH * tokens or not _agree(model, sequences, found) else found


def _grown(sequences: Sequence[Sequence[int]], most: int) -> list[Tree]:
    """Trees of at most so many nodes, or of a single sequence."""
    found: list[Tree] = []
    before: Sequence[int] = ()
    path: list[int] = []
    for number in sorted(range(len(sequences)), key=lambda one: list(sequences[one])):
        sequence = sequences[number]
        n = _alike(before, sequence)
        if not found or len(found[-1].ids) + len(sequence) - n > most:
            found.append(Tree([], [], [], {}))
            n = 0
        found[-1].add(number, sequence, path[:n])
        before, path = sequence, found[-1].paths[number]
    return found


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """With how many tokens both begin."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _agree(model: Model, sequences: Sequence[Sequence[int]], found: Sequence[Tree]) -> bool:
    """Whether trees give the logits of plain passes: tried behind two sequences.

    They are the last of the tree with the most nodes, and the longest, which is put behind it if
    it is in another. What goes by the order of a row's tokens gets the one wrong, such as a
    recurrent layer; what looks back no further than a window the other.
    """
    if has_changing_rope(model.plain):  # a token's rotation depends on the longest sequence
        return False
    tree = copy.deepcopy(max(found, key=lambda one: len(one.ids)))
    last = list(tree.paths)[-1]
    longest = max(range(len(sequences)), key=lambda number: len(sequences[number]))
    if longest not in tree.paths:
        tree.add(longest, sequences[longest], ())
    pair = (last, longest)

    def tried() -> tuple[Tensor, Tensor]:
        got = _logits(model, tree.inputs(model), [tree.paths[number][-1] for number in pair])
        alone = [torch.tensor([sequences[number]], device=model.device) for number in pair]
        return got, torch.cat([_logits(model, {"input_ids": ids}, [-1]) for ids in alone])

    return agree("sequences are read apart", tried, model.dtype)


def _logits(
    model: Model, inputs: dict[str, Tensor], places: Sequence[int]
) -> Float[Tensor, "place d_vocab"]:
    """Logits behind some places of a pass over one row."""
    with torch.inference_mode():
        return logits_at(model.plain, inputs, torch.tensor(list(places), device=model.device))[0]
