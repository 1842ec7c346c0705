"""Made-up interventions: what candidates do beyond their controls is put in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from clampsweep.studies.universal.roles.rows import table

ENTROPY = ("log_scale", "entropy", "reciprocal_rank", "loss")
VALUES = (-6.0, 0.0, 6.0)


def rows(n_candidates: int = 5, effect: float = 1.0, rank: float = 0.0) -> pd.DataFrame:
    """`INTERVENTIONS` of prediction, suppression and entropy.

    Args:
        n_candidates: Of each role; without any there are no controls either.
        effect: How much more candidates do than their controls.
        rank: What entropy neurons do to the rank.
    """
    rng = np.random.default_rng(0)
    found: list[dict[str, Any]] = []
    kinds = [("candidate", n_candidates)] + [("matched", 20)] * bool(n_candidates)
    for role, sign in (("prediction", -1), ("suppression", 1)):
        for kind, neuron in _neurons(kinds):
            change = sign * effect * (kind == "candidate") + rng.normal(0, 0.02)
            found += _blocks(role, kind, neuron, "mean", 0.1, "own_tokens", change, rng)
    for kind, neuron in _neurons([*kinds, ("plain", 20 * bool(n_candidates))]):
        own = kind == "candidate"
        for measure in ENTROPY:
            slope = {"reciprocal_rank": rank, "loss": 0.0}.get(measure, effect) * own
            slope += rng.normal(0, 0.0005)
            for value in VALUES[:: 2 if kind == "matched" else 1]:
                found += _blocks(
                    "entropy", kind, neuron, "clamp", value, measure, slope * value / 12, rng
                )
            found += _blocks("entropy", kind, neuron, "mean", 0.1, measure, slope * 0.01, rng)
    return table(found)


def _neurons(kinds: list[tuple[str, int]]) -> list[tuple[str, int]]:
    starts = {"candidate": 0, "matched": 100, "plain": 200}
    return [(kind, starts[kind] + at) for kind, n in kinds for at in range(n)]


def _blocks(
    role: str, kind: str, neuron: int, operation: str, value: float, measure: str, change: float,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:  # fmt: skip
    return [
        {"role": role, "kind": kind, "layer": 5, "neuron": neuron, "operation": operation,
         "value": value, "measure": measure, "block": block, "n": 20, "natural": 2.0,
         "held": 2.0 + change + rng.normal(0, 1e-5)}
        for block in range(1, 20, 2)
    ]  # fmt: skip
