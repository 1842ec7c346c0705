"""How much a neuron's firing tells of the position in the sequence (paper, section 4.3)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64, Int, Shaped

from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.studies.universal.features.moving import shift, turns

BINS = 12


def bins(length: int) -> Int[np.ndarray, " pos"]:
    """The bin of each position that counts, from 0: neighbouring positions, equally many."""
    return np.arange(length) * min(BINS, length) // length


def information(
    fired: Shaped[np.ndarray, "bin neuron"], n: Shaped[np.ndarray, " bin"]
) -> Float64[np.ndarray, " neuron"]:
    """Mutual information of firing and the bin of the position, bits; 0 of what never fires.

    Args:
        fired: Number of positions of a bin at which a neuron fires.
        n: Number of positions of each bin.
    """
    total = n.sum()
    found = np.zeros(fired.shape[1])
    for counts in (fired, n[:, None] - fired):
        joint, share = counts / total, counts.sum(0) / total
        alone = (n / total)[:, None] * share
        ratio = np.divide(joint, alone, out=np.ones_like(joint), where=joint > 0)
        found += (joint * np.log2(ratio)).sum(0)
    return np.maximum(found, 0.0)


def counted(fires: Bool[np.ndarray, "sequence pos neuron"]) -> Int[np.ndarray, "bin neuron"]:
    """Number of positions of a bin at which each neuron fires."""
    at = bins(fires.shape[1])
    by_position = fires.sum(0)
    return np.stack([by_position[at == one].sum(0) for one in range(int(at.max()) + 1)])


def against_shifts(
    fires: Bool[np.ndarray, "sequence pos neuron"], shifts: int, seed: int
) -> dict[str, np.ndarray]:
    """Columns of `POSITIONS` that confirmation gives.

    Args:
        fires: Whether each neuron fires.
        shifts: Number of times that each sequence is turned round.
        seed: Of the shifts.
    """
    sequences, length, neurons = fires.shape
    at = bins(length)
    n = np.bincount(at) * sequences
    counts = counted(fires)
    own = information(counts, n)
    rng = np.random.default_rng([seed, 3])
    others = np.zeros((shifts, neurons))
    for draw in range(shifts):
        others[draw] = information(counted(shift(fires, turns(sequences, length, rng))), n)
    p = np.array([rank_p(own[at], others[:, at].tolist()) for at in range(neurons)])
    ends = [rank_interval(own[at], others[:, at].tolist()) for at in range(neurons)]
    return {
        "mi_confirmation": own,
        "low": np.array([one.low if np.isfinite(one.low) else np.nan for one in ends]),
        "high": np.array([one.high if np.isfinite(one.high) else np.nan for one in ends]),
        "null": np.median(others, axis=0),
        "p": p,
        "q": benjamini_hochberg(p.tolist()),
        "firing_first": counts[0] / n[0],
        "firing_last": counts[-1] / n[-1],
    }
