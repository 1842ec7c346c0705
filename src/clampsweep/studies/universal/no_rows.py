"""A table without rows: what an entry did not ask for. No torch."""

from __future__ import annotations

import pandas as pd

from clampsweep.tables import Schema

_KINDS = {"str": "str", "int": "int64", "float": "float64", "bool": "bool"}


def no_rows(schema: Schema) -> pd.DataFrame:
    """A table of no rows, its columns of their own types.

    Args:
        schema: The table's.
    """
    return pd.DataFrame(
        {name: pd.Series(dtype=_KINDS[column.type]) for name, column in schema.columns.items()}
    )
