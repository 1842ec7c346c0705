"""The tables on activations of an entry, for what is concluded, drawn and reported of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from clampsweep import tables
from clampsweep.studies.universal.convergence import CONVERGENCE
from clampsweep.studies.universal.neuron_table import HALVES, RELIABILITY, STATS
from clampsweep.studies.universal.new_data import NEW_DATA
from clampsweep.studies.universal.pooled import POOLED
from clampsweep.studies.universal.values import NULLS, VALUES

SCHEMAS = {
    "stats": STATS,
    "reliability": RELIABILITY,
    "halves": HALVES,
    "convergence": CONVERGENCE,
    "values": VALUES,
    "nulls": NULLS,
    "pooled": POOLED,
    "new_data": NEW_DATA,
}


class DataView(NamedTuple):
    """Tables of an entry, by the names of their schemas in `SCHEMAS`.

    Attributes:
        stats: `STATS`.
        reliability: `RELIABILITY`.
        halves: `HALVES`.
        convergence: `CONVERGENCE`, of the known domain.
        values: `VALUES`, of the known domain.
        nulls: `NULLS`.
        pooled: `POOLED`.
        new_data: `NEW_DATA`.
        domain: Name of the known domain.
    """

    stats: pd.DataFrame
    reliability: pd.DataFrame
    halves: pd.DataFrame
    convergence: pd.DataFrame
    values: pd.DataFrame
    nulls: pd.DataFrame
    pooled: pd.DataFrame
    new_data: pd.DataFrame
    domain: str


def read_view(files: Mapping[str, str], domain: str) -> DataView:
    """The tables of an entry.

    Args:
        files: Where each is.
        domain: Name of the known domain.

    Raises:
        UserError: A file is missing or damaged.
    """
    return DataView(
        **{name: tables.read(files[name], schema) for name, schema in SCHEMAS.items()},
        domain=domain,
    )
