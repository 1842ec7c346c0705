"""Areas of scores on the split test, with intervals and permuted labels (table `HELDOUT`)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64
from scipy.stats import rankdata

from clampsweep.studies.backtracking.auc import auc, counts, drawn, interval, weights
from clampsweep.studies.backtracking.probes import Parts
from clampsweep.studies.backtracking.ranking import Labels
from clampsweep.studies.backtracking.splits import DISCOVER, SELECT, TEST
from clampsweep.tables import Column, Schema

PERMUTATIONS = 999  # labels of the split test, for p

HELDOUT = Schema(
    "backtracking heldout",
    {
        "position_kind": Column("str", "pre, pred, onset or window"),
        "method": Column("str", "what gives the score; or two whose areas are compared"),
        "k": Column("int", "neurons that it uses; 0 where it uses none"),
        "n1": Column("int", "events of the split test"),
        "n0": Column("int", "their controls"),
        "n_problems": Column("int", "problems that they come from"),
        "estimate": Column("float", "area, 0..1; of a comparison the difference of areas"),
        "low": Column("float", "95 % interval over problems, lower end", null=True),
        "high": Column("float", "upper end", null=True),
        "null": Column("float", "what it would be if the score said nothing"),
        "p": Column(
            "float", "labels permuted within matches; of a comparison by the draws", null=True
        ),
        "layer": Column("int", "layer of a direction or probe", null=True),
    },
    key=("position_kind", "method", "k"),
)


class Held:
    """Samples of a contrast, and areas on its split test.

    Args:
        kind: The position kind.
        samples: Rows of `SAMPLES`: events and controls of all splits.
        seed: Of draws of problems and of permuted labels.
    """

    def __init__(self, kind: str, samples: pd.DataFrame, seed: int):
        self.kind, self.samples = kind, samples
        split, self.y = samples["split"], samples["y"].to_numpy() == 1
        self.discover, self.select, self.test = (
            (split == name).to_numpy() for name in (DISCOVER, SELECT, TEST)
        )
        self.parts = Parts(self.y, self.discover, self.select)
        own = samples[self.test]
        self.own_y = self.y[self.test]
        self._problems = pd.factorize(own["problem_id"])[0]
        self._times = weights(len(set(self._problems)), seed)
        self._labels = Labels.of(own, PERMUTATIONS, seed).permuted

    def row(
        self,
        method: str,
        scores: Float[np.ndarray, " sample"],
        k: int = 0,
        layer: int | None = None,
    ) -> dict[str, Any]:
        """The area of a score on the split test."""
        own = np.asarray(scores)[self.test]
        area = float(auc(own, self.own_y))
        low, high = interval(drawn(counts(own, self.own_y, self._problems), self._times))
        others = self._permuted(own)
        p = (1 + int((others >= area - 1e-12).sum())) / (1 + len(others))
        return self.made(method, k, area, low, high, 0.5, p) | {"layer": layer}

    def _permuted(self, own: Float[np.ndarray, " sample"]) -> Float64[np.ndarray, " draw"]:
        """The area under each of the permuted labels, which all have as many events."""
        n1, n0 = int(self.own_y.sum()), int((~self.own_y).sum())
        sums: np.ndarray = self._labels @ rankdata(own)
        return (sums - n1 * (n1 + 1) / 2) / (n1 * n0)

    def difference(
        self, method: str, first: np.ndarray, second: np.ndarray, k: int = 0
    ) -> dict[str, Any]:
        """How much larger the area of the first score is than that of the second."""
        both = [
            counts(np.asarray(one)[self.test], self.own_y, self._problems)
            for one in (first, second)
        ]
        gaps = drawn(both[0], self._times) - drawn(both[1], self._times)
        areas = [float(auc(np.asarray(one)[self.test], self.own_y)) for one in (first, second)]
        low, high = interval(gaps)
        known = gaps[~np.isnan(gaps)]
        p = 2 * min((known <= 0).mean(), (known >= 0).mean())
        p = min(1.0, max(float(p), 1 / len(known)))
        return self.made(method, k, areas[0] - areas[1], low, high, 0.0, p)

    def made(
        self, method: str, k: int, estimate: float, low: float, high: float, null: float, p: Any
    ) -> dict[str, Any]:
        """A row of `HELDOUT`."""
        return {
            "position_kind": self.kind,
            "method": method,
            "k": k,
            "n1": int(self.own_y.sum()),
            "n0": int((~self.own_y).sum()),
            "n_problems": len(set(self._problems)),
            "estimate": estimate,
            "low": low,
            "high": high,
            "null": null,
            "p": p,
            "layer": None,
        }
