"""Are neurons that are universal in the end there earlier, at checkpoints of the training?

Each neuron's correlation with itself (the neuron of the same name) and its best match at an earlier
checkpoint, of universal neurons and of neurons of like weights (arXiv 2508.00903). No torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from clampsweep.statistics import benjamini_hochberg
from clampsweep.studies.universal.contrasts import Population, contrast
from clampsweep.studies.universal.excess import PLACE
from clampsweep.tables import Column, Schema

MEASURES = {"same": "correlation with itself", "corr": "highest correlation with any neuron"}

PERSISTENCE = Schema(
    "universal persistence",
    {
        "checkpoint": Column("str", "the earlier state of the training, a name of models"),
        "place": Column("int", "its place in the entry's list, from 0"),
        "measure": Column("str", "same: " + MEASURES["same"] + "; corr: " + MEASURES["corr"]),
        "median": Column("float", "median of universal neurons", null=True),
        "median_rest": Column("float", "median of the others", null=True),
        "n": Column("int", "universal neurons"),
        "n_layers": Column("int", "layers that they are in"),
        "delta": Column("float", "Cliff's delta against all others of the layer", null=True),
        "low": Column("float", "its 95 % interval, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
        "matched": Column("float", "Cliff's delta against neurons of like weights", null=True),
        "matched_low": Column("float", "its 95 % interval, lower end", null=True),
        "matched_high": Column("float", "the same, upper end", null=True),
        "p": Column("float", "two-sided p value of matched", null=True),
        "q": Column("float", "that, corrected over checkpoints, by measure", null=True),
    },
    key=("checkpoint", "measure"),
)


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
