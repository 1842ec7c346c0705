"""Ranking of a contrast, and what its top neurons are worth on events that nobody has looked at.

Neurons are ranked on the split discover and frozen. Their score is the mean of their standardised
activations, each turned by its sign. The same is done with labels permuted on the split discover:
what selection alone gives.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from clampsweep.studies.backtracking.auc import auc
from clampsweep.studies.backtracking.captured import Captured
from clampsweep.studies.backtracking.held_areas import Held
from clampsweep.studies.backtracking.probes import (
    LayerScore,
    bare,
    direction_score,
    fitted,
    probe_score,
)
from clampsweep.studies.backtracking.ranking import NEURONS, Labels, Ranked, rank
from clampsweep.studies.backtracking.sampling import EVENT, OTHER, SAME, SPURIOUS, UNMARKED
from clampsweep.studies.backtracking.traces import SELECT, TEST
from clampsweep.tables import Column, Schema

log = logging.getLogger(__name__)

TOP, CONFIRMED, PERMUTED = "top neurons", "confirmed neurons", "permuted labels"
DIRECTION, PROBE, SPARSE = "residual direction", "residual probe", "sparse probe"
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


class Found(NamedTuple):
    """What a position kind gives: rows of `NEURONS`, of `HELDOUT` and of `DIRECTIONS`."""

    neurons: pd.DataFrame
    heldout: list[dict[str, Any]]
    direction: dict[str, Any]


def main(samples: pd.DataFrame) -> pd.DataFrame:
    """Events and the controls that are matched with them; hard controls are left out."""
    kept = samples[samples["control_kind"].isin([EVENT, SAME, OTHER])]
    return kept.reset_index(drop=True)


def rank_kind(
    captured: Captured,
    n_layers: int,
    kind: str,
    samples: pd.DataFrame,
    permutations: int,
    top: int,
    seed: int,
) -> Found:
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
    seen = _Seen(held, samples)
    labels = Labels.of(held.samples[held.discover], permutations, seed)
    ranked = rank(seen.layers(captured, n_layers), labels, top)
    neurons = seen.with_held_out(ranked.neurons)
    rows = list(_neuron_rows(held, seen, neurons, ranked, top))
    direction, probe = seen.best(seen.directions), seen.best(seen.probes)
    rows += [
        held.row(DIRECTION, direction.scores, layer=direction.layer),
        held.row(PROBE, probe.scores, layer=probe.layer),
        *(held.row(name, scores) for name, scores in bare(held.samples, held.parts).items()),
    ]
    own = seen.composite(_order(neurons)[:top])[seen.main]
    rows += [
        held.difference(f"{TOP} less {DIRECTION}", own, direction.scores, top),
        held.difference(
            f"{TOP} less next token", own, bare(held.samples, held.parts)["next token"], top
        ),
    ]
    found = {"position_kind": kind, "layer": direction.layer, "vector": direction.direction}
    return Found(neurons.assign(position_kind=kind)[list(NEURONS.columns)], rows, found)


class _Seen:
    """One pass over the layers, and what is kept of it.

    Args:
        held: Events and their controls.
        samples: All of the contrast, hard controls too.
    """

    def __init__(self, held: Held, samples: pd.DataFrame):
        self._held, self.samples = held, samples
        self.main = samples["control_kind"].isin([EVENT, SAME, OTHER]).to_numpy()
        self._areas: dict[str, list[np.ndarray]] = {SELECT: [], TEST: []}
        self._posts: list[np.ndarray] = []  # of each layer [sample, neuron], in single precision
        self.directions: list[LayerScore] = []
        self.probes: list[LayerScore] = []

    def layers(
        self, captured: Captured, n_layers: int
    ) -> Iterator[Float[np.ndarray, "sample neuron"]]:
        """Each layer's post-activations at the samples of the split discover."""
        held = self._held
        for number in range(n_layers):
            (layer,) = captured.layer(number, [held.kind], self.samples)
            post, residual = layer.post[self.main], layer.residual[self.main]
            self._posts.append(layer.post)
            for name, part in ((SELECT, held.select), (TEST, held.test)):
                self._areas[name].append(auc(post[part], held.y[part]))
            self.directions.append(direction_score(number, residual, held.parts))
            self.probes.append(probe_score(number, residual, held.parts))
            log.info("%s: layer %d of %d", held.kind, number + 1, n_layers)
            yield post[held.discover]

    def with_held_out(self, neurons: pd.DataFrame) -> pd.DataFrame:
        """The neurons with their areas on the other splits, turned by sign."""
        sign = neurons["sign"].to_numpy()
        areas = {name: np.concatenate(parts) for name, parts in self._areas.items()}
        turned = {name: np.where(sign > 0, area, 1 - area) for name, area in areas.items()}
        return neurons.assign(auc_select=turned[SELECT], auc_test=turned[TEST])

    def best(self, scores: Sequence[LayerScore]) -> LayerScore:
        """The layer that does best on the split select."""
        return max(scores, key=lambda one: one.chosen_by)

    def columns(self, neurons: pd.DataFrame) -> Float[np.ndarray, "sample neuron"]:
        """Post-activations of some neurons at all samples of the contrast."""
        places = zip(neurons["layer"], neurons["neuron"], strict=True)
        return np.stack([self._posts[layer][:, index] for layer, index in places], axis=1)

    def composite(self, neurons: pd.DataFrame) -> Float64[np.ndarray, " sample"]:
        """Mean of standardised activations, each turned by its sign, at all samples."""
        values = self.columns(neurons).astype(float)
        known = values[self.main][self._held.discover]
        spread = known.std(0)
        spread[spread == 0] = 1.0
        turned = (values - known.mean(0)) / spread * neurons["sign"].to_numpy()
        scores: np.ndarray = turned.mean(1)
        return scores


def _order(neurons: pd.DataFrame) -> pd.DataFrame:
    return neurons.sort_values("rank")


def confirmed(neurons: pd.DataFrame) -> pd.DataFrame:
    """Neurons that survive both corrections, and point the same way on the split select."""
    sure = (neurons["q"] < _LEVEL) & (neurons["p_max"] < _LEVEL) & (neurons["auc_select"] > 0.5)
    return _order(neurons[sure])


def _neuron_rows(
    held: Held, seen: _Seen, neurons: pd.DataFrame, ranked: Ranked, top: int
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


def _hard(kind: str, seen: _Seen, neurons: pd.DataFrame, control: str) -> Iterator[dict[str, Any]]:
    """The area of events against hard controls of a kind, if there are any in the split test."""
    samples = seen.samples
    matched = samples.loc[samples["control_kind"] == control, "match_id"]
    both = samples["control_kind"].isin([EVENT, control]) & samples["match_id"].isin(matched)
    if not (both & (samples["split"] == TEST)).any():
        return
    hard = Held(kind, samples[both].reset_index(drop=True), 0)
    scores = seen.composite(neurons)[both.to_numpy()]
    yield hard.row(f"{TOP} against {control}", scores, len(neurons))
