"""Ranking of a contrast, and what its top neurons are worth on events that nobody has looked at.

Neurons are ranked on the split discover and frozen. Their score is the mean of their standardised
activations, each turned by its sign. The same is done with labels permuted on the split discover:
what selection alone gives.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from clampsweep.studies.backtracking.auc import auc
from clampsweep.studies.backtracking.captured import Captured
from clampsweep.studies.backtracking.held_areas import HELDOUT, Held
from clampsweep.studies.backtracking.pools import EVENT, SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.position_kinds import KINDS
from clampsweep.studies.backtracking.probes import bare, fitted
from clampsweep.studies.backtracking.ranking import NEURONS, Labels, Ranked, rank
from clampsweep.studies.backtracking.sampling import enough, main
from clampsweep.studies.backtracking.seen import Seen
from clampsweep.studies.backtracking.splits import SPLITS, TEST
from clampsweep.tables import Column, Schema

log = logging.getLogger(__name__)

TOP, CONFIRMED, PERMUTED = "top neurons", "confirmed neurons", "permuted labels"
DIRECTION, PROBE, SPARSE = "residual direction", "residual probe", "sparse probe"
BEFORE = ("token before", "position")  # what is known at the last token, of scores without a model
SIZES = (1, 5, 20, 100)
_LEVEL = 0.05

DIRECTIONS = Schema(
    "backtracking directions",
    {
        "position_kind": Column("str", "pre, pred, onset or window"),
        "layer": Column("int", "layer after which the residual stream is read"),
        "vector": Column("vector", "mean at events less mean at controls, discover"),
    },
    key=("position_kind",),
)


class RankedKind(NamedTuple):
    """What a position kind gives: rows of `NEURONS`, of `HELDOUT` and of `DIRECTIONS`."""

    neurons: pd.DataFrame
    heldout: list[dict[str, Any]]
    direction: dict[str, Any]


class RankedContrast(NamedTuple):
    """Tables of a contrast; without rows where there are too few events."""

    neurons: pd.DataFrame
    heldout: pd.DataFrame
    directions: pd.DataFrame


def rank_contrast(
    captured: Captured,
    n_layers: int,
    samples: pd.DataFrame,
    minimum: tuple[int, int],
    permutations: int,
    top: int,
    seed: int,
) -> RankedContrast:
    """Tables `NEURONS`, `HELDOUT` and `DIRECTIONS` of a contrast, all position kinds.

    Args:
        captured: Activations.
        n_layers: Layers of the model.
        samples: `SAMPLES` of the contrast.
        minimum: Events, and problems that they come from, that each split needs.
        permutations: Of labels.
        top: Neurons of the set that is tested.
        seed: Of permutations and draws.
    """
    schemas = NEURONS, HELDOUT, DIRECTIONS
    if said := enough(main(samples), SPLITS, *minimum):
        log.info("no ranking: %s", said)
        return RankedContrast(*(pd.DataFrame(columns=list(one.columns)) for one in schemas))
    found = [
        rank_kind(captured, n_layers, kind, samples, permutations, top, seed) for kind in KINDS
    ]
    heldout = pd.DataFrame([row for one in found for row in one.heldout])
    return RankedContrast(
        pd.concat([one.neurons for one in found], ignore_index=True),
        heldout.astype({"layer": "Int64"})[list(HELDOUT.columns)],
        pd.DataFrame([one.direction for one in found]),
    )


def rank_kind(
    captured: Captured,
    n_layers: int,
    kind: str,
    samples: pd.DataFrame,
    permutations: int,
    top: int,
    seed: int,
) -> RankedKind:
    """Rank all neurons at a position kind, and test the top ones and what they are held against.

    Args:
        captured: Activations.
        n_layers: Layers of the model.
        kind: The position kind.
        samples: `SAMPLES` of a contrast.
        permutations: Of labels.
        top: Neurons of the set that is tested.
        seed: Of permutations and draws.
    """
    held = Held(kind, main(samples), seed)
    seen = Seen(held, samples)
    labels = Labels.of(held.samples[held.discover], permutations, seed)
    ranked = rank(seen.layers(captured, n_layers), labels, top)
    neurons = seen.with_held_out(ranked.neurons)
    rows = list(_neuron_rows(held, seen, neurons, ranked, top))
    plain = bare(held.samples, held.parts)
    direction, probe = seen.best(seen.directions), seen.best(seen.probes)
    rows += [
        held.row(DIRECTION, direction.scores, layer=direction.layer),
        held.row(PROBE, probe.scores, layer=probe.layer),
        *(held.row(name, scores) for name, scores in plain.items()),
    ]
    own = seen.composite(_order(neurons)[:top])[seen.main]
    others = {DIRECTION: direction.scores, **{name: plain[name] for name in BEFORE}}
    rows += [
        held.difference(f"{TOP} less {name}", own, scores, top) for name, scores in others.items()
    ]
    found = {"position_kind": kind, "layer": direction.layer, "vector": direction.direction}
    return RankedKind(neurons.assign(position_kind=kind)[list(NEURONS.columns)], rows, found)


def _order(neurons: pd.DataFrame) -> pd.DataFrame:
    return neurons.sort_values("rank")


def confirmed(neurons: pd.DataFrame) -> pd.DataFrame:
    """Neurons that survive both corrections, and point the same way on the split select."""
    sure = (neurons["q"] < _LEVEL) & (neurons["p_max"] < _LEVEL) & (neurons["auc_select"] > 0.5)
    return _order(neurons[sure])


def _neuron_rows(
    held: Held, seen: Seen, neurons: pd.DataFrame, ranked: Ranked, top: int
) -> Iterator[dict[str, Any]]:
    """Rows of neurons: of each size, confirmed, with permuted labels, sparse probes, hard ones."""
    order, sure = _order(neurons), confirmed(neurons)
    for k in sorted({*SIZES, top}):
        yield held.row(TOP, seen.composite(order[:k])[seen.main], k)
        yield held.row(SPARSE, fitted(seen.columns(order[:k])[seen.main], held.parts)[0], k)
    if len(sure):
        own = seen.composite(sure[:100])[seen.main]
        yield held.row(CONFIRMED, own, min(100, len(sure)))
    areas = []
    for places, signs in zip(ranked.permuted, ranked.signs, strict=True):
        own = seen.composite(neurons.iloc[places].assign(sign=signs))[seen.main]
        areas.append(float(auc(own[held.test], held.own_y)))
    low, high = np.percentile(areas, [2.5, 97.5])
    yield held.made(PERMUTED, top, float(np.mean(areas)), float(low), float(high), 0.5, None)
    for name in (UNMARKED, SPURIOUS):
        yield from _hard(held.kind, seen, order[:top], name)


def _hard(kind: str, seen: Seen, neurons: pd.DataFrame, control: str) -> Iterator[dict[str, Any]]:
    """The area of events against hard controls of a kind, if there are any in the split test."""
    samples = seen.samples
    matched = samples.loc[samples["control_kind"] == control, "match_id"]
    both = samples["control_kind"].isin([EVENT, control]) & samples["match_id"].isin(matched)
    if not (both & (samples["split"] == TEST)).any():
        return
    hard = Held(kind, samples[both].reset_index(drop=True), 0)
    scores = seen.composite(neurons)[both.to_numpy()]
    yield hard.row(f"{TOP} against {control}", scores, len(neurons))
