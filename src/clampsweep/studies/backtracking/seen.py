"""One pass over the layers at the samples of a contrast, and the scores that come of it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64

from clampsweep.studies.backtracking.auc import auc
from clampsweep.studies.backtracking.captured import Captured
from clampsweep.studies.backtracking.held_areas import Held
from clampsweep.studies.backtracking.probes import LayerScore, direction_score, probe_score
from clampsweep.studies.backtracking.sampling import matched
from clampsweep.studies.backtracking.splits import SELECT, TEST

log = logging.getLogger(__name__)


class Seen:
    """One pass over the layers, and what is kept of it.

    Args:
        held: Events and their controls.
        samples: All of the contrast, hard controls too.
    """

    def __init__(self, held: Held, samples: pd.DataFrame):
        self._held, self.samples = held, samples
        self.main = matched(samples).to_numpy()
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
            layer = captured.layer(number, held.kind, self.samples)
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
