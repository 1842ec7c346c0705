"""Neurons held at values, in sequences whose natural activations are known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep.models.agreement import difference, tolerance
from clampsweep.models.capture import Rows, capture
from clampsweep.models.hooks import hooked
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, RESID_POST, HookPoint, Neuron
from clampsweep.studies.universal.roles.tail import EMBEDDING, Seen, Tails

_TOKENS_PER_PASS = 2048


class Held:
    """Sequences, and what the model makes of them when a neuron is held.

    Where a layer adds what W_out gives to the residual stream as it is, a neuron's change is added
    after the layer, and only the layers that follow are run; else its own layer is run too.

    Args:
        model: Loaded model.
        sequences: Token ids, all of one length.
        neurons: Those that will be held.
    """

    def __init__(self, model: Model, sequences: Sequence[Sequence[int]], neurons: Iterable[Neuron]):
        self._model = model
        self._tails = Tails(model)
        self.ids: Int[Tensor, "row pos"] = torch.tensor(sequences, device=model.device)
        wanted: dict[int, list[int]] = {}
        for neuron in sorted({(one.layer, one.index) for one in neurons}):
            wanted.setdefault(neuron[0], []).append(neuron[1])
        self._adds = all(_adds(model, self.ids[:1, :16], layer) for layer in wanted)
        self._residual: dict[int, Float[Tensor, "row pos d_model"]] = {}
        self._post: dict[tuple[int, int], Float[Tensor, "row pos"]] = {}
        self._directions = {
            layer: model.output_directions(layer, torch.tensor(some, device=model.device))
            for layer, some in wanted.items()
        }
        self._places = {
            (layer, one): at for layer, some in wanted.items() for at, one in enumerate(some)
        }
        self._read(wanted)

    def _start(self, layer: int) -> int:
        """The last layer that is not run when a neuron of a layer is held."""
        return layer if self._adds else layer - 1

    def _read(self, wanted: Mapping[int, Sequence[int]]) -> None:
        """Natural activations of the neurons, and the residual streams to go on from."""
        starts = {self._start(layer) for layer in wanted} - {EMBEDDING}
        points = [HookPoint(layer, MLP_POST) for layer in wanted]
        points += [HookPoint(layer, RESID_POST) for layer in sorted(starts)]
        n_rows, length = self.ids.shape
        parts: dict[HookPoint, list[Tensor]] = {point: [] for point in points}

        def receive(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
            own = vectors[:, wanted[point.layer]] if point.name == MLP_POST else vectors
            parts[point].append(own.clone())

        per_pass = max(1, _TOKENS_PER_PASS // length)
        ids = self.ids.tolist()
        done = capture(self._model, ids, None, points, receive, self._model.dtype, per_pass)
        with tqdm(total=n_rows, unit="sequence", mininterval=1) as bar:
            for n_done in done:
                bar.update(n_done)
        for point, found in parts.items():
            whole = torch.cat(found).reshape(n_rows, length, -1)
            if point.name == RESID_POST:
                self._residual[point.layer] = whole
            else:
                for at, one in enumerate(wanted[point.layer]):
                    self._post[point.layer, one] = whole[:, :, at]

    def post(self, neuron: Neuron) -> Float[Tensor, "row pos"]:
        """Natural post-activations of a neuron."""
        return self._post[neuron.layer, neuron.index]

    def run(
        self,
        neuron: Neuron,
        rows: Sequence[int],
        values: Float[Tensor, "some pos"],
        keep: Sequence[int],
    ) -> Seen:
        """What the model says at some positions with a neuron held.

        Args:
            neuron: Which.
            rows: Of which sequences.
            values: What it is held at, at each position; nan where it is left as it is.
            keep: Positions wanted, the same in all rows.
        """
        some, kept = list(rows), torch.tensor(list(keep), device=self.ids.device)
        after = self._start(neuron.layer)
        residual = None if after == EMBEDDING else self._residual[after][some]
        if not self._adds:
            hold = {neuron.layer: partial(_hold, neuron.index, values)}
            return self._tails.run(self.ids[some], after, residual, kept, hold)
        own = self.post(neuron)[some]
        change = (values - own).nan_to_num()  # [row, pos]
        at = self._places[neuron.layer, neuron.index]
        moved = change[:, :, None] * self._directions[neuron.layer][at]
        return self._tails.run(self.ids[some], after, self._residual[after][some] + moved, kept)

    def natural(self, layer: int, rows: Sequence[int], keep: Sequence[int]) -> Seen:
        """What it says with nothing held.

        Args:
            layer: Any whose neurons may be held; the last is the cheapest.
            rows: Of which sequences.
            keep: Positions wanted, the same in all rows.
        """
        kept, after = torch.tensor(list(keep), device=self.ids.device), self._start(layer)
        residual = None if after == EMBEDDING else self._residual[after][list(rows)]
        return self._tails.run(self.ids[list(rows)], after, residual, kept)


def _hold(index: int, values: Float[Tensor, "row pos"], post: Tensor) -> Tensor:
    """Post-activations with a neuron's replaced where values are not nan."""
    changed = post.clone()
    changed[:, :, index] = torch.where(values.isnan(), post[:, :, index], values.to(post))
    return changed


def _adds(model: Model, ids: Int[Tensor, "one pos"], layer: int) -> bool:
    """Whether a change of a neuron moves the residual stream after a layer by its direction."""
    direction = model.output_directions(layer, torch.tensor([0], device=model.device))[0]
    natural = _after(model, ids, layer, 0.0)
    change = float(natural.abs().max() / direction.norm())  # large beside rounding
    moved = _after(model, ids, layer, change) - natural
    wanted = (change * direction.double()).expand_as(moved)
    return bool(difference(moved, wanted) < tolerance(model.dtype))


def _after(
    model: Model, ids: Int[Tensor, "one pos"], layer: int, change: float
) -> Float64[Tensor, "pos d_model"]:
    """The residual stream after a layer whose neuron 0 is changed by so much."""
    seen: list[Tensor] = []

    def look(rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        seen.append(vectors.double())

    def move(post: Tensor) -> Tensor:
        moved = post.clone()
        moved[..., 0] += change
        return moved

    point = [HookPoint(layer, RESID_POST)]
    with hooked(model.plain, model.outs, {layer: move}):
        for _ in capture(model, ids.tolist(), None, point, look, model.dtype):
            pass
    return seen[0]
