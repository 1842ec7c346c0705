"""Whether the statistics of a published table come out on the same weights."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy import stats

from clampsweep.ledger import ran
from clampsweep.statistics import benjamini_hochberg, wilson
from clampsweep.studies.universal.claims.conclusions import Concluded, Conclusion
from clampsweep.studies.universal.published import ABSOLUTE, RELATIVE
from clampsweep.verdicts import Claim, Result, conclude

COMES_OUT = "published statistics of weights come out"

LEAST = 0.95  # share of a table's neurons that must agree, or it is of other weights


def claims(found: pd.DataFrame) -> Concluded:
    """A verdict on each statistic of a published table, with its control.

    Args:
        found: `REFERENCE`.
    """
    counts = [(int(row["n_within"]), int(row["n"])) for row in found.to_dict("records")]
    p = [float(stats.binomtest(k, n, LEAST, alternative="greater").pvalue) for k, n in counts]
    corrected = benjamini_hochberg(p)
    return [
        _claim(row, p_of, float(q))
        for row, p_of, q in zip(found.to_dict("records"), p, corrected, strict=True)
    ]


def _claim(row: dict[Any, Any], p: float, q: float) -> Conclusion:
    k, n = int(row["n_within"]), int(row["n"])
    bounds = wilson(k, n)
    verdict = conclude(
        Claim("universal", COMES_OUT, str(row["column"]), "greater", "share of neurons"),
        Result(k / n, bounds.low, bounds.high, LEAST, n, p, q),
        words=f"{k} of {n} neurons agree",
        why=f"within {RELATIVE:g} of the value plus {ABSOLUTE:g}; the largest difference is "
        f"{row['largest']:.2g} of that; null: {100 * LEAST:g} % of the neurons",
    )
    told = f"of them {100 * float(row['dealt']):.1f} % agree"
    return verdict, [ran("neurons mixed up within their layers", n, told)]
