"""Prompts under changes: rows that are changed alike share what comes of their prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from clampsweep.decoder.steering import Change, Steer


class Variants(NamedTuple):
    """Prompts under the changes of their rows, numbered prompt by prompt.

    Attributes:
        of_row: The variant of each row. [job row]
        row: A row of each. [variant]
    """

    of_row: Int[Tensor, " row"]
    row: Int[Tensor, " variant"]

    @classmethod
    def of(
        cls, group: Sequence[int], edits: Sequence[Sequence[Change]], device: torch.device
    ) -> Variants:
        """The variants of rows.

        Args:
            group: The prompt of each row; rows of one prompt stand together.
            edits: What changes each row.
            device: Where the numbers are wanted.
        """
        numbers: dict[tuple[int, tuple[object, ...]], int] = {}
        rows = zip(group, map(_key, edits), strict=True)
        found = [numbers.setdefault(one, len(numbers)) for one in rows]
        first: dict[int, int] = {}
        for row, number in enumerate(found):
            first.setdefault(number, row)
        some = torch.tensor(list(first.values()), device=device)
        return cls(torch.tensor(found, device=device), some)


def _key(changes: Sequence[Change]) -> tuple[object, ...]:
    """What is equal of rows that are changed alike."""
    return tuple(
        (one.layer, one.vector.tobytes(), one.multiple) if isinstance(one, Steer) else one
        for one in changes
    )
