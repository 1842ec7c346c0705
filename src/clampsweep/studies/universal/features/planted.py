"""Planted features: labels made of a neuron's own firing, which a scan must find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from clampsweep.studies.universal.features.moving import shift, turns

SHARE = 0.05  # of positions at which a planted neuron fires
WRONG = 0.2  # of the labels that are dropped, and as many set elsewhere


class Noise(NamedTuple):
    """What is wrong with the labels of planted features, and how far their copies are shifted.

    Attributes:
        kept: Whether a position at which the neuron fires is labelled.
        added: Whether one at which it does not is labelled all the same.
        by: How far the copy's sequence is turned round, positions.
    """

    kept: Bool[np.ndarray, "sequence pos planted"]
    added: Bool[np.ndarray, "sequence pos planted"]
    by: np.ndarray

    def of(self, sequences: Sequence[int]) -> Noise:
        """That of some sequences."""
        chosen = np.asarray(sequences)
        return Noise(self.kept[chosen], self.added[chosen], self.by[chosen])


def draw(
    layers: int, d_mlp: int, number: int, alive: Bool[np.ndarray, "layer neuron"], seed: int
) -> pd.DataFrame:
    """Random neurons to plant features by: columns layer and neuron; fewer if so few are alive.

    Args:
        layers: Of the model.
        d_mlp: Neurons of a layer.
        number: How many.
        alive: Whether a neuron is not constant.
        seed: Of the draw.
    """
    every = np.random.default_rng([seed, 1]).permutation(layers * d_mlp)
    chosen = every[alive.reshape(-1)[every]][:number]
    names = [str(at) for at in range(len(chosen))]
    return pd.DataFrame({"feature": names, "layer": chosen // d_mlp, "neuron": chosen % d_mlp})


def thresholds(planted: pd.DataFrame, values: Float[np.ndarray, "row planted"]) -> pd.DataFrame:
    """The planted neurons with the side and the value from which on they count as firing.

    The side is that on which the `SHARE` of positions with the largest |value| lie in the mean.

    Args:
        planted: What `draw` gives.
        values: Of these neurons, at some positions.
    """
    size = np.abs(values)
    far = size >= np.quantile(size, 1 - SHARE, axis=0)
    sign = np.where((values * far).sum(0) < 0, -1, 1)
    return planted.assign(sign=sign, threshold=np.quantile(values * sign, 1 - SHARE, axis=0))


def noise(sequences: int, length: int, planted: int, seed: int) -> Noise:
    """Noise of all labels of a split.

    Args:
        sequences: Number of sequences.
        length: Positions of each.
        planted: Number of planted features.
        seed: Of the draws.
    """
    rng = np.random.default_rng([seed, 2])
    shape = sequences, length, planted
    kept = rng.random(shape, dtype=np.float32) >= WRONG
    added = rng.random(shape, dtype=np.float32) < SHARE * WRONG / (1 - SHARE)
    by = np.stack([turns(sequences, length, rng) for _ in range(planted)], axis=1)
    return Noise(kept, added, by.reshape(sequences, planted))


def labels(
    planted: pd.DataFrame, values: Float[np.ndarray, "sequence pos planted"], wrong: Noise
) -> tuple[
    Bool[np.ndarray, "sequence pos planted"],
    Bool[np.ndarray, "sequence pos planted"],
]:
    """Labels of planted features, and their copies, shifted within sequences.

    Args:
        planted: What `thresholds` gives.
        values: Of its neurons.
        wrong: Noise of these sequences.
    """
    fires = values * planted["sign"].to_numpy() > planted["threshold"].to_numpy()
    own = np.where(fires, wrong.kept, wrong.added)
    copies = [shift(own[:, :, [at]], wrong.by[:, at]) for at in range(own.shape[2])]
    return own, np.concatenate(copies, axis=2) if copies else own.copy()
