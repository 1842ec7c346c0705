"""Universal neurons at checkpoints of the training, and what the model loses without them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clampsweep.ledger import MATCHED_NEURONS, ran, skipped
from clampsweep.studies.universal.agreed_tables import MEASURES, SETS, UNIVERSAL
from clampsweep.studies.universal.claims.conclusions import DELTA, STUDY, Concluded, ranked, row_of
from clampsweep.studies.universal.contrasts import MATCHED
from clampsweep.verdicts import Claim, Result, corrected


def persistence(table: pd.DataFrame) -> Concluded:
    """Are universal neurons there more than neurons of like weights, at each checkpoint?

    Args:
        table: A `PERSISTENCE` table.
    """
    found = []
    for row in table.to_dict("records"):
        what = MEASURES[row["measure"]]
        claim = Claim(STUDY, "persistence of universal neurons", row["checkpoint"], "greater",
                      DELTA, by=what)  # fmt: skip
        why = (
            f"{what} at the checkpoint, of {row['n']} universal neurons against {MATCHED} of like "
            f"weights each; median {row['median']:.3f}, of the others {row['median_rest']:.3f}"
        )
        ends = (row["matched"], row["matched_low"], row["matched_high"])
        words = ("there earlier than others", "not surely there earlier than others")
        lacks = "" if row["n"] else "no neuron is universal"
        control = (
            ran(MATCHED_NEURONS, row["n"] * MATCHED)
            if row["n"]
            else skipped(MATCHED_NEURONS, lacks)
        )
        result = Result(*ends, 0.0, row["n"], row["p"], row["q"])
        found.append((row_of(claim, result, words, why, untestable=lacks), [control]))
    return found


_LOST: Mapping[str, str] = {"loss": "rise of the loss", "kl": "KL divergence"}


def ablation(table: pd.DataFrame) -> Concluded:
    """Loss and divergence without universal neurons, against sets of matched ones.

    Args:
        table: An `ABLATION` table.
    """
    made = []
    for held, own in table.groupby("held"):
        for measure, what in _LOST.items():
            means = own.groupby("set")[measure].mean()
            draws = means.drop(UNIVERSAL).tolist()
            sets = own.groupby("set")["n_neurons"].first()
            claim = Claim(STUDY, "ablation of universal neurons", f"held at {held}", "greater",
                          "nats per token", by=what)  # fmt: skip
            why = (
                f"{what} without the {sets[UNIVERSAL]} universal neurons, over "
                f"{len(own[own['set'] == UNIVERSAL])} sequences, against {len(draws)} sets of "
                f"neurons of like weights, median {np.median(draws):.3g}"
            )
            made.append((claim, ranked(float(means[UNIVERSAL]), draws, len(draws)), why))
    results = corrected([result for _, result, _ in made])
    words = ("they matter more than neurons of like weights", "they matter no more than others")
    return [
        (row_of(claim, result, words, why), [ran("sets of matched neurons", SETS)])
        for (claim, _, why), result in zip(made, results, strict=True)
    ]
