"""How far each neuron tells events from controls: Hedges' g, area, Mann-Whitney, largest of all.

Ranks are taken once a column; sums of ranks under permuted labels, for all neurons of a layer and
all permutations, are one product of matrices. Labels are exchanged within a match only, an event
with its own controls; and where some of these are of its own trace, with these alone: events of one
trace are alike, and would seem a class of their own. Westfall and Young (1993): p_max is the share
of permutations in which the rank sum of any neuron of any layer is as many SDs from what is
expected of it under permutations.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float64, Int
from scipy.stats import norm, rankdata

from clampsweep.statistics import benjamini_hochberg, permuted_labels
from clampsweep.studies.backtracking.pools import EVENT, SAME
from clampsweep.tables import Column, Schema

KEPT = 20  # permutations of which the top neurons are kept, to be tested as the true ones are

NEURONS = Schema(
    "backtracking neurons",
    {
        "position_kind": Column("str", "pre, pred, onset or window"),
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "index in the layer"),
        "n1": Column("int", "events of the split discover"),
        "n0": Column("int", "their controls"),
        "mean1": Column("float", "mean post-activation at events"),
        "mean0": Column("float", "at controls"),
        "sd1": Column("float", "standard deviation at events"),
        "sd0": Column("float", "at controls"),
        "size0": Column("float", "mean |post-activation| at controls"),
        "g": Column("float", "Hedges' g: difference of means in pooled SDs, bias-corrected"),
        "g_low": Column("float", "its 95 % interval, lower end"),
        "g_high": Column("float", "upper end"),
        "auc": Column("float", "share of event-control pairs in which the event is higher"),
        "z": Column("float", "rank sum of events in SDs from its mean, ties corrected"),
        "p": Column("float", "Mann-Whitney, two-sided"),
        "q": Column("float", "Benjamini-Hochberg over all neurons of the position kind"),
        "p_max": Column(
            "float", "share of permutations in which any neuron is as far from what is expected"
        ),
        "sign": Column("int", "1 if higher at events, else -1"),
        "rank": Column("int", "by |z|, 1 is largest"),
        "auc_select": Column("float", "area in the split select, turned by sign"),
        "auc_test": Column("float", "area in the split test, turned by sign"),
    },
    key=("position_kind", "layer", "neuron"),
)


class Labels(NamedTuple):
    """Labels of some samples, true and permuted.

    Attributes:
        y: Whether each is an event.
        permuted: The same with labels dealt out anew among samples that may exchange them.
        expected: Mean label of each sample over all ways to deal them.
    """

    y: Bool[np.ndarray, " sample"]
    permuted: Bool[np.ndarray, "draw sample"]
    expected: Float64[np.ndarray, " sample"]

    @classmethod
    def of(cls, samples: pd.DataFrame, draws: int, seed: int) -> Labels:
        """Labels of rows of `SAMPLES`."""
        y = samples["y"].to_numpy() == 1
        among = _exchangeable(samples)
        expected = pd.Series(y.astype(float)).groupby(among).transform("mean").to_numpy()
        return cls(y, permuted_labels(y, np.arange(len(y)), among, draws, seed), expected)


def _exchangeable(samples: pd.DataFrame) -> Int[np.ndarray, " sample"]:
    """A number for the samples of a match, and another for those that exchange no label with it."""
    match = pd.factorize(samples["match_id"])[0]
    own = samples["control_kind"].isin([EVENT, SAME]).to_numpy()
    several = pd.Series(own).groupby(match).transform("sum").to_numpy() > 1
    return 2 * match + (several & ~own)


class Scored(NamedTuple):
    """A layer's neurons: a value for each, and z under permuted labels.

    Attributes:
        z: Rank sum of events in SDs from its mean over all labels.
        auc: Area.
        permuted: Of z.
        beyond: Rank sum in SDs from its mean over permuted labels.
        largest: Largest size of that of any neuron, of each permutation.
    """

    z: Float64[np.ndarray, " neuron"]
    auc: Float64[np.ndarray, " neuron"]
    permuted: Float[np.ndarray, "draw neuron"]
    beyond: Float64[np.ndarray, " neuron"]
    largest: Float64[np.ndarray, " draw"]


def score(values: Float[np.ndarray, "sample neuron"], labels: Labels) -> Scored:
    """Rank sums of events, true and permuted.

    A neuron that is the same everywhere has z 0 and area 0.5.

    Args:
        values: Post-activations.
        labels: Of the samples.
    """
    ranks, variance = _ranked(values)
    n, n1 = len(values), int(labels.y.sum())
    n0 = n - n1
    every = np.concatenate([labels.y[None], labels.permuted]).astype(np.float32)
    # Centred ranks are halves of whole numbers: of some 4,000 samples their sums are exact.
    centred = ranks - (n + 1) / 2
    sums = every @ centred.astype(np.float32)  # [1 + draw, neuron]
    spread = np.sqrt(variance * n1 * n0 / (n - 1))  # of the sum, ties in it
    per_sum = np.divide(1.0, spread, where=spread > 0, out=np.zeros_like(spread))
    z = sums * per_sum
    area = 0.5 + sums[0].astype(float) / (n1 * n0)
    beyond = z - labels.expected @ centred * per_sum
    return Scored(z[0], area, z[1:].astype(np.float32), beyond[0], np.abs(beyond[1:]).max(1))


def _ranked(
    values: Float[np.ndarray, "sample neuron"],
) -> tuple[Float64[np.ndarray, "sample neuron"], Float64[np.ndarray, " neuron"]]:
    """Average ranks of each column, and their variance (ties make it smaller)."""
    ranks = rankdata(values, axis=0)
    return ranks, ranks.var(0)


class Ranked(NamedTuple):
    """What comes of a position kind.

    Attributes:
        neurons: Columns of `NEURONS` but the held-out ones, in order of layer and neuron.
        permuted: Of some permutations the top neurons: place in `neurons`, best first.
        signs: Of these, 1 if higher at events.
        largest: How far the neuron that is farthest is from what is expected, in each permutation.
    """

    neurons: pd.DataFrame
    permuted: Int[np.ndarray, "draw top"]
    signs: Int[np.ndarray, "draw top"]
    largest: Float64[np.ndarray, " draw"]


def rank(layers: Iterable[Float[np.ndarray, "sample neuron"]], labels: Labels, top: int) -> Ranked:
    """Rank the neurons of all layers.

    Args:
        layers: Post-activations of each layer at the samples, one after the other.
        labels: Of the samples.
        top: How many of the top neurons of a permutation are kept.
    """
    frames, bests, beyond = [], [], []
    largest = np.zeros(len(labels.permuted))
    offset = 0
    for number, values in enumerate(layers):
        scored = score(values, labels)
        frames.append(_frame(number, values, labels.y, scored))
        largest = np.maximum(largest, scored.largest)
        beyond.append(scored.beyond)
        bests.append(_best(scored.permuted[:KEPT], top, offset))
        offset += values.shape[1]
    neurons = pd.concat(frames, ignore_index=True)
    neurons["q"] = benjamini_hochberg(neurons["p"].tolist())
    far = np.abs(np.concatenate(beyond))
    hits = len(largest) - np.searchsorted(np.sort(largest), far - 1e-6)
    neurons["p_max"] = (1 + hits) / (1 + len(largest))
    neurons["rank"] = rankdata(-np.abs(neurons["z"].to_numpy()), method="ordinal").astype(int)
    z, place = (np.concatenate(parts, axis=1) for parts in zip(*bests, strict=True))
    order = np.argsort(-np.abs(z), axis=1, kind="stable")[:, :top]
    signs = np.where(np.take_along_axis(z, order, 1) >= 0, 1, -1)
    return Ranked(neurons, np.take_along_axis(place, order, 1), signs, largest)


def _best(
    z: Float[np.ndarray, "draw neuron"], top: int, offset: int
) -> tuple[Float[np.ndarray, "draw best"], Int[np.ndarray, "draw best"]]:
    """Largest |z| of a layer in each permutation, and which neurons these are."""
    order = np.argsort(-np.abs(z), axis=1, kind="stable")[:, :top]
    return np.take_along_axis(z, order, 1), order + offset


def _frame(
    layer: int,
    values: Float[np.ndarray, "sample neuron"],
    y: Bool[np.ndarray, " sample"],
    scored: Scored,
) -> pd.DataFrame:
    """Rows of a layer."""
    events, controls = values[y].astype(float), values[~y].astype(float)
    g, half = hedges(events, controls)
    return pd.DataFrame(
        {
            "layer": layer,
            "neuron": np.arange(values.shape[1]),
            "n1": len(events),
            "n0": len(controls),
            "mean1": events.mean(0),
            "mean0": controls.mean(0),
            "sd1": events.std(0, ddof=1),
            "sd0": controls.std(0, ddof=1),
            "size0": np.abs(controls).mean(0),
            "g": g,
            "g_low": g - half,
            "g_high": g + half,
            "auc": scored.auc,
            "z": scored.z,
            "p": 2 * norm.sf(np.abs(scored.z)),
            "sign": np.where(scored.z >= 0, 1, -1),
        }
    )


def hedges(
    events: Float64[np.ndarray, "event neuron"], controls: Float64[np.ndarray, "control neuron"]
) -> tuple[Float64[np.ndarray, " neuron"], Float64[np.ndarray, " neuron"]]:
    """Hedges' g of each column, in pooled SDs, and half its 95 % interval.

    Hedges and Olkin (1985): d (1 - 3 / (4 (n1 + n0) - 9)), variance (n1 + n0) / (n1 n0) + g^2 /
    (2 (n1 + n0)). 0 where neither class varies.

    Args:
        events: Values of one class, at least two.
        controls: Values of the other, at least two.
    """
    n1, n0 = len(events), len(controls)
    pooled = ((n1 - 1) * events.var(0, ddof=1) + (n0 - 1) * controls.var(0, ddof=1)) / (n1 + n0 - 2)
    gap = events.mean(0) - controls.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(pooled > 0, gap / np.sqrt(pooled), 0.0)
    g = d * (1 - 3 / (4 * (n1 + n0) - 9))
    variance = (n1 + n0) / (n1 * n0) + g**2 / (2 * (n1 + n0))
    return g, 1.96 * np.sqrt(variance)
