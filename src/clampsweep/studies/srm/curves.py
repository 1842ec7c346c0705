"""What SRM says of one group of texts: grey vector, power, stability, curves over the angle."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int
from scipy.sparse import csr_array

from clampsweep.statistics import cluster_bootstrap, sign_flip
from clampsweep.studies.srm.texts import GroupedTexts, Points, members
from clampsweep.tables import Column, Schema

GROUP_COLUMNS = {
    "factor": Column("str", "what texts are grouped by: type, level, core, clamp; or all"),
    "group": Column("str", "value of the factor; texts without a clamp are baseline"),
}

SRM_GROUPS = Schema(
    "srm_groups",
    {
        **GROUP_COLUMNS,
        "n": Column("int", "number of texts with a vector"),
        "n_left_out": Column("int", "number of texts without one (blank)"),
        "n_clusters": Column("int", "cores (prompts, if fewer than 4 cores) that intervals redraw"),
        "r": Column("float", "length of the grey vector, 0..1; null if under 2 prompts", null=True),
        "r_low": Column("float", "95 % bootstrap interval of the mean at angle, lower", null=True),
        "r_high": Column("float", "95 % bootstrap interval of the mean at angle, upper", null=True),
        "angle": Column("float", "angle of the grey vector, degrees in 0..360", null=True),
        "stability": Column(
            "float", "mean cosine of the grey vectors of two random halves, in -1..1", null=True
        ),
        "mean_power": Column("float", "mean squared length of the projections, 0..1", null=True),
        "power_low": Column("float", "95 % bootstrap interval of mean_power, lower", null=True),
        "power_high": Column("float", "95 % bootstrap interval of mean_power, upper", null=True),
        "expected_power": Column("float", "2 / D, mean_power of a plane drawn at random"),
        "power_p": Column(
            "float", "two-sided sign-flip p of mean_power against expected_power", null=True
        ),
    },
    key=("factor", "group"),
)

SRM_CURVES = Schema(
    "srm_curves",
    {
        **GROUP_COLUMNS,
        "curve": Column("str", "mean, count (v.p >= threshold) or signed_count (minus v.p <= -it)"),
        "threshold": Column("float", "of the projection v.p, in 0..1; null for mean", null=True),
        "angle": Column("float", "angle of the probe p, degrees in 0..360"),
        "value": Column("float", "mean of v.p (-1..1), or number of texts"),
        "low": Column("float", "95 % bootstrap band at this angle, lower", null=True),
        "high": Column("float", "95 % bootstrap band at this angle, upper", null=True),
    },
    key=("factor", "group", "curve", "threshold", "angle"),
)

N_ANGLES = 72

N_SPLITS = 1000

MIN_CORES = 4  # from so many on, resampling draws whole cores

SEED = 0

Weights = Float64[np.ndarray, " text"]

Sums = csr_array[np.float64]  # [cluster, text]: adds up over each cluster


def group_of(
    texts: GroupedTexts, points: Points, factor: str, group: str, thresholds: tuple[float, ...]
) -> tuple[dict[str, object], list[pd.DataFrame]]:
    """A row of `SRM_GROUPS`, and the group's rows of `SRM_CURVES`.

    A group of fewer than two prompts has no numbers and no curves.

    Args:
        texts: The texts.
        points: Projections of their unit vectors.
        factor: What they are grouped by.
        group: Value of the factor.
        thresholds: Of the projection.
    """
    mine = members(texts.labels, factor, group)
    row: dict[str, object] = {
        "factor": factor,
        "group": group,
        "n": int(mine.sum()),
        "n_left_out": int(members(texts.blank, factor, group).sum()),
        "n_clusters": 0,
        "expected_power": 2 / len(texts.neurons),
    }
    prompts, cores = texts.labels["prompt_id"][mine], texts.labels["core"][mine]
    if len(set(prompts)) < 2:
        return row, []
    clusters = _clusters(prompts, cores)
    sums = csr_array((np.ones(len(clusters)), (clusters, np.arange(len(clusters)))))
    own, weight = points[mine], texts.weight[mine]
    grey = weight @ own / weight.sum()
    drawn = _curves(own, weight, sums, grey, thresholds)
    row |= {"n_clusters": sums.shape[0], **_summary(own, weight, sums, grey)}
    more = weight * ((own**2).sum(1) - 2 / len(texts.neurons))  # squared length beyond chance
    row["power_p"] = float(sign_flip((sums @ more)[:, None])[0])
    return row, [one.assign(factor=factor, group=group)[list(SRM_CURVES.columns)] for one in drawn]


def _clusters(prompts: np.ndarray, cores: np.ndarray) -> Int[np.ndarray, " text"]:
    """What resampling draws whole: cores if there are enough of them, else prompts; from 0."""
    whole = None not in set(cores) and len(set(cores)) >= MIN_CORES
    return np.asarray(pd.factorize(cores if whole else prompts)[0])


def _summary(
    points: Points, weight: Weights, sums: Sums, grey: Float64[np.ndarray, " 2"]
) -> dict[str, float]:
    angle = np.arctan2(grey[1], grey[0])
    peak = points @ [np.cos(angle), np.sin(angle)]  # r is the mean of these
    power = (points**2).sum(1)
    ends = _mean_ends(np.c_[peak, power], weight, sums)
    return {
        "r": float(np.hypot(*grey)),
        "r_low": ends[0, 0],
        "r_high": ends[0, 1],
        "angle": float(np.degrees(angle) % 360),
        "stability": _stability(sums @ (weight[:, None] * points), sums @ weight),
        "mean_power": float(weight @ power / weight.sum()),
        "power_low": ends[1, 0],
        "power_high": ends[1, 1],
    }


def _mean_ends(
    values: Float64[np.ndarray, "text row"], weight: Weights, sums: Sums
) -> Float64[np.ndarray, "row 2"]:
    """Ends of the 95 % bootstrap interval of the weighted mean of each column."""
    parts = sums @ (weight[:, None] * values)
    wholes = np.broadcast_to((sums @ weight)[:, None], parts.shape)
    return cluster_bootstrap(parts, wholes, seed=SEED)


def _stability(
    sums: Float64[np.ndarray, "cluster 2"], weights: Float64[np.ndarray, " cluster"]
) -> float:
    """Mean cosine of the grey vectors of two random halves of the clusters; nan if a half has none.

    It is also the mean correlation of the halves' mean curves, which are cosines of the angle.
    """
    n = len(sums)
    drawn = np.random.default_rng(SEED).permuted(np.tile(np.arange(n), (N_SPLITS, 1)), axis=1)
    one = (drawn < n // 2).astype(float)
    greys = [half @ sums / (half @ weights)[:, None] for half in (one, 1 - one)]
    with np.errstate(invalid="ignore"):
        cosines = (greys[0] * greys[1]).sum(1) / np.hypot(*greys[0].T) / np.hypot(*greys[1].T)
    return float(cosines.mean())


def _curves(
    points: Points,
    weight: Weights,
    sums: Sums,
    grey: Float64[np.ndarray, " 2"],
    thresholds: tuple[float, ...],
) -> list[pd.DataFrame]:
    """The mean curve in closed form, and for each threshold the two counts, with their bands."""
    degrees = np.arange(N_ANGLES) * 360 / N_ANGLES
    theta = np.radians(degrees)
    scores = points @ np.array([np.cos(theta), np.sin(theta)])  # v.p, [text, angle]
    mean = np.hypot(*grey) * np.cos(theta - np.arctan2(grey[1], grey[0]))
    found = [("mean", float("nan"), mean, _mean_ends(scores, weight, sums))]
    one = np.ones(len(points))
    for threshold in thresholds:
        above = (scores >= threshold).astype(float)
        for name, each in (("count", above), ("signed_count", above - (scores <= -threshold))):
            ends = _mean_ends(each, one, sums) * len(points)
            found.append((name, threshold, each.sum(0), ends))
    return [
        pd.DataFrame({"curve": name, "threshold": threshold, "angle": degrees, "value": value,
                      "low": ends[:, 0], "high": ends[:, 1]})
        for name, threshold, value, ends in found
    ]  # fmt: skip
