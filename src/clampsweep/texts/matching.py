"""Neurons like a given one: drawn by lot from those of its layer nearest in norm and activation.

Norm is that of the output weights, activation the root mean square of the post-activation; nearness
is the Euclidean distance of the logarithms of what is matched, each in standard deviations over the
layer. The draw is by digest, so that a larger number keeps the controls of a smaller one. A
direction control moves the residual stream as far as the target's clamp does, along a random
direction. A joint target's control changes a control of each of its neurons, or sends each along a
direction of its own; no two controls of a target have a neuron in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from clampsweep.errors import UserError, shown, whole
from clampsweep.names import Neuron, parse_target, target_name
from clampsweep.provenance import json_digest
from clampsweep.texts.control_table import MAX_COUNT, SIZES, table_of
from clampsweep.texts.selection import check_positions

POOL = 0.02  # share of the layer's neurons, the nearest ones, that controls are drawn from


def sizes_of(stats: pd.DataFrame, matching: Sequence[str]) -> pd.DataFrame:
    """Sizes of neurons to match by (layer, neuron, norm, activation), from their statistics.

    Args:
        stats: A `NEURON_STATS` table.
        matching: What will be matched.

    Raises:
        UserError: Activations are to be matched, and every baseline is empty.
    """
    if "activation" in matching:
        check_positions(stats)
    n = stats["n_positions"].clip(lower=1)
    variance = stats["sd"].fillna(0.0) ** 2 * (1 - 1 / n)
    activation = np.sqrt(stats["mean"] ** 2 + variance)
    return stats[["layer", "neuron"]].assign(norm=stats["w_out_norm"], activation=activation)


def choose(
    sizes: pd.DataFrame,
    targets: Sequence[str],
    number: int,
    seed: int,
    matching: Sequence[str],
    where: str = "matched neurons",
) -> pd.DataFrame:
    """Controls of every target (`CONTROLS`): so many neurons, and as many directions.

    Args:
        sizes: A row for each neuron of the targets' layers, from whatever table: `layer`, `neuron`,
            and what is matched, `norm` or `activation`. `sizes_of` makes them from `NEURON_STATS`.
        targets: Names of the targets.
        number: Control neurons of each target, and as many directions.
        seed: Decides which ones.
        matching: `norm`, `activation`, both or none; always of the same layer.
        where: How the line of an error begins, such as the config key of `number`.

    Raises:
        UserError: The layer has too few neurons that are no targets; or the size of a neuron that
            is to be matched is not known.
        TypeError, ValueError: An argument is of another kind, or not allowed.
    """
    _check_asked(sizes, targets, matching)
    number, seed = whole(where, number, 1), whole("seed", seed, 0)
    swept = {neuron.bare for target in targets for neuron in parse_target(target)}
    known = _known(sizes, matching, swept)
    layers = {layer: own.droplevel("layer") for layer, own in known.groupby("layer")}
    by_neuron = dict(zip(known.index, known.to_numpy(), strict=True))
    rows = []
    for target in targets:
        members = parse_target(target)
        orders = [_by_lot(layers[one.layer], one.bare, swept, seed, matching) for one in members]
        for drawn in _draw(orders, number, where):
            # Each takes the value of the neuron that it is like.
            pairs = zip(drawn, members, strict=True)
            like = tuple(replace(neuron, value=member.value) for (neuron, _), member in pairs)
            distance = float(np.sqrt(sum(far**2 for _, far in drawn)))
            rows.append(_row(by_neuron, target, "neuron", like, distance))
        for at in range(number):
            first = (seed * MAX_COUNT + at) * len(members)
            sent = tuple(replace(one, direction=first + k) for k, one in enumerate(members))
            rows.append(_row(by_neuron, target, "direction", sent, None))
    return table_of(rows)


def _check_asked(sizes: pd.DataFrame, targets: Sequence[str], matching: Sequence[str]) -> None:
    """Refuse one name where a list belongs, what cannot be matched, and a table without columns."""
    for what, given in (("targets", targets), ("matching", matching)):
        if isinstance(given, str):
            raise TypeError(f"{what}: got {shown(given)}; write a list, [{given!r}]")
    if unknown := [name for name in matching if name not in SIZES]:
        raise ValueError(f"matching: got {unknown[0]!r}; allowed: {', '.join(SIZES)}, or none")
    missing = [name for name in ("layer", "neuron", *matching) if name not in sizes]
    if missing:
        raise ValueError(f"sizes: lacks the column {missing[0]!r}; `sizes_of` makes such a table")


def _known(sizes: pd.DataFrame, matching: Sequence[str], swept: set[Neuron]) -> pd.DataFrame:
    """Sizes in the targets' layers, as they are and as logarithms in SDs over the layer.

    By layer and neuron: `norm`, `activation`, `norm_sds`, `activation_sds`; nan if not known.
    """
    own = sizes[sizes["layer"].isin({one.layer for one in swept})]
    known = own.set_index(["layer", "neuron"]).reindex(columns=list(SIZES)).astype(float)
    for name in matching:
        for layer, index in known.index[~(np.isfinite(known[name]) & (known[name] >= 0))]:
            which = Neuron(layer, index)
            raise UserError(f"matching by {name}: that of {which} is not known; leave {name} out")
    for one in sorted(swept):
        if (one.layer, one.index) not in known.index:
            raise UserError(f"the size of {one} is not known; give a row for each neuron")
    logs = known.apply(_logs)
    spread = logs.groupby("layer").transform("std")
    apart = (logs / spread).where(spread > 0, logs * 0.0)  # all alike: no difference
    return pd.concat([known, apart.add_suffix("_sds")], axis=1)


def _by_lot(
    layer: pd.DataFrame, target: Neuron, swept: set[Neuron], seed: int, matching: Sequence[str]
) -> Iterator[tuple[Neuron, float]]:
    """Neurons of a layer that are no targets, with their distance from one that is.

    The nearest ones come first, by lot; then the rest, from near to far.
    """
    distance = _distance(layer, target.index, matching)
    elsewhere = [one.index for one in swept if one.layer == target.layer]
    free = distance.drop(index=elsewhere).sort_values(kind="stable")
    n_near = round(POOL * len(layer)) if matching else len(free)
    lots = {at: json_digest([seed, str(target), int(at)]) for at in free.index[:n_near]}
    order = [*sorted(lots, key=lots.__getitem__), *free.index[n_near:]]
    far = free.to_dict()
    return ((Neuron(target.layer, int(at)), far[at]) for at in order)


def _draw(
    orders: Sequence[Iterator[tuple[Neuron, float]]], number: int, where: str
) -> Iterator[list[tuple[Neuron, float]]]:
    """So many controls, each the first neuron of every order that none has yet."""
    taken: set[Neuron] = set()
    for done in range(number):
        control: list[tuple[Neuron, float]] = []
        for order in orders:  # what one has passed over is taken, and stays so
            found = next((one for one in order if one[0] not in taken), None)
            if found is None:
                raise UserError(
                    f"{where}: got {number}; the targets leave neurons for {done} controls "
                    "in their layer; write no more than these, or sweep fewer neurons"
                )
            taken.add(found[0])
            control.append(found)
        yield control


def _logs(size: pd.Series[float]) -> pd.Series[float]:
    """Logarithms of sizes, that of 0 far below the others."""
    return pd.Series(np.log(np.maximum(size, np.finfo(float).tiny)), index=size.index)


def _distance(layer: pd.DataFrame, neuron: int, matching: Sequence[str]) -> pd.Series[float]:
    """How far each neuron of a layer is from one of them, in standard deviations."""
    total = pd.Series(0.0, index=layer.index)
    for name in matching:
        size = _logs(layer[name])
        spread = float(size.std())
        total += ((size - size[neuron]) / spread) ** 2 if spread > 0 else 0.0
    return total**0.5


def _row(
    sizes: Mapping[tuple[int, int], np.ndarray],
    target: str,
    kind: str,
    members: tuple[Neuron, ...],
    distance: float | None,
) -> dict[str, object]:
    """One control; magnitudes of a joint one are root sums of squares, differences means."""
    like, own = (
        np.array([sizes[one.layer, one.index] for one in neurons])  # [neuron, as in _known]
        for neurons in (members, parse_target(target))
    )
    single = members[0] if len(members) == 1 else None
    lengths, own_lengths = (np.sqrt((each[:, :2] ** 2).sum(0)) for each in (like, own))
    apart = (like - own)[:, 2:].mean(0) if kind == "neuron" else (None, None)
    return {
        "target": target,
        "control": target_name(members),
        "kind": kind,
        "layer": single and single.layer,
        "neuron": single and single.index,
        "w_out_norm": lengths[0],
        "activation_rms": lengths[1],
        "target_w_out_norm": own_lengths[0],
        "target_activation_rms": own_lengths[1],
        "distance": distance,
        "norm_difference": apart[0],
        "activation_difference": apart[1],
    }
