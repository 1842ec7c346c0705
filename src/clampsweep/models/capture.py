"""Vectors at hook points and chosen positions of token sequences, handed on and not kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.errors import UserError
from clampsweep.models.activations import newest_logits_only, stream
from clampsweep.models.hook_points import reader
from clampsweep.models.hugging_face import n_rows
from clampsweep.models.model import Model
from clampsweep.models.prefix_trees import Tree, trees
from clampsweep.models.tokens import check_sequences
from clampsweep.names import MLP_POST, PATTERN, HookPoint, Neuron, hook_points


class Rows(NamedTuple):
    """Chosen positions of the sequences of a pass, in the order of their vectors.

    Attributes:
        sequences: Number of each row's sequence.
        positions: Its position in it, from 0.
    """

    sequences: Int[np.ndarray, " row"]
    positions: Int[np.ndarray, " row"]


Receive = Callable[[Rows, HookPoint, Tensor], None]


def capture(
    model: Model,
    sequences: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]] | None,
    points: Sequence[HookPoint],
    receive: Receive,
    dtype: torch.dtype = torch.float32,
    rows_per_forward: int = 32,
) -> Iterator[int]:
    """Run sequences through the model, handing chosen positions' vectors to `receive`.

    What sequences share at their beginnings is read once, where that is less to read.

    Args:
        model: Loaded model.
        sequences: Token ids.
        positions: Of each sequence those wanted, from 0, each once; None for all.
        points: Hook points.
        receive: Called with the rows, the hook point and [row, width], on the model's device, to be
            copied if kept; of an attention pattern [row, head, key].
        dtype: Of the vectors.
        rows_per_forward: Most sequences in one pass, where they share nothing.

    Yields:
        Number of sequences done by each pass.

    Raises:
        UserError: A hook point cannot be read in this model, a position is not in its sequence or
            stands twice, or a value is beyond the range of `dtype`.
        TypeError, ValueError: A sequence is no token ids of this model, or positions are not one
            list for each.
    """
    if positions is not None:
        if len(positions) != len(sequences):
            raise ValueError(
                f"positions: got {len(positions)} for {len(sequences)} sequences; write one list "
                "for each, or None"
            )
        _check_positions(sequences, positions)
    chosen = _Chosen(positions, receive, dtype)
    sequences = check_sequences("sequences", sequences, n_rows(model.plain), model.n_ctx)
    patterns = any(getattr(one, "name", "") == PATTERN for one in points)
    together = [] if patterns else trees(model, sequences)
    if together:
        return _stream_trees(model, together, points, chosen)
    return stream(model, sequences, points, chosen.take, rows_per_forward)


def neuron_values(
    model: Model,
    sequences: Sequence[Sequence[int]],
    positions: Sequence[Sequence[int]],
    neurons: Sequence[Neuron],
) -> list[dict[tuple[int, Neuron], float]]:
    """Natural values of some neurons at chosen positions, by sequence; in activation units.

    Args:
        model: Loaded model.
        sequences: Token ids.
        positions: Of each sequence those wanted, from 0, each once.
        neurons: Neurons.
    """
    by_layer: dict[int, list[Neuron]] = {}
    for neuron in neurons:
        by_layer.setdefault(neuron.layer, []).append(neuron)
    found: list[dict[tuple[int, Neuron], float]] = [{} for _ in sequences]

    def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        own = by_layer[point.layer]
        values = vectors[:, [neuron.index for neuron in own]].tolist()
        for number, at, row in zip(*rows, values, strict=True):
            found[number].update(((int(at), neuron), v) for neuron, v in zip(own, row, strict=True))

    points = hook_points(MLP_POST, sorted(by_layer))
    with tqdm(total=len(sequences), unit="text", mininterval=1) as bar:
        for done in capture(model, sequences, positions, points, receive, torch.float64):
            bar.update(done)
    return found


def _stream_trees(
    model: Model, together: Sequence[Tree], points: Sequence[HookPoint], chosen: _Chosen
) -> Iterator[int]:
    """Run trees through the model; yields the number of sequences done by each pass."""
    found, keep = reader(model, points), newest_logits_only(model)
    for tree in together:
        chosen.begin_tree(tree, model.device)
        with torch.inference_mode(), found.reading(chosen.hand_over):
            found.plain(**tree.inputs(model), use_cache=False, **keep)
        yield len(tree.paths)


def _check_positions(
    sequences: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
) -> None:
    for number, (sequence, some) in enumerate(zip(sequences, positions, strict=True)):
        outside = [position for position in some if not 0 <= position < len(sequence)]
        if outside or len(set(some)) < len(some):
            what = f"{outside[0]}, outside 0 to {len(sequence) - 1}" if outside else "one twice"
            raise UserError(f"positions of sequence {number}: got {what}; give each once, from 0")


class _Chosen:
    """Takes chosen positions out of what a pass computes; which ones is worked out once a pass."""

    def __init__(
        self, positions: Sequence[Sequence[int]] | None, receive: Receive, dtype: torch.dtype
    ):
        self._positions, self._receive, self._dtype = positions, receive, dtype
        self._numbers: list[int] = []
        self._rows = Rows(np.empty(0, int), np.empty(0, int))
        self._index: tuple[Tensor, Tensor] | None = None

    def take(self, numbers: list[int], point: HookPoint, activation: Tensor) -> None:
        """Hand over the chosen positions of what stands at a hook point, [row, pos, *width]."""
        if numbers is not self._numbers:
            self._begin(numbers, activation)
        self.hand_over(point, activation)

    def hand_over(self, point: HookPoint, activation: Tensor) -> None:
        """The same of the pass that has begun."""
        vectors = activation.flatten(0, 1) if self._index is None else activation[self._index]
        self._check_range(point, vectors)
        self._receive(self._rows, point, vectors.to(self._dtype))

    def begin_tree(self, tree: Tree, device: torch.device) -> None:
        """Work out the rows of a pass over a tree."""
        rows = [
            (number, at, path[at])
            for number, path in tree.paths.items()
            for at in (range(len(path)) if self._positions is None else self._positions[number])
        ]
        numbers, positions, nodes = np.asarray(rows, dtype=np.int64).reshape(-1, 3).T
        self._rows = Rows(numbers, positions)
        index = torch.from_numpy(nodes.copy()).to(device)
        self._index = torch.zeros_like(index), index

    def _begin(self, numbers: list[int], activation: Tensor) -> None:
        """Work out the rows of a pass."""
        n_rows, length = activation.shape[:2]
        every = range(length)
        some = [every if self._positions is None else self._positions[n] for n in numbers]
        row = np.repeat(np.arange(n_rows), [len(one) for one in some])
        at = np.concatenate([np.asarray(one, dtype=np.int64) for one in some])
        self._numbers, self._rows = numbers, Rows(np.asarray(numbers)[row], at)
        whole = len(at) == n_rows * length and bool((at == np.tile(every, n_rows)).all())
        tensors = torch.from_numpy(row), torch.from_numpy(at)
        on_device = tensors[0].to(activation.device), tensors[1].to(activation.device)
        self._index = None if whole else on_device

    def _check_range(self, point: HookPoint, vectors: Tensor) -> None:
        """Refuse what a narrower type would make infinite."""
        most = torch.finfo(self._dtype).max
        if most >= torch.finfo(vectors.dtype).max or not vectors.numel():
            return
        low, high = (float(end) for end in torch.aminmax(vectors))
        if not -most <= low <= high <= most:
            name = str(self._dtype).removeprefix("torch.")
            wider = "float32" if name == "float16" else "float64"
            raise UserError(
                f"hook point {point}: values from {low:.6g} to {high:.6g} do not fit {name}, which "
                f"ends at {most:.6g}; capture it in {wider}"
            )
