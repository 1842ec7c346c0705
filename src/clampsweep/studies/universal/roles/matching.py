"""Controls of candidates: neurons of the same layer that are like them, or any of some layers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from clampsweep.studies.universal.roles.tables import CONTROLS, MATCHED, PLAIN

_COLUMNS = ("layer", "neuron", "like_neuron", "distance", "sign")


def matched(candidates: pd.DataFrame, pool: pd.DataFrame, number: int, role: str) -> pd.DataFrame:
    """Rows of `CONTROLS`: the nearest neurons of the candidates' layers, the candidates in turn.

    Nearness is Euclidean, of the logarithms of w_out_norm and size, each in standard deviations
    over the layer's pool. No neuron is the control of two candidates.

    Args:
        candidates: `layer`, `neuron`, `w_out_norm`, `size`.
        pool: The same and `sign` of the neurons that may be controls; candidates are left out.
        number: Controls of all candidates together; fewer if the pool has no more.
        role: Of the candidates.
    """
    waiting = [_nearest(one, pool, candidates) for one in candidates.itertuples()]
    taken: dict[tuple[int, int], list[object]] = {}
    while len(taken) < number and any(map(len, waiting)):
        for order in waiting:
            while order and (order[0][0], order[0][1]) in taken:
                order.pop(0)
            if order and len(taken) < number:
                row = order.pop(0)
                taken[row[0], row[1]] = [*row]
    return _rows(taken.values(), role, MATCHED)


def _nearest(one: object, pool: pd.DataFrame, candidates: pd.DataFrame) -> list[tuple]:  # type: ignore[type-arg]
    """Neurons of a candidate's layer as rows of `_COLUMNS`, from near to far."""
    layer, neuron = one.layer, one.neuron  # type: ignore[attr-defined]
    own = pool[pool["layer"] == layer]
    own = own[~own["neuron"].isin(candidates.loc[candidates["layer"] == layer, "neuron"])]
    far = np.zeros(len(own))
    for name in ("w_out_norm", "size"):
        logs = np.log(np.maximum(own[name].to_numpy(float), np.finfo(float).tiny))
        wanted = np.log(max(getattr(one, name), np.finfo(float).tiny))
        spread = logs.std() if len(logs) else 0.0
        far += ((logs - wanted) / spread) ** 2 if spread > 0 else 0.0
    order = np.argsort(far, kind="stable")
    return [
        (layer, int(own["neuron"].iloc[at]), neuron, float(far[at] ** 0.5),
         int(own["sign"].iloc[at]))
        for at in order
    ]  # fmt: skip


def plain(pool: pd.DataFrame, number: int, role: str, seed: int) -> pd.DataFrame:
    """Rows of `CONTROLS`: neurons by lot.

    Args:
        pool: `layer`, `neuron`, `sign` of the neurons that may be drawn.
        number: How many; fewer if the pool has no more.
        role: Of the candidates.
        seed: Of the lot.
    """
    order = np.random.default_rng(seed).permutation(len(pool))[:number]
    rows = [
        (one.layer, one.neuron, None, None, one.sign)
        for one in pool.iloc[np.sort(order)].itertuples()
    ]
    return _rows(rows, role, PLAIN)


def _rows(rows: Iterable[Iterable[object]], role: str, kind: str) -> pd.DataFrame:
    table = pd.DataFrame([list(row) for row in rows], columns=list(_COLUMNS))
    table = table.assign(role=role, kind=kind)[list(CONTROLS.columns)]
    types = {"layer": "int64", "neuron": "int64", "like_neuron": "Int64", "sign": "int64"}
    return table.astype({**types, "distance": float})
