"""Sets of neurons that are changed: the top ones, the last ones, and matched random sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float64

from clampsweep.names import Neuron, target_name
from clampsweep.tables import Column, Schema

TOP, BOTTOM, RANDOM = "top", "bottom", "random"
_DECILES = 10
_FEW = 10  # random sets of a size that is not the tested one

SETS = Schema(
    "backtracking sets",
    {
        "set_kind": Column("str", "top, bottom or random"),
        "k": Column("int", "neurons in it"),
        "draw": Column("int", "number of a random set; 0 otherwise"),
        "member": Column("int", "place in the set, from 0"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "index in the layer"),
        "mean1": Column("float", "mean post-activation at events, discover"),
        "mean0": Column("float", "at controls"),
    },
    key=("set_kind", "k", "draw", "member"),
)


def sets(
    neurons: pd.DataFrame,
    norms: Float64[np.ndarray, "layer neuron"],
    sizes: Sequence[int],
    top: int,
    draws: int,
    seed: int,
) -> pd.DataFrame:
    """The table `SETS`: of each size the top and the last neurons by rank, and random ones.

    A random set has, for each neuron of the top set, another of the same layer and of the same
    tenth of the layer by mean |activation| times output norm, none of them among the top 100, or
    in a model of up to 1,000 neurons among the top set. Of more than half of all there is none.

    Args:
        neurons: `NEURONS` of a position kind.
        norms: Length of each neuron's output.
        sizes: Sizes of sets.
        top: The size that is tested, with `draws` random sets; others have 10 at most.
        draws: Random sets.
        seed: Of the draws.
    """
    order = neurons.sort_values("rank").reset_index(drop=True)
    layers, indices = order["layer"].to_numpy(), order["neuron"].to_numpy()
    effect = order["size0"].to_numpy() * norms[layers, indices]
    tenth = _tenths(effect, layers)
    sizes = sorted({min(size, len(order)) for size in (*sizes, top)})
    rng = np.random.default_rng(seed)
    parts = []
    for size in sizes:
        parts.append(_part(order[:size], TOP, size, 0))
        parts.append(_part(order[-size:], BOTTOM, size, 0))
        n = draws if size == top else min(draws, _FEW)
        for draw in range(n if 2 * size <= len(order) else 0):
            members = _drawn(layers, tenth, size, rng)
            parts.append(_part(order.iloc[members], RANDOM, size, draw))
    return pd.concat(parts, ignore_index=True)[list(SETS.columns)]


def _tenths(effect: np.ndarray, layers: np.ndarray) -> np.ndarray:
    """Which tenth of its layer each neuron is in, by effect; from 0."""
    by_layer = pd.Series(effect).groupby(layers)
    below = by_layer.rank(method="first").to_numpy() - 1
    found: np.ndarray = (below * _DECILES // by_layer.transform("size").to_numpy()).astype(int)
    return found


def _drawn(layers: np.ndarray, tenth: np.ndarray, size: int, rng: np.random.Generator) -> list[int]:
    """A neuron like each of the first `size`, no two the same, none of the first hundred."""
    taken: set[int] = set(range(max(100, size)) if len(layers) > 1000 else range(size))
    found = []
    for member in range(size):
        like = np.flatnonzero((layers == layers[member]) & (tenth == tenth[member]))
        free = [one for one in like.tolist() if one not in taken]
        if not free:  # as in a layer that the top neurons fill
            near = np.flatnonzero(layers == layers[member]).tolist()
            free = [one for one in near if one not in taken]
        if not free:
            free = [one for one in range(len(layers)) if one not in taken]
        chosen = int(rng.choice(free))
        taken.add(chosen)
        found.append(chosen)
    return found


def _part(rows: pd.DataFrame, kind: str, size: int, draw: int) -> pd.DataFrame:
    return rows[["layer", "neuron", "mean1", "mean0"]].assign(
        set_kind=kind, k=size, draw=draw, member=range(len(rows))
    )


def no_sets() -> pd.DataFrame:
    """The table `SETS` of a contrast without a ranking."""
    return pd.DataFrame(columns=list(SETS.columns))


def names(table: pd.DataFrame, top: int, random_sets: int) -> list[str]:
    """Names of targets: the top set, and random ones like it; none of an empty table.

    Args:
        table: A `SETS` table.
        top: Size of the set.
        random_sets: How many random ones.
    """
    own = table[(table["k"] == top) & (table["draw"] < random_sets)]
    found = []
    for kind in (TOP, RANDOM):
        for _, members in own[own["set_kind"] == kind].groupby("draw"):
            pairs = zip(members["layer"], members["neuron"], strict=True)
            found.append(target_name(tuple(Neuron(int(a), int(b)) for a, b in pairs)))
    return found
