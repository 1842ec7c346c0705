"""Input-output classes: by hand, on a tiny model's own weights, and against rotated ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clampsweep.studies.universal.claims.weights import EARLY, _early, net_shares
from clampsweep.studies.universal.figures import weights as figures
from clampsweep.studies.universal.gated import (
    CLASSES,
    DEPLETION,
    ELSEWHERE,
    ENRICHMENT,
    GATED_LAYERS,
    OWN,
    ROTATED,
    both,
    classed,
)
from clampsweep.studies.universal.rotation import ORTHOGONAL, rotation
from clampsweep.studies.universal.weights import weights


@pytest.mark.parametrize(
    ("cosines", "name", "typical"),
    [
        ((0.9, 0.9, 0.9), "enrichment", True),
        ((-0.9, 0.9, -0.9), "enrichment", True),
        ((0.9, 0.9, 0.0), "enrichment", False),
        ((0.1, 0.9, 0.1), "conditional enrichment", True),
        ((0.9, -0.9, -0.9), "depletion", True),
        ((0.2, -0.6, 0.2), "conditional depletion", True),
        ((0.7, 0.1, 0.0), "proportional change", True),
        ((-0.7, 0.1, 0.0), "proportional change", True),
        ((0.4, 0.4, 0.9), "orthogonal output", True),
    ],
)
def test_classes_by_hand(cosines, name, typical):
    table = pd.DataFrame([cosines], columns=["gate_out", "up_out", "gate_up"])
    found = classed(table).iloc[0]
    assert (found["class"], found["typical"]) == (name, typical)


def test_a_gated_models_layers_are_counted_and_an_ungated_one_has_none(llama, gpt2):
    own, counts = both(llama, weights(llama), 0)
    assert len(own) == llama.n_layers * llama.d_mlp
    assert counts.groupby("weights")["n"].sum().to_dict() == {OWN: len(own), ROTATED: len(own)}
    for none in both(gpt2, weights(gpt2), 0):
        assert none.empty


def test_a_rotation_is_orthogonal():
    turned = rotation(ORTHOGONAL, 7, np.random.default_rng(0), np.float64)
    assert turned @ turned.T == pytest.approx(np.eye(7), abs=1e-12)


def counts(nets):
    """Layers of 100 neurons with so many that enrich; where negative, that deplete."""
    rows = []
    for which in (OWN, ROTATED):
        for layer, net in enumerate(nets):
            of = dict.fromkeys(CLASSES, 0)
            own = net if which == OWN else 0
            of[ENRICHMENT if own > 0 else DEPLETION] = abs(own)
            of[ELSEWHERE] = 100 - abs(own)
            rows += [(which, layer, name, n, n) for name, n in of.items()]
    return pd.DataFrame(rows, columns=list(GATED_LAYERS.columns))


def test_enrichment_that_is_early_is_found_and_its_opposite_contradicts():
    early = counts([20, 22, 18, 21, -5, -6, -4, -5])
    assert net_shares(early, OWN).tolist()[:2] == [0.2, 0.22]
    row, controls = _early(early)
    assert (row["claim"], row["verdict"]) == (EARLY, "supported")
    assert [one.name for one in controls] == ["orders of the layers", "rotated weights"]
    assert _early(counts([-5, -6, -4, -5, 20, 22, 18, 21]))[0]["verdict"] == "contradicted"
    assert _early(counts([5, -5] * 4))[0]["verdict"] == "inconclusive"
    assert _early(pd.DataFrame(columns=list(GATED_LAYERS.columns)))[0]["verdict"] == "untestable"
    axes = figures.gated(early, "tiny").axes
    assert axes[1].get_ylabel() == "enrich less deplete"
