"""How chosen neurons differ from the others of their layer, and from neurons of like weights.

A neuron's dominance over some others is the share of them that lie below it minus the share above:
its mean over the chosen neurons is Cliff's delta, here within layers. Neurons of like weights are
the nearest of the layer in the logarithm of the norm of the output weights.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int

MATCHED = 5  # neurons that a chosen one is matched to

FEW_LAYERS = 5  # with fewer, neurons are drawn anew within layers instead of layers

_DRAWS = 2000

_PERMUTATIONS = 999


class Population(NamedTuple):
    """Neurons that are compared.

    Attributes:
        layer: Of each.
        norm: Of its output weights.
        chosen: Whether it is one of those that are held against the others.
    """

    layer: Int[np.ndarray, " neuron"]
    norm: Float64[np.ndarray, " neuron"]
    chosen: Bool[np.ndarray, " neuron"]


class Sets(NamedTuple):
    """Chosen neurons and those that each is matched to, by row of the population."""

    own: Int[np.ndarray, " set"]
    like: Int[np.ndarray, "set matched"]


class Contrast(NamedTuple):
    """Of a measure, over the chosen neurons.

    Attributes:
        n: Chosen neurons that have the measure and neurons to be held against.
        n_layers: Layers that they are in.
        delta: Cliff's delta against all others of the layer, in -1..1.
        low: Lower end of its 95 % interval.
        high: Upper end.
        matched: Cliff's delta against the matched neurons.
        matched_low: Lower end of its 95 % interval.
        matched_high: Upper end.
        p: Two-sided p value of `matched`, the chosen one of each set drawn by lot.
    """

    n: int
    n_layers: int
    delta: float
    low: float
    high: float
    matched: float
    matched_low: float
    matched_high: float
    p: float


NOTHING = Contrast(0, 0, *[float("nan")] * 7)


def match(population: Population, number: int = MATCHED) -> Sets:
    """Sets of a chosen neuron and the nearest others; a neuron may be in several.

    Args:
        population: Neurons.
        number: Others of each set; chosen neurons of layers with fewer have no set.
    """
    logs = np.log(np.maximum(population.norm, np.finfo(float).tiny))
    own, like = [], []
    for at in np.flatnonzero(population.chosen):
        free = np.flatnonzero((population.layer == population.layer[at]) & ~population.chosen)
        if len(free) >= number:
            order = np.argsort(np.abs(logs[free] - logs[at]), kind="stable")
            own.append(at)
            like.append(free[order[:number]])
    return Sets(np.array(own, dtype=np.int64), np.array(like, dtype=np.int64).reshape(-1, number))


def dominance(
    own: Float64[np.ndarray, " chosen"], others: Float64[np.ndarray, " other"]
) -> Float64[np.ndarray, " chosen"]:
    """Share of the others below each value minus the share above, in -1..1."""
    ascending = np.sort(others)
    below, not_above = (np.searchsorted(ascending, own, side) for side in ("left", "right"))
    return np.asarray((below + not_above) / len(others) - 1.0)


def contrast(
    measure: Float64[np.ndarray, " neuron"], population: Population, seed: int
) -> Contrast:
    """How the chosen neurons differ in a measure; see `Contrast`.

    Neurons without the measure (nan) are left out.

    Args:
        measure: Of each neuron.
        population: The neurons.
        seed: Of draws and permutations.
    """
    known = np.isfinite(measure)
    values, some = measure[known], Population(*(part[known] for part in population))
    sets = match(some)
    if not len(sets.own):
        return NOTHING
    layers = some.layer[sets.own]
    over_all = _over_layer(values, some, sets)
    over_like = over_matched(values, sets)
    ends = [interval(one, layers, seed) for one in (over_all, over_like)]
    return Contrast(
        len(sets.own),
        len(np.unique(layers)),
        float(over_all.mean()),
        *ends[0],
        float(over_like.mean()),
        *ends[1],
        exchanged_p(values, sets, seed),
    )


def _over_layer(
    values: Float64[np.ndarray, " neuron"], some: Population, sets: Sets
) -> Float64[np.ndarray, " set"]:
    """Dominance of each set's chosen neuron over all of its layer that are not chosen."""
    found = np.empty(len(sets.own))
    for layer in np.unique(some.layer[sets.own]):
        rest = values[(some.layer == layer) & ~some.chosen]
        own = some.layer[sets.own] == layer
        found[own] = dominance(values[sets.own[own]], rest)
    return found


