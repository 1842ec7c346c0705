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

_BYTES_AT_ONCE = 2**28  # bytes of vectors that wait for their row groups


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

    The model runs once. Row groups hold one layer each: all its rows if what is captured takes less
    than 256 MB, else that much of all layers at a time.

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
        none = {point: torch.empty(0, width(model, point), dtype=dtype) for point in points}
        waiting = _Waiting(list(sequences), appends, none)
        passes = capture(
            model, list(sequences.values()), chosen, points, waiting.add, dtype, rows_per_forward
        )
        for done in passes:
            bar.update(done)
            if waiting.n_bytes >= _BYTES_AT_ONCE:
                waiting.write()
        waiting.write()


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


class _Waiting:
    """Vectors that wait for their row groups: one for each hook point at a time."""

    def __init__(
        self,
        names: Sequence[str],
        appends: Mapping[str, Callable[[Mapping[str, object]], None]],
        none: Mapping[HookPoint, Tensor],
    ):
        self._names, self._appends = np.array(names, dtype=object), appends
        # An empty part of each, so that a table of no rows has its columns.
        no_rows = Rows(np.empty(0, np.int64), np.empty(0, np.int64))
        self._parts = {point: [(no_rows, empty)] for point, empty in none.items()}
        self.n_bytes = 0

    def add(self, rows: Rows, point: HookPoint, vectors: Tensor) -> None:
        """Keep a pass's vectors of a hook point."""
        self._parts.setdefault(point, []).append((rows, vectors.cpu()))
        self.n_bytes += vectors.nbytes

    def write(self) -> None:
        """Write what waits."""
        for point, parts in self._parts.items():
            sequences = np.concatenate([rows.sequences for rows, _ in parts])
            self._appends[point.name](
                {
                    "sequence": self._names[sequences],
                    "position": np.concatenate([rows.positions for rows, _ in parts]),
                    "layer": np.full(len(sequences), point.layer),
                    "hook_point": [point.name] * len(sequences),
                    "vector": [vectors.numpy() for _, vectors in parts],
                }
            )
        self._parts, self.n_bytes = {}, 0
