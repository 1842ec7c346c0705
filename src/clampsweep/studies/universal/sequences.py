"""Sequences of a `TOKENS` table, as models and shards take them. No torch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from jaxtyping import Int

from clampsweep.shards.shard import Item


def ids_of(rows: pd.DataFrame) -> list[list[int]]:
    """Token ids of sequences, as Python's own numbers.

    Args:
        rows: Of a `TOKENS` table.
    """
    return [[int(one) for one in ids] for ids in rows["tokens"]]


def of_domain(table: pd.DataFrame, domain: str) -> list[list[int]]:
    """Token ids of a domain's sequences, in their order.

    Args:
        table: `TOKENS`.
        domain: The domain.
    """
    return ids_of(table[table["domain"] == domain].sort_values("seq_id"))


def items(found: pd.DataFrame, skip: int) -> Iterator[Item]:
    """What moments are made of: an item for each domain and block, `<domain>/<block>`.

    Args:
        found: A `TOKENS` table.
        skip: First positions of a sequence that do not count.
    """
    for (domain, block), own in found.groupby(["domain", "block"], sort=False):
        yield Item(f"{domain}/{block:02d}", {"sequences": ids_of(own), "skip": skip})


def spread(n: int, most: int) -> Int[np.ndarray, " some"]:
    """At most so many of the numbers 0..n - 1, evenly spread over them."""
    return np.linspace(0, n - 1, min(most, n)).astype(int)
