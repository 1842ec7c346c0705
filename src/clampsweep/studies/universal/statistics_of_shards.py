"""Tables of statistics, a domain and a kind of activation at a time, from shards of moments."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from clampsweep.studies.universal.convergence import CONVERGENCE, convergence
from clampsweep.studies.universal.moment_shards import MomentShards
from clampsweep.studies.universal.neuron_table import HALVES, RELIABILITY, STATS, tables_of
from clampsweep.studies.universal.places import HOOKS
from clampsweep.tables import Schema

log = logging.getLogger(__name__)

SCHEMAS: Mapping[str, Schema] = {
    "stats": STATS,
    "reliability": RELIABILITY,
    "halves": HALVES,
    "convergence": CONVERGENCE,
}

DRAWS = 10  # of each number of blocks


def statistics(
    plan: Path, shards: Sequence[Path], known: str, seed: int
) -> dict[str, pd.DataFrame]:
    """The tables of `SCHEMAS`, by name.

    Args:
        plan: The pinned plan of the moments.
        shards: Their shards' tables.
        known: Domain of which convergence is looked at.
        seed: Of the draws of blocks.

    Raises:
        UserError: A shard is damaged, or lacks a block.
    """
    moments = MomentShards(plan, shards)
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in SCHEMAS}
    for domain in moments.domains:
        for var in HOOKS:
            part = moments.read(domain, var)
            if part is None:
                continue
            for name, table in tables_of(domain, var, part)._asdict().items():
                found[name].append(table)
            if domain == known:
                found["convergence"].append(convergence(var, part.sums, DRAWS, seed))
            log.info("%s: %s", domain, var)
    return {name: pd.concat(parts, ignore_index=True) for name, parts in found.items()}
