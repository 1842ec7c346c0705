"""Kurtosis over more and more text, and how far it could have gone.

The kurtosis of N values is at most N - 2 + 1 / (N - 1), reached where one of them differs from all
others. So a large kurtosis of pooled values tells how many were pooled, unless it is held against
that: the share of the possible maximum.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.models.moments import Sums, add_up
from clampsweep.tables import Column, Schema

CONVERGENCE = Schema(
    "universal convergence",
    {
        "var": Column("str", "kind of activation: gate, up or post"),
        "blocks": Column("int", "number of blocks of text"),
        "tokens": Column("int", "positions in them, mean over draws"),
        "median_kurt": Column(
            "float", "median over neurons of kurt, median over draws of blocks", null=True
        ),
        "least": Column("float", "the same, lowest of the draws", null=True),
        "highest": Column("float", "the same, highest of the draws", null=True),
        "p95_kurt": Column(
            "float", "95th percentile over neurons, median over draws", null=True
        ),
        "possible": Column("float", "largest kurtosis that so many values can have"),
        "share": Column("float", "median_kurt / possible", null=True),
        "draws": Column("int", "draws of so many blocks"),
    },
    key=("var", "blocks"),
)  # fmt: skip

STEPS = (1, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20)


def possible(n: float) -> float:
    """Largest kurtosis of n values, n - 2 + 1 / (n - 1); nan for fewer than two."""
    return n - 2 + 1 / (n - 1) if n > 1 else np.nan


def convergence(var: str, blocks: Sums, n_draws: int, seed: int) -> pd.DataFrame:
    """Rows of `CONVERGENCE` of a kind of activation.

    Args:
        var: Kind of activation.
        blocks: Sums of a domain's blocks, [block, neuron].
        n_draws: Draws, without replacement, of each number of blocks; of all blocks, one.
        seed: Of the draws.
    """
    n_blocks, rng = len(blocks.n), np.random.default_rng(seed)
    steps = sorted({*(step for step in STEPS if step < n_blocks), n_blocks})
    rows = []
    for step in steps:
        many = 1 if step == n_blocks else n_draws
        order = rng.permuted(np.tile(np.arange(n_blocks), (many, 1)), axis=1)
        found = add_up(blocks, (order < step).astype(int))
        kurt = [one[np.isfinite(one)] for one in found.kurtosis]
        medians, tops = ([_percentile(one, at) for one in kurt] for at in (50, 95))
        tokens = float(found.n[:, 0].mean())
        median, most = float(np.median(medians)), possible(tokens)
        rows.append(
            {
                "var": var,
                "blocks": step,
                "tokens": round(tokens),
                "median_kurt": median,
                "least": min(medians),
                "highest": max(medians),
                "p95_kurt": float(np.median(tops)),
                "possible": most,
                "share": median / most,
                "draws": many,
            }
        )
    return pd.DataFrame(rows)


def _percentile(values: np.ndarray, at: float) -> float:
    return float(np.percentile(values, at)) if len(values) else np.nan
