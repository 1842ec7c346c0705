"""Ranking of every neuron of SmolLM2-135M at 1,000 samples: time, memory, and an alternative.

    python benchmarks/backtracking_ranking.py [--rounds 3] [--permutations 200]

Activations are random numbers of that size (30 layers of 1,536 neurons, in single precision): 200
events with four controls each. The alternative is `scipy.stats.mannwhitneyu(axis=0)` on the same
values, once for the true labels and once for each permutation, in a loop; it is timed on one layer
and a few permutations and scaled up. Both run in turn in each round of one process. The ranking
must take less than 60 s and 3 GB.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time

import numpy as np
import pandas as pd
import scipy
from scipy.stats import mannwhitneyu

from clampsweep.studies.backtracking.pools import EVENT, OTHER, SAME
from clampsweep.studies.backtracking.ranking import Labels, rank

LAYERS, NEURONS = 30, 1536
EVENTS, CONTROLS = 200, 4
TOP = 20
SECONDS, MEGABYTES = 60, 3000  # at most


def main() -> None:
    """Run the rounds and print what they give."""
    parser = argparse.ArgumentParser(description="Time and memory of a ranking")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--permutations", type=int, default=200)
    parser.add_argument("--tried", type=int, default=4, help="permutations of the alternative")
    options = parser.parse_args()
    print(f"{platform.machine()}, numpy {np.__version__}, scipy {scipy.__version__}")
    kinds = [EVENT, *[SAME] * (CONTROLS // 2), *[OTHER] * (CONTROLS // 2)]
    samples = pd.DataFrame(
        {
            "match_id": np.repeat(np.arange(EVENTS), 1 + CONTROLS),
            "control_kind": kinds * EVENTS,
            "y": [int(kind == EVENT) for kind in kinds] * EVENTS,
        }
    )
    labels = Labels.of(samples, options.permutations, 0)
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((len(samples), NEURONS), dtype=np.float32) for _ in range(LAYERS)]
    print(
        f"{LAYERS * NEURONS:,} neurons, {len(samples):,} samples, {options.permutations} "
        f"permutations; {sum(one.nbytes for one in layers) / 1e6:.0f} MB of activations"
    )
    seconds, ratios, peak = [], [], 0.0
    for number in range(options.rounds):
        start = time.perf_counter()
        found = rank(layers, labels, TOP)
        seconds.append(time.perf_counter() - start)
        if not number:  # what the alternative needs is no part of it
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        other, p = alternative(layers[0], labels, options.tried)
        ratios.append(other / seconds[-1])
        gap = np.abs(found.neurons["p"].to_numpy()[:NEURONS] - p).max()
        print(
            f"round {number + 1}: {seconds[-1]:.1f} s, the alternative {other:.0f} s, "
            f"{ratios[-1]:.1f}x; largest difference of a p {gap:.1e}",
            flush=True,
        )
    median = statistics.median(seconds)
    print(
        f"median {median:.1f} s, peak memory {peak:,.0f} MB, faster by "
        f"{statistics.median(ratios):.1f}x; under {SECONDS} s and {MEGABYTES:,} MB: "
        f"{'yes' if median < SECONDS and peak < MEGABYTES else 'no'}"
    )


def alternative(layer: np.ndarray, labels: Labels, tried: int) -> tuple[float, np.ndarray]:
    """Seconds of scipy's test of every neuron and permutation, and p values of a layer.

    Args:
        layer: Post-activations of a layer [sample, neuron].
        labels: Of the samples.
        tried: Permutations that are run.
    """
    values = layer.astype(float)
    start = time.perf_counter()
    p, *_ = (_tested(values, y) for y in (labels.y, *labels.permuted[:tried]))
    each = (time.perf_counter() - start) / (1 + tried)
    return each * LAYERS * (1 + len(labels.permuted)), p


def _tested(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """P values of each column by scipy: ties corrected, no correction for continuity."""
    found = mannwhitneyu(values[y], values[~y], axis=0, method="asymptotic", use_continuity=False)
    p: np.ndarray = found.pvalue
    return p


if __name__ == "__main__":
    main()
