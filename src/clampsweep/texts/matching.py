"""Neurons like a given one: drawn by lot from those of its layer nearest in norm and activation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from clampsweep.errors import UserError
from clampsweep.names import Neuron, parse_direction, parse_target, target_name
from clampsweep.provenance import json_digest
from clampsweep.tables import Column, Schema
from clampsweep.texts.selection import check_positions

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
            "float", "how far from the target in these two, in SDs over the layer", null=True
        ),
    },
    key=("target", "control"),
)

POOL = 0.02  # share of the layer's neurons, the nearest ones, that controls are drawn from

MAX_COUNT = 1000  # random directions of one seed; the next seed's have higher numbers


def choose(
    stats: pd.DataFrame, targets: Sequence[str], number: int, seed: int, matching: Sequence[str]
) -> pd.DataFrame:
    """Controls of every target (`CONTROLS`): so many neurons, and as many directions.

    A control neuron is drawn from those of the target's layer that are nearest to it in what is
    matched: the logarithms of the norm of the output weights and of the root mean square of the
    post-activation over the baselines, each in standard deviations over the layer (Euclidean
    distance). The draw is by digest, so that a larger count keeps the controls of a smaller one.
    A direction control moves the residual stream as far as the target's clamp does, along a random
    direction. A joint target's control changes a control of each of its neurons, or sends each
    along a direction of its own; no two controls of a target have a neuron in common.

    Args:
        stats: A `NEURON_STATS` table.
        targets: Names of the targets.
        number: Control neurons of each target, and as many directions.
        seed: Decides which ones.
        matching: `norm`, `activation`, both or none.

    Raises:
        UserError: The layer has too few neurons that are no targets; or every baseline is empty,
            and activations are to be matched.
    """
    if "activation" in matching:
        check_positions(stats)
    sizes = _sizes(stats)
    swept = {neuron for target in targets for neuron in parse_target(target)}
    rows = []
    for target in targets:
        members = parse_target(target)
        orders = [_by_lot(sizes, member, swept, seed, matching) for member in members]
        for drawn in _draw(orders, number):
            like = tuple(neuron for neuron, _ in drawn)
            distance = float(np.sqrt(sum(far**2 for _, far in drawn)))
            rows.append(_row(sizes, target, "neuron", like, distance))
        for at in range(number):
            first = (seed * MAX_COUNT + at) * len(members)
            sent = tuple(replace(one, direction=first + k) for k, one in enumerate(members))
            rows.append(_row(sizes, target, "direction", sent, None))
    frame = pd.DataFrame(rows, columns=list(CONTROLS.columns))
    return frame.astype({"layer": "Int64", "neuron": "Int64", "distance": "float64"})


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
    frame = pd.DataFrame(rows, columns=list(CONTROLS.columns))
    sizes = [name for name, column in CONTROLS.columns.items() if column.type == "float"]
    return frame.astype({"layer": "Int64", "neuron": "Int64"} | dict.fromkeys(sizes, "float64"))


def _sizes(stats: pd.DataFrame) -> pd.DataFrame:
    """Norm of the output weights and root mean square activation, by layer and neuron."""
    n = stats["n_positions"].clip(lower=1)
    variance = stats["sd"].fillna(0.0) ** 2 * (1 - 1 / n)
    square = stats["mean"] ** 2 + variance
    sizes = stats[["layer", "neuron"]].assign(norm=stats["w_out_norm"], activation=np.sqrt(square))
    return sizes.set_index(["layer", "neuron"])


def _by_lot(
    sizes: pd.DataFrame, target: Neuron, swept: set[Neuron], seed: int, matching: Sequence[str]
) -> list[tuple[Neuron, float]]:
    """Neurons of a layer that are no targets, with their distance from one that is.

    The nearest ones come first, by lot; then the rest, from near to far.
    """
    layer = sizes.loc[[target.layer]].droplevel("layer")
    distance = _distance(layer, target.index, matching)
    elsewhere = [one.index for one in swept if one.layer == target.layer]
    free = distance.drop(index=elsewhere).sort_values(kind="stable")
    n_near = round(POOL * len(layer)) if matching else len(free)
    lots = {at: json_digest([seed, str(target), int(at)]) for at in free.index[:n_near]}
    order = [*sorted(lots, key=lots.__getitem__), *free.index[n_near:]]
    return [(Neuron(target.layer, int(at)), float(free[at])) for at in order]


def _draw(
    orders: Sequence[Sequence[tuple[Neuron, float]]], number: int
) -> Iterator[list[tuple[Neuron, float]]]:
    """So many controls, each the first neuron of every order that none has yet."""
    taken: set[Neuron] = set()
    for done in range(number):
        control: list[tuple[Neuron, float]] = []
        for order in orders:
            found = next((one for one in order if one[0] not in taken), None)
            if found is None:
                raise UserError(
                    f"controls.count: got {number}; the targets leave neurons for {done} controls "
                    "in their layer; write no more than these, or sweep fewer neurons"
                )
            taken.add(found[0])
            control.append(found)
        yield control


def _distance(layer: pd.DataFrame, neuron: int, matching: Sequence[str]) -> pd.Series[float]:
    """How far each neuron of a layer is from one of them, in standard deviations."""
    total = pd.Series(0.0, index=layer.index)
    for name in matching:
        size = np.log(layer[name].clip(lower=np.finfo(float).tiny))
        spread = float(size.std())
        total += ((size - size[neuron]) / spread) ** 2 if spread > 0 else 0.0
    return total**0.5


def _row(
    sizes: pd.DataFrame,
    target: str,
    kind: str,
    members: tuple[Neuron, ...],
    distance: float | None,
) -> dict[str, object]:
    """One control; magnitudes of a joint one are root sums of squares."""
    own = sizes.loc[[(one.layer, one.index) for one in parse_target(target)]]
    like = sizes.loc[[(one.layer, one.index) for one in members]]
    single = members[0] if len(members) == 1 else None
    return {
        "target": target,
        "control": target_name(members),
        "kind": kind,
        "layer": single and single.layer,
        "neuron": single and single.index,
        "w_out_norm": _root_sum(like, "norm"),
        "activation_rms": _root_sum(like, "activation"),
        "target_w_out_norm": _root_sum(own, "norm"),
        "target_activation_rms": _root_sum(own, "activation"),
        "distance": distance,
    }


def _root_sum(rows: pd.DataFrame, name: str) -> float:
    return float(np.linalg.norm(rows[name]))
