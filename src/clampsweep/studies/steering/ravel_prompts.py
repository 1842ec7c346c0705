"""RAVEL's items as tokens, and what a model says behind many prompts, at a cost that is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from clampsweep.models.activations import logits_at
from clampsweep.models.model import Model
from clampsweep.models.prefix_trees import trees
from clampsweep.studies.steering.ravel_data import Item

_ROWS = 32  # prompts in one pass, where they share nothing


class Asked(NamedTuple):
    """An item as tokens.

    Attributes:
        item: The item.
        ids: Token ids of its prompt.
        at: Position of the entity's last token.
        answers: Token ids of each of its right answers.
    """

    item: Item
    ids: list[int]
    at: int
    answers: tuple[list[int], ...]


def asked(model: Model, items: Sequence[Item]) -> list[Asked]:
    """Items as tokens, in their order.

    Left out is an item where a token holds the end of the entity or of the prompt and more: it has
    no last token, or its answer no first one.

    Args:
        model: Loaded model.
        items: Items.
    """
    found = []
    for item in items:
        prompt = item.template.filled(item.entity)
        ids, until = model.encode(prompt), model.encode(item.template.until(item.entity))
        wholes = [model.encode(prompt + answer) for answer in item.answers]
        begins = ids[: len(until)] == until and all(one[: len(ids)] == ids for one in wholes)
        if begins and all(len(one) > len(ids) for one in wholes) and len(ids) <= model.n_ctx:
            answers = tuple(one[len(ids) :] for one in wholes)
            found.append(Asked(item, ids, len(until) - 1, answers))
    return found


class Next(NamedTuple):
    """What comes behind the last tokens of a sequence.

    Attributes:
        number: Of the sequence.
        logits: Behind each of its last tokens.
    """

    number: int
    logits: Float[Tensor, "pos d_vocab"]


def behind(model: Model, sequences: Sequence[Sequence[int]], last: Sequence[int]) -> Iterator[Next]:
    """Logits behind the last tokens of sequences; what these begin with alike is read once.

    Args:
        model: Loaded model.
        sequences: Token ids.
        last: Of each sequence, behind how many of its last tokens.
    """
    together = trees(model, sequences)
    for tree in together:
        places = [at for number, path in tree.paths.items() for at in path[-last[number] :]]
        with torch.inference_mode():
            at = torch.tensor(places, device=model.device)
            found = logits_at(model.plain, tree.inputs(model), at)[0]  # [place, d_vocab]
        parts = torch.split(found, [last[number] for number in tree.paths])
        yield from (Next(number, part) for number, part in zip(tree.paths, parts, strict=True))
    if not together:
        yield from _apart(model, sequences, last)


def _apart(model: Model, sequences: Sequence[Sequence[int]], last: Sequence[int]) -> Iterator[Next]:
    """The same in passes over sequences of one length."""
    groups: dict[tuple[int, int], list[int]] = {}
    for number, sequence in enumerate(sequences):
        groups.setdefault((len(sequence), last[number]), []).append(number)
    for (length, n), numbers in sorted(groups.items()):
        for start in range(0, len(numbers), _ROWS):
            some = numbers[start : start + _ROWS]
            ids = torch.tensor([list(sequences[number]) for number in some], device=model.device)
            with torch.inference_mode():
                at = torch.arange(length - n, length, device=model.device)
                found = logits_at(model.plain, {"input_ids": ids}, at)
            yield from (Next(number, part) for number, part in zip(some, found, strict=True))


class Weights(NamedTuple):
    """Numbers of a model's weights, for a count of floating-point operations: 2 a weight and token.

    Attributes:
        layer: Of one layer, on average.
        unembedding: Of the unembedding.
    """

    layer: float
    unembedding: float

    @classmethod
    def of(cls, model: Model) -> Weights:
        """Those of a loaded model."""
        blocks = (model.part(f"blocks.{layer}") for layer in range(model.n_layers))
        n = sum(one.numel() for block in blocks for one in block.parameters())
        return cls(n / model.n_layers, model.plain.get_output_embeddings().weight.numel())

    def flops(self, tokens: float, layers: float, heads: float) -> float:
        """Floating-point operations of passes, without those of attention scores.

        Args:
            tokens: Tokens that are read.
            layers: Layers that each goes through.
            heads: Positions that are unembedded.
        """
        return 2 * (self.layer * layers * tokens + self.unembedding * heads)
