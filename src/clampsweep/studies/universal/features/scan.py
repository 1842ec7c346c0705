"""Discovery: which neurons explain most of which feature, of all neurons of the model.

One pass over the sequences of discovery. A pass of a few sequences is held whole, because planted
features are labelled by what neurons do in it. FLOPs: 2 x positions x neurons x columns of labels,
3e12 for 46,080 neurons, 56,000 positions and 640 columns (60 features, each moved eight times, and
planted ones), next to 2e13 of the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, MLP_PRE, HookPoint, hook_points
from clampsweep.studies.universal.features import planted as plants
from clampsweep.studies.universal.features.labels import Labels
from clampsweep.studies.universal.features.moving import moved
from clampsweep.studies.universal.features.position import bins, information
from clampsweep.studies.universal.features.tables import PLACE, PLANTED, REAL, SHIFTED
from clampsweep.studies.universal.features.variance import Sums

RANKS = 5  # neurons of a feature that are looked at again
PLACES = 20  # neurons that are looked at again for what they tell of position
_PILOT = 12  # every so many sequences, for the means of neurons and thresholds of planted ones
_EDGES = np.concatenate([[0.0], np.geomspace(1e-4, 1, 41)])


class Half(NamedTuple):
    """Sequences of a split, and what they are.

    Attributes:
        sequences: Token ids.
        skip: First positions that do not count.
        found: Features of the positions that count; those that can be tested.
        blocks: Of each sequence, from 0.
    """

    sequences: Sequence[Sequence[int]]
    skip: int
    found: Labels
    blocks: Int[np.ndarray, " sequence"]

    @property
    def positions(self) -> list[list[int]]:
        """Those that count, of each sequence."""
        return [list(range(self.skip, len(one))) for one in self.sequences]

    @property
    def length(self) -> int:
        """Number of positions of a sequence that count."""
        return len(self.sequences[0]) - self.skip


class Scanned(NamedTuple):
    """What discovery gives: rows of `CANDIDATES`, `TRUTHS` and `HISTOGRAM`."""

    candidates: pd.DataFrame
    truths: pd.DataFrame
    histogram: pd.DataFrame


def scan(model: Model, half: Half, shifts: int, planted: int, seed: int) -> Scanned:
    """Look at all neurons for those that respond to features; arguments as of `Scan`."""
    found = Scan(model, half, shifts, planted, seed)
    with tqdm(total=len(half.sequences), unit="text", desc="scan", mininterval=1) as bar:
        for done in found.run():
            bar.update(done)
    return found.result()


class Scan:
    """Looks at all neurons of a model.

    Args:
        model: Loaded model.
        half: The sequences of discovery.
        shifts: How often labels are moved.
        planted: Number of planted features.
        seed: Of all draws.
    """

    def __init__(self, model: Model, half: Half, shifts: int, planted: int, seed: int):
        self._model, self._half, self._shifts = model, half, shifts
        self._layers, self._d_mlp = range(model.n_layers), model.d_mlp
        self._centre: dict[int, Tensor] = {}
        self._truths = self._pilot(planted, seed)
        self._wrong = plants.noise(len(half.sequences), half.length, len(self._truths), seed)
        rng = np.random.default_rng([seed, 4])
        parts = [half.found.values]
        parts += [moved(half.found, half.blocks, rng) for _ in range(shifts)]
        self._labels: Bool[np.ndarray, "sequence pos column"] = np.concatenate(parts, axis=2)
        columns = self._labels.shape[2] + 2 * len(self._truths)
        self._sums = Sums(columns, model.n_layers * model.d_mlp)
        self._fired = np.zeros((int(bins(half.length).max()) + 1, model.n_layers * model.d_mlp))
        self._held: dict[int, Tensor] = {}
        self._numbers: list[int] = []

    def run(self, rows_per_forward: int = 8) -> Iterator[int]:
        """Run the model over the sequences; yields the number of sequences done by each pass."""
        half = self._half
        points = [*hook_points(MLP_PRE, self._layers), *hook_points(MLP_POST, self._layers)]
        passes = capture(
            self._model, half.sequences, half.positions, points, self._receive,
            rows_per_forward=rows_per_forward,
        )  # fmt: skip
        for done in passes:
            self._add()
            yield done

    def result(self) -> Scanned:
        """What was found, after `run`."""
        best: list[Float64[np.ndarray, "column neuron"]] = []
        for layer in self._layers:
            best.append(self._sums.reductions(self._at(layer)))
        values = np.concatenate(best, axis=1)
        n = len(self._half.found.features)
        own, null, rest = np.split(values, [n, n * (1 + self._shifts)])
        null = null.reshape(self._shifts, n, values.shape[1])
        copies = rest[len(self._truths) :]
        chance = copies.max(1, initial=0.0)
        names = [one.name for one in self._half.found.features]
        numbers = self._truths["feature"].tolist()
        tables = [
            self._best(REAL, names, own, null.max((0, 2), initial=0.0)),
            self._best(PLANTED, numbers, rest[: len(numbers)], chance),
            self._best(SHIFTED, numbers, copies, chance),
            self._places(),
        ]
        candidates = pd.concat(tables, ignore_index=True)
        tokens = np.array([not one.whole for one in self._half.found.features], dtype=bool)
        counts = _histogram(own[tokens], null[:, tokens])
        return Scanned(candidates, self._truths, counts)

    def _at(self, layer: int) -> slice:
        return slice(layer * self._d_mlp, (layer + 1) * self._d_mlp)

    def _pilot(self, planted: int, seed: int) -> pd.DataFrame:
        """Means of all neurons, and planted neurons with their thresholds, by some sequences."""
        half = self._half
        some = half.sequences[::_PILOT]
        found: dict[int, list[Tensor]] = {layer: [] for layer in self._layers}

        def keep(_: Rows, point: HookPoint, values: Tensor) -> None:
            found[point.layer].append(values.to(torch.float32, copy=True))

        points = hook_points(MLP_POST, self._layers)
        for _ in capture(self._model, some, half.positions[::_PILOT], points, keep):
            pass
        alive = np.zeros((len(self._layers), self._d_mlp), dtype=bool)
        for layer, parts in found.items():
            every = torch.cat(parts)
            self._centre[layer] = every.mean(0)
            alive[layer] = (every.amax(0) > every.amin(0)).cpu().numpy()
        truths = plants.draw(len(self._layers), self._d_mlp, planted, alive, seed)
        columns = [
            torch.cat([part[:, neuron] for part in found[layer]]).cpu().numpy()
            for layer, neuron in truths[["layer", "neuron"]].itertuples(index=False)
        ]
        return plants.thresholds(truths, np.stack(columns, axis=1))

    def _receive(self, rows: Rows, point: HookPoint, values: Tensor) -> None:
        """Keep the values of a pass; count where neurons fire, by position."""
        if point.name == MLP_POST:
            self._held[point.layer] = values.clone()
            self._numbers = rows.sequences[:: self._half.length].tolist()
            return
        at = torch.from_numpy(bins(self._half.length)[rows.positions - self._half.skip])
        fires = (values > 0).to(torch.float32)
        into = torch.zeros((len(self._fired), self._d_mlp), device=values.device)
        into.index_add_(0, at.to(values.device), fires)
        self._fired[:, self._at(point.layer)] += into.cpu().double().numpy()

    def _add(self) -> None:
        """Count the pass that is held."""
        sequences, device = self._numbers, self._held[0].device
        shape = len(sequences), self._half.length
        columns = [
            self._held[layer][:, neuron].cpu().numpy().reshape(shape)
            for layer, neuron in self._truths[["layer", "neuron"]].itertuples(index=False)
        ]
        values = np.stack(columns, axis=-1)
        own, copies = plants.labels(self._truths, values, self._wrong.of(sequences))
        every = np.concatenate([self._labels[sequences], own, copies], axis=2)
        rows = torch.from_numpy(every.reshape(-1, every.shape[2])).to(device, torch.float32)
        self._sums.count(rows)
        for layer in self._layers:
            self._sums.add(rows, self._held[layer] - self._centre[layer], self._at(layer))
        self._held.clear()

    def _best(
        self,
        kind: str,
        names: Sequence[str],
        values: Float[np.ndarray, "feature neuron"],
        null_max: Float[np.ndarray, " feature"],
        number: int = RANKS,
    ) -> pd.DataFrame:
        """Rows of `CANDIDATES`: the neurons with the largest values, by feature."""
        order = np.argsort(-values, axis=1, kind="stable")[:, :number]
        n = order.shape[1]
        rows = {
            "kind": kind,
            "feature": np.repeat(np.array(names, dtype=object), n),
            "rank": np.tile(np.arange(1, n + 1), len(names)),
            "layer": (order // self._d_mlp).reshape(-1),
            "neuron": (order % self._d_mlp).reshape(-1),
            "value": np.take_along_axis(values, order, axis=1).reshape(-1),
            "null_max": np.repeat(null_max, n),
        }
        return pd.DataFrame(rows)

    def _places(self) -> pd.DataFrame:
        """Rows of `CANDIDATES`: the neurons whose firing tells most of position."""
        n = np.bincount(bins(self._half.length)) * float(len(self._half.sequences))
        values = information(self._fired, n)
        return self._best(PLACE, [PLACE], values[None], np.full(1, np.nan), PLACES)


def _histogram(
    own: Float64[np.ndarray, "feature neuron"],
    null: Float64[np.ndarray, "shift feature neuron"],
) -> pd.DataFrame:
    """Rows of `HISTOGRAM`: of each neuron the largest VR of any feature of tokens."""
    edges = _EDGES
    counts = np.histogram(own.max(0, initial=0.0), edges)[0]
    chance = [np.histogram(one.max(0, initial=0.0), edges)[0] for one in null]
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "neurons": counts,
            "null_neurons": np.mean(chance, axis=0) if len(chance) else np.zeros(len(counts)),
        }
    )
