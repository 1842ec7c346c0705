"""Tables of the agreement with other models, planted: for claims, figures and report."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd

from clampsweep.studies.universal.agreed import Agreed
from clampsweep.studies.universal.agreed_tables import ABLATION, SETS
from clampsweep.studies.universal.excess import excess
from clampsweep.studies.universal.gt1_tables import GT1, NEURONS
from clampsweep.studies.universal.new_model import base_rates, gt1
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.pair_tables import NULLS, PAIRS
from clampsweep.studies.universal.persistence import persistence

LAYERS, D, SHIFTS = 3, 60, 24
N = LAYERS * D
PLACE = {"layer": np.repeat(np.arange(LAYERS), D), "neuron": np.tile(np.arange(D), LAYERS)}


def pairs(rng: np.random.Generator, name: str, strength: np.ndarray) -> pd.DataFrame:
    """Correlations of a strength beyond noise; every third neuron is held against all shifts."""
    noise = rng.uniform(0.1, 0.3, (4, N))
    tried = np.arange(N) % 3 == 0
    found = {
        "other": name,
        "aligned": "tokens",
        **PLACE,
        "corr": noise[0] + strength,
        "other_layer": 0,
        "other_neuron": 0,
        "baseline": noise[1],
        "baseline_orthogonal": noise[2],
        "shifted": noise[3],
        "same": rng.uniform(0, 1, N),
        "p": np.where(tried, np.where(strength > 0.2, 1 / (1 + SHIFTS), 0.5), np.nan),
        "n": 16000,
    }
    return pd.DataFrame(found)[list(PAIRS.columns)]


def nulls(rng: np.random.Generator, name: str) -> pd.DataFrame:
    rows = [(name, "permuted", 0, 1.0, 512), (name, "gaussian", 0, 0.2, N)]
    kinds = ("shifted", "swapped", "orthogonal")
    rows += [(name, kind, at, rng.uniform(0.19, 0.21), N) for kind in kinds for at in range(SHIFTS)]
    return pd.DataFrame(rows, columns=list(NULLS.columns))


def neurons(rng: np.random.Generator, universal: np.ndarray) -> pd.DataFrame:
    """Statistics at random, but for the kurtosis of universal neurons."""
    found = {name: rng.random(N) for name in NEURONS.columns if name not in PLACE}
    found |= {"n": np.full(N, 100), "bias_is": np.full(N, "mean of the gate", dtype=object)}
    table = pd.DataFrame({**PLACE, **found})
    table["kurt"] += 0.7 * universal
    return table[list(NEURONS.columns)]


def ablation(rng: np.random.Generator, harm: float) -> pd.DataFrame:
    rows = [
        (held, number, 30, "prose", at, *(rng.uniform(0.1, 0.12, 2) + harm * (number < 0)))
        for held in ("mean", "zero") for number in range(-1, SETS) for at in range(5)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(ABLATION.columns))


@functools.cache
def agreed(shared: float = 0.6, harm: float = 0.1, seed: int = 0) -> tuple[Agreed, pd.DataFrame]:
    """Tables with a fifth of the neurons shared with two models, and the neurons' own.

    Args:
        shared: Correlation of shared neurons beyond noise; 0 for none.
        harm: What the model loses without universal neurons, nats.
        seed: Of all noise.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.random(N) < 0.2
    both = pd.concat([pairs(rng, name, shared * chosen) for name in ("b", "c")])
    corr = excess(both.reset_index(drop=True), 0.3)
    own = neurons(rng, chosen * (shared > 0))
    weights = own[["layer", "neuron", "w_out_norm"]].assign(processing="folded")
    earlier = pairs(rng, "early", np.zeros(N)).assign(same=rng.random(N) + chosen)
    given = Agreed(
        both.reset_index(drop=True),
        pd.concat([nulls(rng, name) for name in ("b", "c")], ignore_index=True),
        corr,
        gt1(own, corr, 0),
        base_rates(own, corr),
        persistence(earlier, corr, weights, ["early"], 0),
        ablation(rng, harm),
    )
    return given, own


def alone() -> tuple[Agreed, pd.DataFrame]:
    """Tables of an entry that names no other model."""
    own = neurons(np.random.default_rng(0), np.zeros(N))
    corr = excess(no_rows(PAIRS), 0.5)
    later = persistence(no_rows(PAIRS), corr, own.assign(processing="folded"), [], 0)
    rates = base_rates(own, corr)
    return Agreed(
        no_rows(PAIRS), no_rows(NULLS), corr, no_rows(GT1), rates, later, no_rows(ABLATION)
    ), own
