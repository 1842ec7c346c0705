"""Are neurons that are universal in the end there earlier, at checkpoints of the training?

Each neuron's correlation with itself (the neuron of the same name) and its best match at an earlier
checkpoint, of universal neurons and of neurons of like weights (arXiv 2508.00903). No torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.agreed_tables import MEASURES, PERSISTENCE
from clampsweep.studies.universal.contrasts import Population, contrast
from clampsweep.studies.universal.excess import PLACE


def persistence(
    pairs: pd.DataFrame,
    corr: pd.DataFrame,
    weights: pd.DataFrame,
    checkpoints: Sequence[str],
    seed: int,
) -> pd.DataFrame:
    """The table `PERSISTENCE`.

    Args:
        pairs: `PAIRS` whose `other` is a checkpoint.
        corr: The entry's `CORR`.
        weights: Its `un_weights`.
        checkpoints: Names, in order.
        seed: Of draws and permutations.
    """
    folded = weights.loc[weights["processing"] == "folded", [*PLACE, "w_out_norm"]]
    known = corr[[*PLACE, "universal"]].merge(folded, on=PLACE)
    rows = []
    for place, name in enumerate(checkpoints):
        own = pairs[pairs["other"] == name].merge(known, on=PLACE)
        chosen = own["universal"].to_numpy(bool)
        population = Population(own["layer"].to_numpy(), own["w_out_norm"].to_numpy(float), chosen)
        for measure in MEASURES:
            values = own[measure].to_numpy(float)
            rows.append(
                {
                    "checkpoint": name,
                    "place": place,
                    "measure": measure,
                    "median": own.loc[chosen, measure].median(),
                    "median_rest": own.loc[~chosen, measure].median(),
                    **contrast(values, population, seed)._asdict(),
                }
            )
    found = pd.DataFrame(rows, columns=list(PERSISTENCE.columns)).astype({"p": float, "q": float})
    for _, group in found.groupby("measure"):
        some = group.index[group["p"].notna()]
        found.loc[some, "q"] = benjamini_hochberg(found.loc[some, "p"].tolist())
    return found
