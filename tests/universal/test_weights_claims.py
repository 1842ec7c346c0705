"""What weights conclude: planted vocabulary neurons, and none where there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.universal.claims.weights import FEW_TOKENS, FOLDING, LATE, claims
from clampsweep.studies.universal.figures import weights as figures
from clampsweep.studies.universal.gated import GATED_LAYERS
from clampsweep.studies.universal.report.weights import section
from clampsweep.studies.universal.vocabulary import MIXTURE, SPHERE

NO_GATES = pd.DataFrame(columns=list(GATED_LAYERS.columns))


def tables(n_special, layer=7):
    """Eight layers of 100 neurons, so many of a layer with a high folded kurtosis; a null."""
    rng = np.random.default_rng(0)
    rows = []
    for processing in ("raw", "folded"):
        frame = pd.DataFrame({"processing": processing, "layer": np.repeat(np.arange(8), 100)})
        frame["neuron"] = np.tile(np.arange(100), 8)
        frame["vocab_mean"], frame["vocab_var"] = 0.0, 0.01
        frame["vocab_skew"] = rng.normal(0, 0.1, 800)
        frame["vocab_kurt"] = 3 + 0.1 * rng.random(800)
        if processing == "folded":
            own = frame.index[frame["layer"] == layer][:n_special]
            frame.loc[own, "vocab_kurt"] = 20.0
            frame.loc[own[: n_special // 2], "vocab_skew"] = 2.0
            frame.loc[own[n_special // 2 :], "vocab_skew"] = -2.0
        rows.append(frame)
    null = pd.DataFrame({"processing": np.repeat(["raw", "folded"], 500)})
    null["null"] = np.tile(np.repeat([SPHERE, MIXTURE], 250), 2)
    for name in ("vocab_mean", "vocab_var", "vocab_skew"):
        null[name] = rng.normal(0, 0.01, 1000)
    null["vocab_kurt"] = 3 + 0.1 * rng.random(1000)
    return pd.concat(rows, ignore_index=True), null


def concluded(vocab, null):
    return {(row["claim"], row["by"]): row for row, _ in claims(vocab, null, NO_GATES)}


def test_planted_neurons_of_a_late_layer_are_found():
    found = concluded(*tables(20))
    row = found[(FEW_TOKENS, "folded")]
    assert row["verdict"] == "supported"
    assert row["words"] == "20 neurons, 10 of them with a positive skew"
    assert found[(FEW_TOKENS, "raw")]["verdict"] != "supported"
    late = found[(LATE, "folded")]
    assert late["words"] == "20 of 20; layer 7 alone has 20"
    assert late["estimate"] == 1
    assert found[(FOLDING, "")]["verdict"] == "supported"


def test_neurons_of_an_early_layer_contradict_that_they_are_late():
    assert concluded(*tables(40, layer=1))[(LATE, "folded")]["verdict"] == "contradicted"


def test_where_there_is_none_the_section_says_so():
    vocab, null = tables(0)
    found = concluded(vocab, null)
    assert found[(FEW_TOKENS, "folded")]["verdict"] != "supported"
    assert found[(LATE, "folded")]["verdict"] == "untestable"
    text = section(pd.DataFrame(found.values()), vocab)
    assert "0 neurons" in text and "| neuron |" not in text
    axes = figures.vocabulary(vocab, null, "tiny").axes
    assert [ax.get_xlabel() for ax in axes] == ["layer", "layer", "vocabulary kurtosis"]
