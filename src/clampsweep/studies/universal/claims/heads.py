"""What heads and embedding dimensions say of GT3: does the method carry over?"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from clampsweep.ledger import ran
from clampsweep.statistics import benjamini_hochberg, rank_interval, rank_p
from clampsweep.studies.universal.claims.conclusions import Concluded, Conclusion
from clampsweep.studies.universal.stratified import Association, association
from clampsweep.verdicts import SUPPORTED, Claim, Result, conclude

FORETELLS = "head weights foretell attention"
STANDS_OUT = "embedding dimensions stand out"
HEAD_NORMS = "norms of heads vary"
HIGH_DIMENSIONS = "share of dimensions with high kurtosis"

N_DRAWS = 2000

NAMED: Mapping[str, str] = {
    "qk_norm": "norm of QK",
    "qk_top": "share of QK's first direction",
    "qk_rank": "effective rank of QK",
    "ov_norm": "norm of OV",
    "ov_top": "share of OV's first direction",
    "ov_rank": "effective rank of OV",
    "first": "attention to the first token",
    "entropy": "entropy of attention",
}


def claims(heads: pd.DataFrame, dimensions: pd.DataFrame, rotations: pd.DataFrame) -> Concluded:
    """Verdicts on heads and embedding dimensions, each with its controls.

    Args:
        heads: `HEADS`.
        dimensions: `EMBEDDINGS`.
        rotations: `ROTATIONS`.
    """
    return [
        *foretelling(heads),
        _head_norms(heads),
        _standing_out(dimensions, rotations),
        _high_share(dimensions),
    ]


def foretelling(heads: pd.DataFrame) -> Concluded:
    """Of each measure of weights and each of behaviour, whether they go together within layers."""
    names = [(weight, what) for what in ("first", "entropy") for weight in list(NAMED)[:6]]
    layers = heads["layer"].to_numpy()
    found = {
        (weight, what): association(
            heads[weight].to_numpy(float), heads[what].to_numpy(float), layers, N_DRAWS
        )
        for weight, what in names
    }
    corrected = benjamini_hochberg([one.p for one in found.values()])
    return [
        _foretold(NAMED[weight], NAMED[what], one, float(q), int(heads["layer"].nunique()))
        for ((weight, what), one), q in zip(found.items(), corrected, strict=True)
    ]


def _foretold(weight: str, what: str, found: Association, q: float, n_layers: int) -> Conclusion:
    claim = Claim("universal", FORETELLS, weight, "different", "rank correlation", by=what)
    result = Result(found.estimate, found.low, found.high, 0.0, found.n, found.p, q)
    row = conclude(claim, result, "", "-", untestable=_untestable(found, n_layers))
    sign = "more" if found.estimate > 0 else "less"
    row["words"] = f"heads with a larger {weight} have {sign} {what}"
    if row["verdict"] != SUPPORTED:
        row["words"] = f"{weight} does not tell {what}"
    row["why"] = f"Spearman within {n_layers} layers, {found.n} heads; layers drawn anew"
    return row, [ran("permutations of heads within layers", N_DRAWS)]


def _untestable(found: Association, n_layers: int) -> str:
    if n_layers < 3:
        return f"{n_layers} layers give no interval"
    return "" if found.estimate == found.estimate else "within layers nothing varies"


def _head_norms(heads: pd.DataFrame) -> Conclusion:
    spread = heads["ov_norm"].std(), heads["qk_norm"].std()
    claim = Claim("universal", HEAD_NORMS, f"{len(heads)} heads", "greater", "norm")
    row = conclude(
        claim,
        Result(float(spread[0]), n=len(heads)),
        words=f"standard deviation {spread[0]:.2f} (OV), {spread[1]:.2f} (QK)",
        why="original: 384 heads, 8.27 and 7.24, counted as a pass",
        vacuous="norms of different matrices are never all equal",
    )
    return row, [
        ran("heads", len(heads), "no control can fail it: whatever is not constant passes")
    ]


def _standing_out(dimensions: pd.DataFrame, rotations: pd.DataFrame) -> Conclusion:
    own, others = float(dimensions["kurt"].max()), rotations["max"].tolist()
    bounds, p = rank_interval(own, others), rank_p(own, others)
    n = int(dimensions["beyond"].sum())
    result = Result(own, bounds.low, bounds.high, float(pd.Series(others).median()),
                    len(dimensions), p, p)  # fmt: skip
    claim = Claim("universal", STANDS_OUT, f"{len(dimensions)} dimensions", "greater", "kurtosis")
    row = conclude(claim, result, "", "-", least_q=1 / (1 + len(others)))
    told = f"{n} of {len(dimensions)} dimensions are beyond what random bases reach"
    row["words"] = told if row["verdict"] == SUPPORTED else "no more than in a random basis"
    row["why"] = f"largest kurtosis over the vocabulary, against {len(others)} random bases"
    return row, [ran("random orthogonal bases", len(others), "of each its largest kurtosis")]


def _high_share(dimensions: pd.DataFrame) -> Conclusion:
    n = len(dimensions)
    claim = Claim("universal", HIGH_DIMENSIONS, f"{n} dimensions", "greater", "share")
    row = conclude(
        claim,
        Result(0.1, n=n),
        words=f"mean kurtosis {dimensions['kurt'].mean():.2f} (3 for a Gaussian)",
        why="original: mean 0.1898, an excess kurtosis it seems, and 102 of 1,024 dimensions high",
        vacuous="above the 90th percentile lies a tenth, whatever the numbers are",
    )
    return row, [ran("dimensions", n, "no control can fail it: the cut is a percentile")]
