"""The tables on activations of two domains and two layers, as the study makes them."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from clampsweep.studies.universal import convergence, neuron_table, new_data
from clampsweep.studies.universal.data_view import SCHEMAS, DataView
from clampsweep.studies.universal.moment_shards import MomentShards
from universal.blocks import two_domains, write_shards

TOKENS = pd.DataFrame(
    {"domain": ["known", "new"], "tokens": [[1, 2], [3, 4]], "text": ["abcd", "ab"]}
)


@functools.cache
def view(heavier: float = 1.0, compare: bool = True, gated: bool = True) -> DataView:
    """The tables.

    Args:
        heavier: How much larger outliers of the new domain are.
        compare: Whether the domains are compared.
        gated: Whether the MLPs have a gate.
    """
    made = _made(heavier)
    if not compare:
        made = {**made, "new_data": made["new_data"][:0]}
    return DataView(**made, values=_values(gated), nulls=_nulls(gated), pooled=_pooled(),
                    domain="known")  # fmt: skip


@functools.cache
def _made(heavier: float) -> dict[str, pd.DataFrame]:
    """What is made of moments."""
    with tempfile.TemporaryDirectory() as folder:
        shards = MomentShards(*write_shards(Path(folder), two_domains(heavier=heavier)))
        pairs = [new_data.Pair("new", "known")]
        return {
            **neuron_table.every_domain(shards)._asdict(),
            "convergence": convergence.every_var(shards, "known", 3, 0),
            "new_data": new_data.every_pair(shards, pairs, TOKENS, 19, 0),
        }


def _values(gated: bool) -> pd.DataFrame:
    schema, n = SCHEMAS["values"], 60
    rows = {name: np.linspace(0, 1, n) for name, one in schema.columns.items()
            if one.type == "float"}  # fmt: skip
    place = {"layer": np.repeat([0, 1], 30), "neuron": np.tile(np.arange(30), 2)}
    counts = {"n": 320, "n_all": 320, "top_sign": 1}
    found = pd.DataFrame({**rows, **place, **counts})
    return found if gated else found.assign(kurt_null=np.nan)


def _nulls(gated: bool) -> pd.DataFrame:
    draws = [-1, *range(24)] if gated else [-1]
    own = [2.0, *np.linspace(1.0, 1.2, 24)][: len(draws)]
    parts = [pd.DataFrame({"layer": layer, "draw": draws, "median_log_kurt": own})
             for layer in (0, 1)]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def _pooled() -> pd.DataFrame:
    rows = [
        {"place": place, "tokens": tokens, "first": first, "n_values": 100 * tokens,
         "kurt": 97.0 * tokens if first else 10.0, "possible": 100.0 * tokens,
         "share": 0.97 if first else 0.1 / tokens, "n_texts": 8}
        for place in ("residual", "post") for tokens in (3, 9) for first in (True, False)
    ]  # fmt: skip
    return pd.DataFrame(rows)
