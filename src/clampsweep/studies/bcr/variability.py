"""How much the baseline varies by itself: the same prompts, sampled with several seeds.

Where sampling alone turns collapsed baselines into fine texts, a clamp that does so has done
nothing special.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from clampsweep.statistics import wilson
from clampsweep.studies.bcr.rates import RATES, changes
from clampsweep.tables import Column, Schema
from clampsweep.texts import collapse

VARIABILITY = Schema(
    "variability",
    {
        "detector": RATES.columns["detector"],
        "seed": Column("int", "seed of sampling"),
        "n": Column("int", "number of sampled texts, one per prompt"),
        "n_collapsed": Column("int", "of these, collapsed"),
        "collapse_rate": Column("float", "n_collapsed / n"),
        "collapse_low": Column("float", "Wilson 95 % interval, lower end"),
        "collapse_high": Column("float", "Wilson 95 % interval, upper end"),
        "n_collapsed_baseline": Column("int", "prompts whose greedy baseline is collapsed"),
        "n_rescued": Column("int", "of these, sampled texts not collapsed"),
        "n_fine_baseline": Column("int", "prompts whose greedy baseline is not collapsed"),
        "n_harmed": Column("int", "of these, sampled texts collapsed"),
        "net": Column("int", "n_rescued - n_harmed"),
    },
    key=("detector", "seed"),
)


def variability(
    generations: pd.DataFrame, samples: pd.DataFrame, detectors: Sequence[str]
) -> pd.DataFrame:
    """Collapse of each seed's texts against the greedy baselines (`VARIABILITY`).

    Args:
        generations: The sweep's `GENERATIONS`; its baselines are compared with.
        samples: `GENERATIONS` of the same prompts without intervention, with seeds.
        detectors: Keys of `collapse.DETECTORS`.

    Raises:
        UserError: A detector needs token ids that are not there.
    """
    own = generations[generations["operation"] == "none"]
    rows = []
    for detector in detectors:
        before = pd.Series(collapse.flags(own, detector), index=own["prompt_id"])
        after = collapse.flags(samples, detector)
        each = pd.DataFrame({"seed": samples["seed"].to_numpy(), "after": after})
        each["before"] = before.loc[samples["prompt_id"]].to_numpy()
        for seed, group in each.groupby("seed"):
            rows.append({"detector": detector, "seed": seed, **_counts(group)})
    return pd.DataFrame(rows, columns=list(VARIABILITY.columns))


def _counts(group: pd.DataFrame) -> dict[str, float]:
    """What one seed's texts are, beside the greedy ones of the same prompts."""
    before, after = group["before"].astype(bool), group["after"].astype(bool)
    counts = {
        "n": len(group),
        "n_collapsed": int(after.sum()),
        **changes(before, after),
    }
    low, high = wilson(counts["n_collapsed"], counts["n"])
    return {
        **counts,
        "collapse_rate": counts["n_collapsed"] / counts["n"],
        "collapse_low": low,
        "collapse_high": high,
    }
