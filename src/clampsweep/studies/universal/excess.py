"""Excess correlation of each neuron over all other models, and which neurons are universal.

Gurnee et al. 2024, equation 2: the mean over other models of the highest correlation less that with
a rotated model; universal is what lies above a cut, 0.5 in the paper. No torch.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.universal.correspondence import CHARACTERS, TOKENS_ALIKE
from clampsweep.studies.universal.no_rows import no_rows
from clampsweep.studies.universal.pair_tables import CORR

PLACE = ["layer", "neuron"]

_MEANS = {
    "mean_corr": "corr",
    "mean_baseline": "baseline",
    "mean_baseline_orthogonal": "baseline_orthogonal",
    "mean_shifted": "shifted",
}


def excess(pairs: pd.DataFrame, cut: float) -> pd.DataFrame:
    """The table `CORR`: over models of the same tokenizer, over the others where there is none.

    Args:
        pairs: `PAIRS` of all other models; no checkpoints of the model itself.
        cut: Excess correlation above which a neuron is universal.
    """
    by = TOKENS_ALIKE if (pairs["aligned"] == TOKENS_ALIKE).any() else CHARACTERS
    own = pairs[pairs["aligned"] == by]
    if not len(own):
        return no_rows(CORR)
    groups = own.groupby(PLACE)
    found = pd.DataFrame(
        {name: groups[column].agg(_mean) for name, column in _MEANS.items()}
    ).reset_index()
    # A neuron that not all models were held against is not compared: means are over all of them.
    n_others = own["other"].nunique()
    found = found[groups["other"].nunique().to_numpy() == n_others].reset_index(drop=True)
    found = found.assign(
        aligned=by,
        n_others=n_others,
        excess_corr=found["mean_corr"] - found["mean_baseline"],
        excess_orthogonal=found["mean_corr"] - found["mean_baseline_orthogonal"],
    )
    universal = (found["excess_corr"] > cut).to_numpy(bool)
    chance = np.zeros(len(found), dtype=bool)
    order = np.argsort(-found["mean_shifted"].fillna(-np.inf).to_numpy(), kind="stable")
    chance[order[: universal.sum()]] = True
    return pd.DataFrame(
        found.assign(universal=universal, chance=chance), columns=list(CORR.columns)
    )


def _mean(values: pd.Series) -> float:
    """Mean; null where one is null."""
    return float(values.mean(skipna=False))


def above(corr: pd.DataFrame, column: str, cut: float) -> int:
    """Number of neurons whose correlation in a column lies above that of rotations by the cut.

    Args:
        corr: A `CORR` table.
        column: `mean_corr`, or `mean_shifted` for what chance gives.
        cut: How far.
    """
    return int((corr[column] - corr["mean_baseline"] > cut).sum())
