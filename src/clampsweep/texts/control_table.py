"""The table of controls: its columns, random directions in it, how like their targets they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from clampsweep.names import parse_direction
from clampsweep.tables import Column, Schema
from clampsweep.words import listed

CONTROLS = Schema(
    "controls",
    {
        "target": Column("str", "neuron, or neurons joined by +, that the control is for"),
        "control": Column("str", "name of the control"),
        "kind": Column("str", "neuron, or direction in the residual stream"),
        "layer": Column("int", "layer of the control; null if it is a joint one", null=True),
        "neuron": Column(
            "int", "its index in the layer; null for a direction and a joint one", null=True
        ),
        "w_out_norm": Column(
            "float", "norm of its row of W_out; of a direction, the target's", null=True
        ),
        "activation_rms": Column(
            "float", "root mean square of its activation; of a direction, the target's", null=True
        ),
        "target_w_out_norm": Column("float", "norm of the target's row of W_out", null=True),
        "target_activation_rms": Column(
            "float", "root mean square of the target's activation", null=True
        ),
        "distance": Column(
            "float", "how far from the target in what was matched, in SDs over the layer", null=True
        ),
        "norm_difference": Column(
            "float",
            "log of its norm over the target's, in SDs over the layer, mean over its neurons",
            null=True,
        ),
        "activation_difference": Column("float", "the same of activation_rms", null=True),
    },
    key=("target", "control"),
)

SIZES = ("norm", "activation")

MAX_COUNT = 1000  # random directions of one seed; the next seed's have higher numbers


def in_place_of(targets: Sequence[str], number: int, seed: int) -> pd.DataFrame:
    """Controls of directions (`CONTROLS`): so many random ones of the same length for each.

    Args:
        targets: Names of directions.
        number: Random directions for each.
        seed: Decides which ones.
    """
    rows = []
    for target in targets:
        direction = parse_direction(target)
        for at in range(number):
            control = replace(direction, random=seed * MAX_COUNT + at)
            rows.append(
                {
                    "target": target,
                    "control": str(control),
                    "kind": "direction",
                    "layer": direction.layer,
                }
            )
    return table_of(rows)


def table_of(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """A `CONTROLS` table of rows; numbers that a row does not give are null."""
    frame = pd.DataFrame(rows, columns=list(CONTROLS.columns))
    numbers = [name for name, column in CONTROLS.columns.items() if column.type == "float"]
    return frame.astype({"layer": "Int64", "neuron": "Int64", **dict.fromkeys(numbers, "float64")})


def closeness(controls: pd.DataFrame) -> str:
    """How like their targets control neurons are, in words; of several targets the farthest.

    The standardised difference of a target is the mean of a difference over its controls: below
    0.1 SD is commonly called balanced. Empty where no size is known.

    Args:
        controls: A `CONTROLS` table.
    """
    neurons = controls[controls["kind"] == "neuron"]
    said = []
    for size in SIZES:
        each = neurons.groupby("target")[f"{size}_difference"].mean().dropna().tolist()
        said += [f"{size} {max(each, key=abs):+.2f}"] if each else []
    return f"standardised difference from the target: {listed(said)} SD" if said else ""
