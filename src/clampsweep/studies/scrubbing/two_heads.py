"""Two induction heads beside each other: which one copies whatever came before?

Harm of scrubbing a head is the mean loss then, minus that of the model as it is. On the ends of
repeated bigrams (CANDIDATE ERB) exact induction predicts the label; on uncommon repeats that are no
such ends (NON-ERB UNCOMMON REPEATS) it does not, and a head whose loss harms there copies tokens of
the context whatever stood before them: it parrots. The published pair is 1.5, which parrots, and
1.6, which does so less.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from clampsweep.studies.scrubbing.hypotheses import UNSCRUBBED
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.recovered import interval
from clampsweep.studies.scrubbing.tally import Means
from clampsweep.tables import Column, Schema

TWO_HEADS = Schema(
    "scrubbing two heads",
    {
        "category": Column("str", "category of positions"),
        "first_harm": Column("float", "harm of scrubbing the first head, nats", null=True),
        "first_low": Column("float", "95 % bootstrap interval over examples, lower end", null=True),
        "first_high": Column("float", "the same, upper end", null=True),
        "second_harm": Column("float", "harm of scrubbing the second head, nats", null=True),
        "second_low": Column("float", "its interval, lower end", null=True),
        "second_high": Column("float", "the same, upper end", null=True),
        "difference": Column("float", "first_harm - second_harm, nats", null=True),
        "low": Column("float", "its interval, lower end", null=True),
        "high": Column("float", "the same, upper end", null=True),
    },
    key=("category",),
)


def two_heads(means: Means, first: str, second: str) -> pd.DataFrame:
    """The table `TWO_HEADS`.

    Args:
        means: Mean losses of all experiments.
        first: Experiment that scrubs the first head.
        second: Experiment that scrubs the second.
    """
    at = {name: means.experiments.index(name) for name in (UNSCRUBBED, first, second)}
    pairs = {
        "first": (first, UNSCRUBBED),
        "second": (second, UNSCRUBBED),
        "": (first, second),
    }
    columns: dict[str, object] = {"category": list(CATEGORIES)}
    for name, (one, other) in pairs.items():
        before = f"{name}_" if name else ""
        low, high = interval(means.resampled[:, at[one]] - means.resampled[:, at[other]])
        columns[f"{name}_harm" if name else "difference"] = (
            means.mean[at[one]] - means.mean[at[other]]
        )
        columns |= {f"{before}low": low, f"{before}high": high}
    return pd.DataFrame(columns)


def attribution_correlation(saa: pd.DataFrame, first: str, second: str) -> float:
    """Spearman's rank correlation of two heads' attributions over tokens.

    It is nan if one is constant or missing.

    Args:
        saa: A `SAA` table; first tokens are left out.
        first: Experiment that scrubs the first head.
        second: Experiment that scrubs the second.
    """
    own = saa[(saa["first"] == UNSCRUBBED) & (saa["position"] > 0)]
    wide = own.pivot(index=["example", "position"], columns="second", values="dloss")
    if not {first, second} <= set(wide.columns):
        return float("nan")
    pair = wide[[first, second]].dropna().to_numpy()
    if len(pair) < 2 or np.ptp(pair, axis=0).min() == 0:
        return float("nan")
    return float(stats.spearmanr(pair[:, 0], pair[:, 1]).statistic)
