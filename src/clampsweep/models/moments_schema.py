"""The table of moments by block of documents: its columns, known at parse time. No torch."""

from __future__ import annotations

from clampsweep.tables import Column, Schema

MOMENTS = Schema(
    "moments",
    {
        "block": Column("str", "block of documents"),
        "hook_point": Column("str", "TransformerLens's name after blocks.L."),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "coordinate at the hook point, from 0"),
        "n": Column("int", "number of positions"),
        "n_positive": Column("int", "number of positions above 0"),
        "mean": Column("float", "mean, activation units; 0 if n is 0"),
        "sum2": Column("float", "sum of (x - mean)^2 over the block's positions"),
        "sum3": Column("float", "sum of (x - mean)^3"),
        "sum4": Column("float", "sum of (x - mean)^4"),
    },
    key=("block", "hook_point", "layer", "neuron"),
)