def over_matched(values: Float64[np.ndarray, " neuron"], sets: Sets) -> Float64[np.ndarray, " set"]:
    """Dominance of each set's chosen neuron over the others of the set."""
    return np.asarray(np.sign(values[sets.own, None] - values[sets.like]).mean(1))


def interval(
    units: Float64[np.ndarray, " unit"], layers: Int[np.ndarray, " unit"], seed: int
) -> tuple[float, float]:
    """95 % interval of a mean over chosen neurons, from draws with replacement (`drawn`)."""
    means = drawn(np.stack([units, np.ones(len(units))], 1), layers, seed)
    low, high = np.quantile(means[:, 0] / means[:, 1], [0.025, 0.975])
    return float(low), float(high)


def drawn(
    units: Float64[np.ndarray, "unit column"], layers: Int[np.ndarray, " unit"], seed: int
) -> Float64[np.ndarray, "draw column"]:
    """Sums over neurons drawn with replacement, once a draw.

    Whole layers are drawn; of fewer than `FEW_LAYERS`, neurons within each layer: what layers
    have in common is then not in the spread.

    Args:
        units: What is summed, of each neuron.
        layers: Layer of each.
        seed: Of the draws.
    """
    rng, names = np.random.default_rng(seed), np.unique(layers)
    if len(names) >= FEW_LAYERS:
        sums = np.array([units[layers == name].sum(0) for name in names])
        return np.asarray(rng.multinomial(len(names), [1 / len(names)] * len(names), _DRAWS) @ sums)
    total = np.zeros((_DRAWS, units.shape[1]))
    for name in names:
        own = units[layers == name]
        total += rng.multinomial(len(own), [1 / len(own)] * len(own), _DRAWS) @ own
    return total


def exchanged_p(values: Float64[np.ndarray, " neuron"], sets: Sets, seed: int) -> float:
    """Two-sided p value, in 0..1: is the chosen neuron of each set any one of the set?

    Args:
        values: Of each neuron.
        sets: Chosen and matched neurons.
        seed: Of the lots.
    """
    members = values[np.concatenate([sets.own[:, None], sets.like], axis=1)]  # [set, member]
    signs = np.sign(members[:, :, None] - members[:, None, :]).sum(2) / (members.shape[1] - 1)
    rng = np.random.default_rng(seed)
    lots = rng.integers(members.shape[1], size=(_PERMUTATIONS, len(members)))
    means = signs[np.arange(len(members)), lots].mean(1)
    own = abs(float(signs[:, 0].mean()))
    return float((1 + (np.abs(means) >= own - 1e-12).sum()) / (1 + _PERMUTATIONS))


class Difference(NamedTuple):
    """Of two groups' deltas against their matched neurons; see `beyond`."""

    value: float
    low: float
    high: float
    p: float


def beyond(
    measure: Float64[np.ndarray, " neuron"], one: Population, two: Population, seed: int
) -> Difference:
    """How much more the neurons chosen in the first way differ than those chosen in the second.

    Both are drawn anew together, so that neurons chosen in both ways do not count twice.

    Args:
        measure: Of each neuron; nan where it has none.
        one: Neurons, those chosen in the first way.
        two: The same neurons, those chosen in the second.
        seed: Of the draws.
    """
    known = np.isfinite(measure)
    units = np.zeros((int(known.sum()), 4))
    for at, population in enumerate((one, two)):
        sets = match(Population(*(part[known] for part in population)))
        units[sets.own, 2 * at] = over_matched(measure[known], sets)
        units[sets.own, 2 * at + 1] = 1
    some = units[:, 1::2].any(1)
    sums = units.sum(0)
    if not (sums[1] and sums[3]):
        return Difference(*[float("nan")] * 4)
    found = drawn(units[some], one.layer[known][some], seed)
    found = found[(found[:, 1] > 0) & (found[:, 3] > 0)]
    differences = found[:, 0] / found[:, 1] - found[:, 2] / found[:, 3]
    low, high = np.quantile(differences, [0.025, 0.975])
    tail = 1 + min((differences <= 0).sum(), (differences >= 0).sum())
    return Difference(
        float(sums[0] / sums[1] - sums[2] / sums[3]),
        float(low),
        float(high),
        min(1.0, float(2 * tail / (1 + len(differences)))),
    )
