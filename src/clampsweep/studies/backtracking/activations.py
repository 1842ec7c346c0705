"""Post-activations and residual stream of every layer at the samples' positions, in shards.

Of a position kind with several positions, their mean. A row is a place, a kind and a layer; its
vector holds the post-activations of the layer's neurons, and behind them the residual stream after
the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from clampsweep.generation.shard import Append
from clampsweep.models.capture import Rows, capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, RESID_POST, HookPoint, hook_points
from clampsweep.shards.shard import KEY, Keyed, Shard
from clampsweep.studies.backtracking.position_kinds import KINDS

_MOST = 6e4  # beyond it float16 ends


def write(model: Model, shard: Shard, append: Append) -> None:
    """Write a shard of `ACTIVATIONS`, a row group a layer.

    Args:
        model: Loaded model.
        shard: Its items' contents are those of `items`.
        append: Takes a row group.
    """
    groups = _Groups(shard.items, model)
    sequences = [item.content["ids"] for item in shard.items]
    points = [
        point
        for name in (MLP_POST, RESID_POST)
        for point in hook_points(name, range(model.n_layers))
    ]
    with tqdm(total=len(sequences), unit="trace", mininterval=1) as bar:
        for done in capture(model, sequences, groups.wanted, points, groups.receive):
            bar.update(done)
    for layer in range(model.n_layers):
        append(groups.rows(layer))


class _Groups:
    """Means over the positions of each place and kind, as they come in.

    Args:
        items: Of the shard.
        model: Says how wide vectors are.
    """

    def __init__(self, items: Sequence[Keyed], model: Model):
        self._names: list[tuple[str, int, str]] = []  # item's key, place, kind
        self._of: dict[tuple[int, int], list[int]] = {}  # groups by sequence and position
        self.wanted: list[list[int]] = []
        for number, item in enumerate(items):
            for place in item.content["places"]:
                for kind in KINDS:
                    for at in place[kind]:
                        self._of.setdefault((number, at), []).append(len(self._names))
                    self._names.append((item.key, place["place"], kind))
            self.wanted.append(sorted(at for one, at in self._of if one == number))
        self._d_mlp = model.d_mlp
        shape = model.n_layers, len(self._names), model.d_mlp + model.d_model
        self._vectors = np.zeros(shape, np.float32)  # [layer, group, width]
        self._pass: Rows | None = None
        self._index: tuple[Tensor, Tensor, np.ndarray, Tensor] | None = None

    def receive(self, rows: Rows, point: HookPoint, vectors: Float[Tensor, "row width"]) -> None:
        """Add a pass's vectors at a hook point to the groups that their positions are of."""
        if rows is not self._pass or self._index is None:
            self._pass, self._index = rows, self._arrange(rows, vectors.device)
        taken, group, numbers, counts = self._index
        means = torch.zeros(len(numbers), vectors.shape[1], device=vectors.device)
        means.index_add_(0, group, vectors[taken].float())
        found = (means / counts[:, None]).cpu().numpy()
        part = slice(self._d_mlp) if point.name == MLP_POST else slice(self._d_mlp, None)
        self._vectors[point.layer, numbers, part] = found

    def _arrange(
        self, rows: Rows, device: torch.device
    ) -> tuple[Tensor, Tensor, np.ndarray, Tensor]:
        """Of a pass: rows to take, the group that each goes to, the groups, and their sizes."""
        pairs = [
            (row, group)
            for row, at in enumerate(zip(rows.sequences, rows.positions, strict=True))
            for group in self._of[int(at[0]), int(at[1])]
        ]
        taken = torch.tensor([row for row, _ in pairs], device=device)
        numbers, group, counts = np.unique(
            [group for _, group in pairs], return_inverse=True, return_counts=True
        )
        return (
            taken,
            torch.from_numpy(group).to(device),
            numbers,
            torch.from_numpy(counts).to(device),
        )

    @cached_property
    def _fit(self) -> bool:
        """Whether all fit float16: row groups of a table have one type."""
        return bool(max(self._vectors.max(initial=0), -self._vectors.min(initial=0)) < _MOST)

    def rows(self, layer: int) -> dict[str, Any]:
        """The row group of a layer."""
        vectors = self._vectors[layer]
        keys, places, kinds = zip(*self._names, strict=True)
        return {
            KEY: list(keys),
            "place": list(places),
            "kind": list(kinds),
            "layer": [layer] * len(keys),
            "vector": vectors.astype(np.float16) if self._fit else vectors,
        }
