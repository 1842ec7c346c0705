"""The tables of a model's agreement with others, as claims, figures and report read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from clampsweep import tables
from clampsweep.studies.universal.agreed_tables import ABLATION, PERSISTENCE
from clampsweep.studies.universal.gt1_tables import GT1, RATES
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.pair_tables import CORR, NULLS, PAIRS
from clampsweep.tables import Schema

SCHEMAS: Mapping[str, Schema] = {
    "pairs": PAIRS,
    "nulls": NULLS,
    "corr": CORR,
    "gt1": GT1,
    "rates": RATES,
    "persistence": PERSISTENCE,
    "ablation": ABLATION,
}


class Agreed(NamedTuple):
    """Tables by the names of `SCHEMAS`; without rows where an entry does not ask for them."""

    pairs: pd.DataFrame
    nulls: pd.DataFrame
    corr: pd.DataFrame
    gt1: pd.DataFrame
    rates: pd.DataFrame
    persistence: pd.DataFrame
    ablation: pd.DataFrame


def read(paths: Mapping[str, str | Sequence[str]]) -> Agreed:
    """The tables of an entry.

    Args:
        paths: Of each table, by its name here; an empty list for one that is not asked for.

    Raises:
        UserError: One is missing, truncated or another table.
    """
    found = {
        name: tables.read(str(paths[name]), own) if paths[name] else no_rows(own)
        for name, own in SCHEMAS.items()
    }
    return Agreed(**found)


def joined(paths: Sequence[str], schema: Schema) -> pd.DataFrame:
    """Tables of several other models as one; without rows if there is none.

    Args:
        paths: Of the tables.
        schema: Theirs.

    Raises:
        UserError: One is missing, truncated or another table.
    """
    found = [tables.read(path, schema) for path in paths]
    return pd.concat(found, ignore_index=True) if found else no_rows(schema)
