"""Tables of vectors at hook points, written a row group at a time and read a layer at a time.

What has been captured is never in memory as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.capture import Rows, capture
from clampsweep.models.hook_points import width
from clampsweep.models.model import Model
from clampsweep.names import PATTERN, HookPoint, hook_points
from clampsweep.tables import WIDE, Column, Schema

CAPTURED = Schema(
    "captured",
    {
        "sequence": Column("str", "name of the token sequence"),
        "position": Column("int", "position in it, from 0"),
        "layer": Column("int", "layer, from 0"),
        "hook_point": Column("str", "TransformerLens's name after blocks.L."),
        "vector": Column(WIDE, "what the model computes there, in activation units"),
    },
    key=("sequence", "position", "layer", "hook_point"),
)

_BYTES_AT_ONCE = 2**27  # of vectors that wait for their row groups, all hook points together


class Capture(NamedTuple):
    """Vectors of a hook point, in the order in which they were captured.

    Attributes:
        sequences: Name of each row's sequence.
        positions: Its position in it, from 0.
        vectors: What the model computes there.
    """

    sequences: list[str]
    positions: Int[np.ndarray, " row"]
    vectors: Float[np.ndarray, "row width"]


def write_capture(
    model: Model,
    sequences: Mapping[str, Sequence[int]],
    positions: Mapping[str, Sequence[int]] | None,
    layers: Sequence[int],
    outputs: Mapping[str, Path],
    provenance: Mapping[str, object],
    dtype: torch.dtype = torch.float16,
    rows_per_forward: int = 32,
) -> None:
    """Write vectors of some layers to `CAPTURED` tables, one for each name of a hook point.

    The model runs once. A row group holds rows of one layer: all of them if what is captured takes
    less than 128 MB, else that layer's share of 128 MB at a time.

    Args:
        model: Loaded model.
        sequences: Token ids, by name.
        positions: As for `capture`, by name.
        layers: Layers wanted.
        outputs: By a hook point's name after `blocks.L.`, where its table goes.
        provenance: What made the tables.
        dtype: float16 or float32.
        rows_per_forward: Most sequences in one pass.

    Raises:
        UserError: As `capture`; attention patterns are asked for; or a table cannot be written.
    """
    if PATTERN in outputs:
        raise UserError(
            f"{outputs[PATTERN]}: {PATTERN} has no one width, so no table; take it by `capture`"
        )
    points = [point for name in outputs for point in hook_points(name, layers)]
    chosen = None if positions is None else [positions[name] for name in sequences]
    with ExitStack() as files, tqdm(total=len(sequences), unit="text", mininterval=1) as bar:
        appends = {
            name: files.enter_context(tables.appending(path, CAPTURED, provenance))
            for name, path in outputs.items()
        }
        groups = _Groups(model, points, list(sequences), appends, dtype)
        texts = list(sequences.values())
        for done in capture(model, texts, chosen, points, groups.add, dtype, rows_per_forward):
            bar.update(done)
        groups.close()


def read_capture(path: Path | str, point: HookPoint) -> Capture:
    """What a `CAPTURED` table has of a hook point; the rest of it is not read.

    Raises:
        UserError: There is no such table, or it has nothing of this hook point.
    """
    rows = tables.read(path, CAPTURED, {"layer": point.layer, "hook_point": point.name})
    if rows.empty:
        raise UserError(f"{path}: nothing of {point} in it; capture that layer too")
    vectors = np.stack(list(rows["vector"]))
    return Capture(rows["sequence"].tolist(), rows["position"].to_numpy(), vectors)


Append = Callable[[Mapping[str, object]], None]


class _Groups:
    """The row groups that are being filled, one for each hook point."""

    def __init__(
        self,
        model: Model,
        points: Sequence[HookPoint],
        names: Sequence[str],
        appends: Mapping[str, Append],
        dtype: torch.dtype,
    ):
        widths = [width(model, point) for point in points]
        capacity = max(1, _BYTES_AT_ONCE // max(1, sum(widths) * dtype.itemsize))
        # In one piece, which lies apart from the heap that passes take and give back memory of.
        memory = torch.empty(capacity * sum(widths), dtype=dtype)
        parts = torch.split(memory, [capacity * one for one in widths])
        named = np.array(names, dtype=object)
        self._groups = {
            point: _Group(point, named, part.view(capacity, -1), appends[point.name])
            for point, part in zip(points, parts, strict=True)
        }

    def add(self, rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        """Add a pass's rows to those of a hook point."""
        self._groups[point].add(rows, vectors)

    def close(self) -> None:
        """Write what waits."""
        for group in self._groups.values():
            group.close()


class _Group:
    """Rows of a hook point that wait until they fill a row group."""

    def __init__(
        self,
        point: HookPoint,
        names: np.ndarray,
        vectors: Float[Tensor, "capacity width"],
        append: Append,
    ):
        self._point, self._names, self._vectors, self._append = point, names, vectors, append
        self._sequences = np.empty(len(vectors), np.int64)
        self._positions = np.empty(len(vectors), np.int64)
        self._n = 0
        self._written = False

    def add(self, rows: Rows, vectors: Float[Tensor, "row width"]) -> None:
        """Copy a pass's rows, and write as often as they fill a group."""
        done = 0
        while done < len(vectors):
            free = len(self._vectors) - self._n
            some = slice(done, done + free)
            n = len(vectors[some])
            here = slice(self._n, self._n + n)
            self._vectors[here] = vectors[some]
            self._sequences[here], self._positions[here] = (
                rows.sequences[some],
                rows.positions[some],
            )
            self._n, done = self._n + n, done + n
            if n == free:
                self._write()

    def close(self) -> None:
        """Write what waits; a table without rows has its columns too."""
        if self._n or not self._written:
            self._write()

    def _write(self) -> None:
        n = self._n
        self._append(
            {
                "sequence": self._names[self._sequences[:n]],
                "position": self._positions[:n],
                "layer": np.full(n, self._point.layer),
                "hook_point": [self._point.name] * n,
                "vector": self._vectors[:n].numpy(),
            }
        )
        self._n, self._written = 0, True
