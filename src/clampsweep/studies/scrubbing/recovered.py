"""Loss recovered: the table of the study, with intervals over examples.

    loss recovered = (L(baseline) - L(experiment)) / (L(baseline) - L(unscrubbed))

where L is the mean loss of a category's positions: 1 if scrubbing changes nothing, 0 if it does as
much harm as scrubbing all of the heads' inputs, below 0 if more. It is `undefined` where the 95 %
interval of the denominator comes as near to 0 as losses in float32 are exact: there is no number
then.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clampsweep.studies.scrubbing.hypotheses import BASELINE, UNSCRUBBED
from clampsweep.studies.scrubbing.masks import CATEGORIES
from clampsweep.studies.scrubbing.tally import Means, Tally
from clampsweep.tables import Column, Schema

_EXACT = 1e-5  # nats

RECOVERED = Schema(
    "scrubbing recovered",
    {
        "experiment": Column("str", "what was scrubbed"),
        "category": Column("str", "category of positions"),
        "mean": Column("float", "mean loss, nats; null without positions", null=True),
        "variance": Column("float", "unbiased variance of the loss over positions", null=True),
        "count": Column("int", "number of positions"),
        "n_examples": Column("int", "number of examples that have one"),
        "loss_recovered": Column("float", "see above; null if undefined", null=True),
        "ci_low": Column("float", "95 % bootstrap interval over examples, lower end", null=True),
        "ci_high": Column("float", "the same, upper end", null=True),
        "undefined": Column("bool", "whether the interval of baseline - unscrubbed holds 0"),
    },
    key=("experiment", "category"),
)


def interval(resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the 95 % percentile interval over resamples; nan where none has a number.

    Args:
        resampled: Values, the resamples along the first axis.
    """
    ends = np.full((2, *resampled.shape[1:]), np.nan)
    known = np.isfinite(resampled).any(0)
    ends[:, known] = np.nanquantile(resampled[:, known], [0.025, 0.975], axis=0)
    return ends[0], ends[1]


def recovered_of(means: Means) -> tuple[Means, np.ndarray]:
    """Loss recovered and its resamples, in the form of mean losses, and where it is undefined.

    Args:
        means: Of the losses; `unscrubbed` and `baseline` are among the experiments.
    """
    none, all_of_it = (means.experiments.index(name) for name in (BASELINE, UNSCRUBBED))
    span = means.resampled[:, none] - means.resampled[:, all_of_it]  # [resample, category]
    low, high = interval(span)
    undefined = ~((low > _EXACT) | (high < -_EXACT))  # nan ends are undefined too
    with np.errstate(invalid="ignore", divide="ignore"):
        whole = means.mean[none] - means.mean[all_of_it]  # [category]
        ratio = (means.mean[none] - means.mean) / whole + 0.0  # no -0 where it is below 0
        resampled = (means.resampled[:, [none]] - means.resampled) / span[:, None]
    ratio[:, undefined], resampled[:, :, undefined] = np.nan, np.nan
    return Means(means.experiments, ratio, resampled), undefined


def recovered_table(tally: Tally) -> pd.DataFrame:
    """The table `RECOVERED`.

    Args:
        tally: Of all examples.
    """
    means = tally.means
    ratios, undefined = recovered_of(means)
    low, high = interval(ratios.resampled)
    n_experiments = len(tally.experiments)
    return pd.DataFrame(
        {
            "experiment": np.repeat(tally.experiments, len(CATEGORIES)),
            "category": list(CATEGORIES) * n_experiments,
            "mean": means.mean.ravel(),
            "variance": tally.variance.ravel(),
            "count": tally.count.ravel(),
            "n_examples": tally.n_examples.ravel(),
            "loss_recovered": ratios.mean.ravel(),
            "ci_low": low.ravel(),
            "ci_high": high.ravel(),
            "undefined": np.tile(undefined, n_experiments),
        }
    )


def original_layout(table: pd.DataFrame) -> str:
    """Mean, variance and count of each category, an experiment after the other, as printed there.

    Args:
        table: A `RECOVERED` table.
    """
    width = max(map(len, CATEGORIES))
    lines = []
    for name, own in table.groupby("experiment", sort=False):
        lines.append(f"{name}")
        lines += [
            f"{row['category']:{width}} {row['mean']:6.3f} {row['variance']:6.3f} {row['count']}"
            for row in own.to_dict("records")
        ]
        lines.append("")
    return "\n".join(lines)
