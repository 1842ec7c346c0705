"""Do two groups of texts point another way in the plane? A permutation test of grey vectors.

The largest difference of two mean curves over all angles is the length of the difference of the two
grey vectors: the statistic.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Int

from clampsweep.statistics import benjamini_hochberg, permuted_labels, rank_interval, rank_p
from clampsweep.studies.srm.curves import GROUP_COLUMNS
from clampsweep.studies.srm.plane import Srm
from clampsweep.studies.srm.texts import BASELINE, GroupedTexts, Labels, Points, members, spanning
from clampsweep.tables import Column, Schema

SRM_DIFFERENCES = Schema(
    "srm_differences",
    {
        "factor": GROUP_COLUMNS["factor"],
        "group_a": Column("str", "one group"),
        "group_b": Column("str", "the group whose mean curve is subtracted"),
        "n_a": Column("int", "number of texts of group_a compared"),
        "n_b": Column("int", "number of texts of group_b compared"),
        "distance": Column(
            "float", "largest difference of the mean curves; null if under 2 prompts", null=True
        ),
        "angle": Column("float", "angle at which it is reached, degrees in 0..360", null=True),
        "critical": Column("float", "95 % quantile of distance under permutation", null=True),
        "expected": Column("float", "median of distance under permutation", null=True),
        "low": Column("float", "95 % lower bound of distance, null being expected", null=True),
        "high": Column("float", "95 % upper bound, in the same way", null=True),
        "p": Column("float", "permutation p of distance", null=True),
        "least_p": Column("float", "the smallest p that so few prompts allow", null=True),
        "q": Column("float", "p after Benjamini-Hochberg over the factor's pairs", null=True),
    },
    key=("factor", "group_a", "group_b"),
)

N_PERMUTATIONS = 2000

SEED = 0

_DRAWS_AT_ONCE = 250

Some = Int[np.ndarray, " some"]

Marks = Bool[np.ndarray, "draw some"]

Gaps = Float64[np.ndarray, "draw 2"]


def differences_of(texts: GroupedTexts, points: Points, factor: str, srm: Srm) -> pd.DataFrame:
    """`SRM_DIFFERENCES` of a factor: all pairs of groups, or each clamp against baseline.

    A pair with a group of fewer than two prompts has no numbers.

    Args:
        texts: The texts.
        points: Projections of their unit vectors.
        factor: What they are grouped by.
        srm: The plane.
    """
    groups = texts.groups[factor]
    pairs = list(combinations(groups, 2))
    if factor == "clamp":
        pairs = [(group, BASELINE) for group in groups if group != BASELINE]
    rows = [_difference(texts, points, factor, pair, srm) for pair in pairs]
    table = pd.DataFrame(rows, columns=list(SRM_DIFFERENCES.columns))
    tested = table["p"].notna()
    table.loc[tested, "q"] = benjamini_hochberg(table.loc[tested, "p"].tolist())
    return table


def _difference(
    texts: GroupedTexts, points: Points, factor: str, pair: tuple[str, str], srm: Srm
) -> dict[str, object]:
    """One pair: the difference of its grey vectors, and how often chance makes one as long."""
    rows, is_a = _compared(texts.labels, factor, pair)
    found: dict[str, object] = {
        "factor": factor, "group_a": pair[0], "group_b": pair[1],
        "n_a": int(is_a.sum()), "n_b": int((~is_a).sum()),
    }  # fmt: skip
    names = {name: column[rows] for name, column in texts.labels.items()}
    if min(len(set(names["prompt_id"][side])) for side in (is_a, ~is_a)) < 2:
        return found
    fixed, weight = points[None, rows], texts.weight[rows]
    observed = _gaps(is_a[None], fixed, weight)[0]
    dealt = permuted_labels(is_a, *_exchangeable(names, factor, is_a), N_PERMUTATIONS, SEED)
    if _changes_plane(srm, factor, pair):
        gaps = _gaps_anew(texts, rows, dealt, factor, pair, srm)
    else:
        gaps = np.concatenate([_gaps(some, fixed, weight) for some in _parts(dealt)])
    distance = float(np.hypot(*observed))
    # Lengths that are equal but for rounding count as equal.
    chance = (np.nan_to_num(np.hypot(*gaps.T), nan=np.inf) * (1 + 1e-9)).tolist()
    low, high = rank_interval(distance, chance)
    return found | {
        "distance": distance,
        "angle": float(np.degrees(np.arctan2(observed[1], observed[0])) % 360),
        "critical": float(np.quantile(chance, 0.95, method="higher")),
        "expected": float(np.median(chance)),
        "low": low,
        "high": high,
        "p": rank_p(distance, chance),
        "least_p": rank_p(max(chance) * (1 - 2e-9), chance),
    }


def _compared(
    labels: Labels, factor: str, pair: tuple[str, str]
) -> tuple[Some, Bool[np.ndarray, " some"]]:
    """The texts of two groups, and which are of the first; clamps meet prompt by prompt."""
    in_a, in_b = (members(labels, factor, group) for group in pair)
    if factor == "clamp":
        prompts = labels["prompt_id"]
        both = set(prompts[in_a]) & set(prompts[in_b])
        paired = np.array([name in both for name in prompts], dtype=bool)
        in_a, in_b = in_a & paired, in_b & paired
    rows = np.flatnonzero(in_a | in_b)
    return rows, in_a[rows]


def _exchangeable(names: Labels, factor: str, is_a: Bool[np.ndarray, " some"]) -> tuple[Some, Some]:
    """Units, whose texts share a label; and strata, in which units may exchange theirs.

    A prompt's clamped texts swap with its baselines. Prompts swap within their core; if no core
    has both groups, whole cores do. Prompts swap freely if cores are compared, or not known.
    """
    prompts, cores = (np.asarray(pd.factorize(names[name])[0]) for name in ("prompt_id", "core"))
    if factor == "clamp":
        return np.asarray(pd.factorize(2 * prompts + is_a)[0]), prompts
    anywhere = np.zeros_like(prompts)
    if factor == "core" or (cores < 0).any():
        return prompts, anywhere
    return (prompts, cores) if set(cores[is_a]) & set(cores[~is_a]) else (cores, anywhere)


def _gaps(
    marks: Marks, points: Float64[np.ndarray, "#draw some 2"], weight: Float64[np.ndarray, " some"]
) -> Gaps:
    """Grey vector of the texts marked minus that of the others, for each way to mark them."""
    side = np.array([marks, ~marks]) * weight  # [2, draw, some]
    greys = (side / side.sum(2, keepdims=True))[:, :, None] @ points  # [2, draw, 1, 2]
    return np.asarray((greys[0] - greys[1])[:, 0])


def _parts(dealt: Marks) -> list[Bool[np.ndarray, "part some"]]:
    """Some draws at a time: all together would fill the memory."""
    return np.array_split(dealt, -(-len(dealt) // _DRAWS_AT_ONCE))


def _changes_plane(srm: Srm, factor: str, pair: tuple[str, str]) -> bool:
    """Whether the plane is made of the very labels that are exchanged."""
    named = {str(group[factor]) for group in srm.prompt_groups if factor in group}
    return bool(named & set(pair)) or bool(srm.prompt_groups and factor == "clamp")


def _gaps_anew(
    texts: GroupedTexts, rows: Some, dealt: Marks, factor: str, pair: tuple[str, str], srm: Srm
) -> Gaps:
    """`_gaps`, each in the plane that the labels dealt out span; nan if one vector has no text.

    In a plane made to tell two groups apart they differ by construction: chance must have the same
    privilege.
    """
    pool = np.union1d(rows, np.flatnonzero(texts.labels["clamp"] == BASELINE))
    labels = {name: column[pool] for name, column in texts.labels.items()}
    place = np.searchsorted(pool, rows)
    found = []
    for some in _parts(dealt):
        own = np.tile(labels[factor], (len(some), 1))
        own[:, place] = np.where(some, *pair)
        one, other = (
            np.broadcast_to(spanning({**labels, factor: own}, group), own.shape)
            * texts.weight[pool]
            for group in srm.prompt_groups
        )
        points = _points_in(texts.vectors[pool], one, other)[:, place]
        found.append(_gaps(some, points, texts.weight[rows]))
    return np.concatenate(found)


def _points_in(
    vectors: Float64[np.ndarray, "text d"],
    one: Float64[np.ndarray, "draw text"],
    other: Float64[np.ndarray, "draw text"],
) -> Float64[np.ndarray, "draw text 2"]:
    """Projections of unit vectors onto the planes of two weighted means of the vectors.

    Gram-Schmidt on inner products with each vector; the means' lengths do not matter.

    Args:
        vectors: The vectors, of any length.
        one: Weights of the first mean.
        other: Weights of the second.
    """
    first, second = (one @ vectors) @ vectors.T, (other @ vectors) @ vectors.T
    with np.errstate(invalid="ignore"):  # a mean of no texts
        first = first / np.sqrt((first * one).sum(1, keepdims=True))
        second = second - (first * other).sum(1, keepdims=True) * first
        second = second / np.sqrt((second * other).sum(1, keepdims=True))
    scaled = np.array([first, second])
    return np.asarray(np.moveaxis(scaled / np.linalg.norm(vectors, axis=1), 0, -1))
