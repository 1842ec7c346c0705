"""Statistics of every neuron in every domain, and how far they can be relied on.

From sums over blocks alone. Kurtosis is Pearson's (3 for a Gaussian). Even blocks (`discovery`)
and odd ones (`confirmation`) are halves of a domain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from scipy import stats

from clampsweep.models.moments import Sums, add_up
from clampsweep.studies.universal.jackknife import all_but_one, estimate
from clampsweep.studies.universal.moment_shards import Neurons, Part
from clampsweep.tables import Column, Schema

_PLACE = {
    "domain": Column("str", "kind of text"),
    "var": Column("str", "gate (of an MLP without one, its pre-activation), up or post"),
}

STATS = Schema(
    "universal stats",
    {
        **_PLACE,
        "layer": Column("int", "layer, from 0"),
        "neuron": Column("int", "neuron of the layer, from 0"),
        "n": Column("int", "number of positions"),
        "mean": Column("float", "mean, activation units"),
        "variance": Column("float", "unbiased variance"),
        "skew": Column("float", "m3 / m2^1.5; null where constant", null=True),
        "kurt": Column("float", "Pearson's kurtosis, m4 / m2^2; null where constant", null=True),
        "freq": Column("float", "share of positions above 0"),
        "log_kurt_se": Column(
            "float", "standard error of log kurt, blocks left out in turn", null=True
        ),
        "kurt_discovery": Column("float", "kurt over even blocks", null=True),
        "kurt_confirmation": Column("float", "kurt over odd blocks", null=True),
    },
    key=("domain", "var", "layer", "neuron"),
)

RELIABILITY = Schema(
    "universal reliability",
    {
        **_PLACE,
        "layer": Column("int", "layer, from 0"),
        "spearman": Column(
            "float", "rank correlation of kurt of even and of odd blocks over neurons", null=True
        ),
        "reliable": Column("bool", "whether spearman is at least 0.5"),
        "median_kurt": Column("float", "median kurt of the layer's neurons", null=True),
        "n_neurons": Column("int", "neurons whose kurt is defined"),
    },
    key=("domain", "var", "layer"),
)

_ENDS = {
    "low": "95 % interval, lower end (blocks left out in turn)",
    "high": "the same, upper end",
    "se": "standard error",
    "df": "degrees of freedom of its t distribution",
}

HALVES = Schema(
    "universal halves",
    {
        **_PLACE,
        "measure": Column(
            "str",
            "spearman: rank correlation of kurt of the halves over all neurons; growth: median log "
            "kurt of all blocks less the halves' mean of it; negative: share of neurons of a mean "
            "below 0",
        ),
        "value": Column("float", "the measure", null=True),
        **{name: Column("float", doc, null=True) for name, doc in _ENDS.items()},
        "n_neurons": Column("int", "number of neurons"),
        "n_blocks": Column("int", "number of blocks"),
    },
    key=("domain", "var", "measure"),
)

RELIABLE = 0.5


class Tables(NamedTuple):
    """Rows of a domain and a kind of activation: `STATS`, `RELIABILITY`, `HALVES`."""

    stats: pd.DataFrame
    reliability: pd.DataFrame
    halves: pd.DataFrame


class _Drawn(NamedTuple):
    """What a domain's blocks give, all together, one left out in turn, and by halves.

    Attributes:
        all: Sums over all blocks, [neuron].
        log_kurt: Of all blocks, then without each, [1 + block, neuron].
        means: The same of means.
        halves: Log kurt of the even blocks and of the odd, [2, neuron].
        left: Log kurt of the half that a block is in, without it, [block, neuron].
    """

    all: Sums
    log_kurt: Float64[np.ndarray, "draw neuron"]
    means: Float64[np.ndarray, "draw neuron"]
    halves: Float64[np.ndarray, "half neuron"]
    left: Float64[np.ndarray, "block neuron"]


def tables_of(domain: str, var: str, part: Part) -> Tables:
    """Statistics of a domain and a kind of activation.

    Args:
        domain: Name of the domain.
        var: Kind of activation.
        part: Its moments; at least two blocks.
    """
    drawn = _drawn(part.sums)
    place = {"domain": domain, "var": var}
    stats_rows = pd.DataFrame({**place, **_columns(drawn, part.neurons)})
    return Tables(stats_rows, _by_layer(drawn, part.neurons, place), _whole(drawn, place))


def _drawn(blocks: Sums) -> _Drawn:
    n = len(blocks.n)
    odd = np.arange(n) % 2
    halves = np.stack([1 - odd, odd])
    left = halves[odd] - np.eye(n, dtype=int)
    found = add_up(blocks, np.concatenate([all_but_one(n), halves, left]))
    log_kurt = np.log(found.kurtosis)
    return _Drawn(
        Sums(*(one[0] for one in found)),
        log_kurt[: n + 1],
        found.mean[: n + 1],
        log_kurt[n + 1 : n + 3],
        log_kurt[n + 3 :],
    )


def _columns(drawn: _Drawn, neurons: Neurons) -> dict[str, np.ndarray]:
    """Columns of `STATS` but the first two."""
    left = drawn.log_kurt[1:]
    n = len(left)
    se = np.sqrt((n - 1) / n * ((left - left.mean(0)) ** 2).sum(0))
    even, odd = np.exp(drawn.halves)
    return {
        "layer": neurons.layer,
        "neuron": neurons.number,
        "n": drawn.all.n.astype(np.int64),
        "mean": drawn.all.mean,
        "variance": drawn.all.variance,
        "skew": drawn.all.skewness,
        "kurt": drawn.all.kurtosis,
        "freq": drawn.all.share_positive,
        "log_kurt_se": se,
        "kurt_discovery": even,
        "kurt_confirmation": odd,
    }


def _by_layer(drawn: _Drawn, neurons: Neurons, place: dict[str, str]) -> pd.DataFrame:
    """Rows of `RELIABILITY`."""
    rows = []
    for layer in np.unique(neurons.layer):
        own = neurons.layer == layer
        known = own & np.isfinite(drawn.log_kurt[0])
        spearman = rank_correlation(*drawn.halves[:, own])
        rows.append(
            {
                **place,
                "layer": int(layer),
                "spearman": spearman,
                "reliable": spearman >= RELIABLE,
                "median_kurt": _median_kurt(drawn.log_kurt[0, known]),
                "n_neurons": int(known.sum()),
            }
        )
    return pd.DataFrame(rows)


def _median_kurt(log_kurt: Float64[np.ndarray, " neuron"]) -> float:
    return float(np.exp(np.median(log_kurt))) if len(log_kurt) else np.nan


def _whole(drawn: _Drawn, place: dict[str, str]) -> pd.DataFrame:
    """Rows of `HALVES`."""
    n_blocks = len(drawn.left)
    known = _known(np.concatenate([drawn.log_kurt, drawn.halves, drawn.left]))
    full, halves, left = (one[:, known] for one in (drawn.log_kurt, drawn.halves, drawn.left))
    medians = [_medians(one) for one in (full, halves, left)]
    half = np.arange(n_blocks) % 2
    growth = medians[0][1:] - (medians[2] + medians[1][1 - half]) / 2
    negative = (drawn.means < 0).mean(1)
    found = {
        "spearman": (
            rank_correlation(*halves),
            [rank_correlation(left[at], halves[1 - half[at]]) for at in range(n_blocks)],
        ),
        "growth": (float(medians[0][0] - medians[1].mean()), growth),
        "negative": (float(negative[0]), negative[1:]),
    }
    counts = {"n_neurons": drawn.means.shape[1], "n_blocks": n_blocks}
    rows = [
        {**place, "measure": name, **estimate(value, [without])._asdict(), **counts}
        for name, (value, without) in found.items()
    ]
    return pd.DataFrame(rows)


def _known(log_kurt: Float64[np.ndarray, "draw neuron"]) -> Bool[np.ndarray, " neuron"]:
    """Neurons whose kurtosis is defined in every draw."""
    return np.asarray(np.isfinite(log_kurt).all(0))


def _medians(table: Float64[np.ndarray, "draw neuron"]) -> Float64[np.ndarray, " draw"]:
    """Median of each row; nan without neurons."""
    return np.asarray(np.median(table, axis=1)) if table.size else np.full(len(table), np.nan)


def rank_correlation(
    first: Float64[np.ndarray, " neuron"], second: Float64[np.ndarray, " neuron"]
) -> float:
    """Spearman's rho over neurons known in both; nan for fewer than three, or for a constant."""
    known = np.isfinite(first) & np.isfinite(second)
    one, other = stats.rankdata(first[known]), stats.rankdata(second[known])
    if known.sum() < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(one, other)[0, 1])
