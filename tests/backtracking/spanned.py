"""Tables of ranked neurons and of a residual direction."""

from __future__ import annotations

import pandas as pd


def ranked_neurons(*ranked, kind="pred"):
    """`NEURONS` by rank."""
    layers, indices = zip(*ranked, strict=True)
    return pd.DataFrame({"position_kind": kind, "layer": layers, "neuron": indices}).assign(
        rank=range(1, len(ranked) + 1)
    )


def a_direction(layer, vector):
    return pd.DataFrame([{"position_kind": "pred", "layer": layer, "vector": vector}])
