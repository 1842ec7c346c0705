"""Universal neurons at earlier checkpoints: planted, and not there."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.universal.agreed_tables import PERSISTENCE
from clampsweep.studies.universal.persistence import persistence

D = 120


def tables(same: np.ndarray, universal: np.ndarray) -> tuple[pd.DataFrame, ...]:
    place = {"layer": np.repeat([0, 1], D // 2), "neuron": np.tile(np.arange(D // 2), 2)}
    pairs = [
        pd.DataFrame({"other": name, **place, "same": same * part, "corr": 0.5})
        for name, part in (("late", 1.0), ("early", 0.5))
    ]
    corr = pd.DataFrame({**place, "universal": universal})
    norms = np.random.default_rng(0).random(D)
    weights = pd.DataFrame({"processing": "folded", **place, "w_out_norm": norms})
    return pd.concat(pairs), corr, pd.concat([weights, weights.assign(processing="raw")])


def test_neurons_that_persist_are_found_at_each_checkpoint() -> None:
    rng = np.random.default_rng(0)
    universal = rng.random(D) < 0.25
    found = persistence(*tables(rng.random(D) + 0.5 * universal, universal), ["early", "late"], 0)
    assert set(found.columns) == set(PERSISTENCE.columns)
    own = found[found["measure"] == "same"]
    assert own["checkpoint"].tolist() == ["early", "late"]
    assert (own["q"] < 0.01).all()
    assert (own["matched_low"] > 0).all()
    assert own["median"].iloc[0] == own["median"].iloc[1] / 2
    alike = found[found["measure"] == "corr"]
    assert (alike["matched"] == 0).all()
    assert (alike["q"] == 1).all()


def test_there_is_nothing_to_find() -> None:
    rng = np.random.default_rng(2)
    found = persistence(*tables(rng.random(D), rng.random(D) < 0.25), ["early", "late"], 0)
    assert (found["q"] > 0.05).all()


def test_no_checkpoints() -> None:
    found = persistence(*tables(np.ones(D), np.ones(D) > 0), [], 0)
    assert found.empty
    assert list(found) == list(PERSISTENCE.columns)
