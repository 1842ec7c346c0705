"""Hold the neurons of a model against those of another: both run on the same texts, once.

Nulls beside it: the other's layers rotated; the first model's text shifted in a circle within each
sequence, which keeps the document; or swapped with another of its kind, which keeps the position,
that models can share without a text. A permuted copy of the model itself must be found again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float32, Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, HookPoint, hook_points
from clampsweep.studies.universal.correlation import (
    Best,
    Copy,
    Correlator,
    Products,
    best,
    rotated_best,
    same,
)
from clampsweep.studies.universal.correspondence import Aligned, Reading
from clampsweep.studies.universal.pair_tables import PERMUTED, SHIFTED, SWAPPED
from clampsweep.studies.universal.rotation import GAUSSIAN, ORTHOGONAL

TRIED = 48  # neurons for which all shifts and swaps are tried, where the other model is small

_TRIED_PAIRS = 2**20  # most pairs of these and the other model's neurons, but for 16 of these

_VALUES = 2**26  # activations that are held at a time: 256 MB

_SURE = 0.999  # correlation of a neuron with its own copy, but for rounding

Columns = Sequence[Int[np.ndarray, " _"]]

log = logging.getLogger(__name__)


class Matches(NamedTuple):
    """Rows of `PAIRS` and of `NULLS`, without the column `other`."""

    pairs: pd.DataFrame
    nulls: pd.DataFrame


class _Batch(NamedTuple):
    """Some sequences' post-activations of both models, and each sequence's number of places."""

    own: Float32[np.ndarray, "place a"]
    other: Float32[np.ndarray, "place b"]
    lengths: list[int]


def correlate(
    own: Model, other: Model, aligned: Aligned, columns: Columns, shifts: int, seed: int
) -> Matches:
    """A model's neurons, each with its best match in another model, and the nulls.

    Args:
        own: The model.
        other: The other one.
        aligned: The texts.
        columns: Neurons of each of the model's layers that are looked at, ascending.
        shifts: Shifts of the text that are tried, as many swaps and rotations; 0 for none.
        seed: Of all draws.
    """
    n_own, rng = sum(map(len, columns)), np.random.default_rng(seed)
    n_tried = min(TRIED, max(16, _TRIED_PAIRS // (other.n_layers * other.d_mlp)))
    tried = np.sort(rng.permutation(n_own)[:n_tried])
    every_own = [Copy(np.arange(n_own))] if shifts else []
    copies = [*every_own, *[Copy(tried)] * (shifts - 1), *[Copy(tried, swapped=True)] * shifts]
    every = [np.arange(other.d_mlp)] * other.n_layers
    running = Correlator(n_own, other.n_layers, other.d_mlp, copies, seed)
    width = n_own + sum(len(one.columns) for one in copies) + other.n_layers * other.d_mlp
    planted = None
    for batch in _batches(own, other, aligned, (columns, every), width, rng):
        planted = planted or (refound(batch.own, rng) if len(batch.own) > 2 else None)
        running.add(*batch)
    products = running.finish()
    log.info("%d places; %d neurons against %d", products.n, n_own, products.other.size)
    nulls = [(PERMUTED, 0, *(planted or (np.nan, 0)))]
    pairs = _pairs(products, columns, aligned.by)
    if shifts:
        pairs["shifted"] = best(products, n_own, 2 * n_own).corr
        shifted, swapped = _elsewhere(products, n_own, tried, shifts)
        corr = pairs["corr"].to_numpy()[tried]
        pairs.loc[tried, "p"] = np.maximum(_ranks(corr, shifted), _ranks(corr, swapped))
        for kind, draws in ((SHIFTED, shifted), (SWAPPED, swapped)):
            nulls += [(kind, at, *_mean(one)) for at, one in enumerate(draws)]
        nulls += _rotate(products, pairs, shifts, rng)
    return Matches(pairs, pd.DataFrame(nulls, columns=["kind", "draw", "mean", "n"]))


def _batches(
    own: Model,
    other: Model,
    aligned: Aligned,
    columns: tuple[Columns, Columns],
    width: int,
    rng: np.random.Generator,
) -> Iterator[_Batch]:
    """Sequences of one kind of text at a time, in random order, as many as fit the memory."""
    longest = max((len(one) for one in aligned.own.sequences), default=1)
    step = max(2, min(16, _VALUES // (longest * width)))
    batches = []
    for kind in dict.fromkeys(aligned.kinds):
        some = rng.permutation([at for at, one in enumerate(aligned.kinds) if one == kind])
        batches += np.array_split(some, -(-len(some) // step))
    for numbers in tqdm(batches, unit="batch", mininterval=1):
        ours, theirs = (
            Reading([one.sequences[at] for at in numbers], [one.positions[at] for at in numbers])
            for one in (aligned.own, aligned.other)
        )
        yield _Batch(
            activations(own, ours, columns[0]),
            activations(other, theirs, columns[1]),
            [len(one) for one in ours.positions],
        )


def activations(
    model: Model, reading: Reading, columns: Columns
) -> Float32[np.ndarray, "place neuron"]:
    """Post-activations of some neurons, places in the order of sequences.

    Args:
        model: Loaded model.
        reading: What it reads; positions ascending.
        columns: Neurons of each layer.
    """
    starts = np.cumsum([0, *(len(one) for one in reading.positions)])
    found = np.empty((starts[-1], sum(map(len, columns))), dtype=np.float32)
    edges = np.cumsum([0, *map(len, columns)])
    known = [number for number, one in enumerate(reading.positions) if one]
    sequences = [reading.sequences[number] for number in known]
    positions = [reading.positions[number] for number in known]

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        numbers = dict.fromkeys(rows.sequences.tolist())
        to = np.concatenate([np.arange(starts[known[n]], starts[known[n] + 1]) for n in numbers])
        own = columns[point.layer]
        values = vectors.cpu().numpy()[:, own]
        found[to, edges[point.layer] : edges[point.layer + 1]] = values

    points = hook_points(MLP_POST, [at for at, one in enumerate(columns) if len(one)])
    for _ in capture(model, sequences, positions, points, receive, torch.float32):
        pass
    return found


def refound(
    values: Float32[np.ndarray, "place a"], rng: np.random.Generator, most: int = 512
) -> tuple[float, int]:
    """Share of neurons, in 0..1, that are found in a permuted copy of themselves; of how many.

    Args:
        values: Post-activations.
        rng: Where the permutation comes from.
        most: Neurons that are permuted, at most.
    """
    known = np.flatnonzero(np.ptp(values, axis=0) > 0)
    some = rng.permutation(known)[:most]
    order = rng.permutation(len(some))
    running = Correlator(len(some), 1, len(some))
    running.add(values[:, some], values[:, some[order]], [len(values)])
    found = best(running.finish())
    right = (order[found.at] == np.arange(len(some))) & (found.corr > _SURE)
    return (float(right.mean()) if len(some) else np.nan), len(some)


def _pairs(products: Products, columns: Columns, by: str) -> pd.DataFrame:
    """Rows of `PAIRS`, nulls still empty."""
    layer = np.repeat(np.arange(len(columns)), [len(one) for one in columns])
    neuron = np.concatenate(list(columns))
    found: Best = best(products, 0, len(layer))
    n_layers, d = products.other.shape
    alike = n_layers == len(columns) and bool((neuron < d).all())
    return pd.DataFrame(
        {
            "aligned": by,
            "layer": layer,
            "neuron": neuron,
            "corr": found.corr,
            "other_layer": found.at // d,
            "other_neuron": found.at % d,
            "baseline": np.nan,
            "baseline_orthogonal": np.nan,
            "shifted": np.nan,
            "same": same(products, layer, neuron) if alike else np.nan,
            "p": np.nan,
            "n": products.n,
        }
    )


def _elsewhere(
    products: Products, n_own: int, tried: Int[np.ndarray, " some"], shifts: int
) -> tuple[Float64[np.ndarray, "shift some"], Float64[np.ndarray, "shift some"]]:
    """The best correlation of the neurons that all is tried on, in each shift and each swap."""
    first = best(products, n_own, 2 * n_own).corr[tried]
    rest = best(products, 2 * n_own).corr.reshape(2 * shifts - 1, len(tried))
    every = np.concatenate([first[None], rest])
    return every[:shifts], every[shifts:]


def _ranks(
    corr: Float64[np.ndarray, " some"], shifted: Float64[np.ndarray, "shift some"]
) -> Float64[np.ndarray, " some"]:
    """(1 + shifts that are as high) / (1 + shifts) of each neuron; nan if constant."""
    p = (1 + (shifted >= corr).sum(0)) / (1 + len(shifted))
    return np.asarray(np.where(np.isfinite(corr), p, np.nan))


def _mean(values: Float64[np.ndarray, " neuron"]) -> tuple[float, int]:
    """Mean over neurons that are not constant, and their number."""
    known = values[np.isfinite(values)]
    return (float(known.mean()) if len(known) else np.nan), len(known)


def _rotate(
    products: Products, pairs: pd.DataFrame, draws: int, rng: np.random.Generator
) -> list[tuple[str, int, float, int]]:
    """Fill in both baselines of `PAIRS`; rows of `NULLS`."""
    n_own = len(pairs)
    gaussian = rotated_best(products, n_own, GAUSSIAN, rng)
    turned = [
        rotated_best(products, n_own, ORTHOGONAL, rng)
        for _ in tqdm(range(draws), unit="rotation", mininterval=1)
    ]
    pairs["baseline"], pairs["baseline_orthogonal"] = gaussian, np.mean(turned, axis=0)
    rows = [(GAUSSIAN, 0, *_mean(gaussian))]
    return [*rows, *((ORTHOGONAL, at, *_mean(one)) for at, one in enumerate(turned))]
