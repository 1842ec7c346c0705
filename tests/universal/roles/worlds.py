"""Made-up neurons: six layers of 40, of which some have a role by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd

LAYERS, WIDTH = 6, 40


def known() -> pd.DataFrame:
    """What `candidates.neurons` makes; no neuron has a role."""
    rng = np.random.default_rng(0)
    n = LAYERS * WIDTH
    return pd.DataFrame(
        {
            "layer": np.repeat(np.arange(LAYERS), WIDTH),
            "neuron": np.tile(np.arange(WIDTH), LAYERS),
            "w_out_norm": rng.uniform(1, 2, n),
            "size": rng.uniform(0.1, 1, n),
            "sign": rng.choice([-1, 1], n),
            "vocab_var": rng.uniform(0.001, 0.002, n),
            "vocab_skew": rng.normal(0, 0.1, n),
            "vocab_kurt": rng.uniform(2.8, 3.5, n),
        }
    )


def put(table: pd.DataFrame, layer: int, neuron: int, **values: float) -> None:
    """Change a neuron."""
    row = layer * WIDTH + neuron
    for name, value in values.items():
        table.loc[row, name] = value


def scores(**values: float) -> pd.DataFrame:
    """`ATTENTION_SCORES`, of neurons such as L2N7."""
    rows = []
    for name, score in values.items():
        layer, neuron = name[1:].split("N")
        rows.append((int(layer), int(neuron), 0, score))
    types = {"layer": int, "neuron": int, "head": int, "score": float}
    return pd.DataFrame(rows, columns=list(types)).astype(types)
