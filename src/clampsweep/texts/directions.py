"""Directions of the residual stream that texts are steered along: read from files, and pinned.

A file holds them by name: a safetensors file a tensor each, of one vector or a vector per layer; a
Parquet table a row each (`DIRECTIONS`). What a text depends on is a vector's numbers, so a
combination carries their digest, and `results/directions/<digest>.json` pins them for the jobs.
No torch here; it runs at parse time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64
from safetensors import SafetensorError, deserialize

from clampsweep.errors import UserError, reason
from clampsweep.provenance import json_digest
from clampsweep.tables import Column, Schema
from clampsweep.texts.pinned import pin

DIRECTIONS = Schema(
    "directions",
    {
        "name": Column("str", "what the direction is called"),
        "layer": Column("int", "layer after which it is meant; null if any", null=True),
        "vector": Column("vector", "its coordinates in the residual stream"),
    },
    key=("name", "layer"),
)

_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2"}


class Stored(NamedTuple):
    """A direction as a file holds it; `layer` is None where it is meant for no layer alone."""

    name: str
    layer: int | None
    vector: Float64[np.ndarray, " d_model"]


@dataclass(frozen=True)
class Steering:
    """A direction that texts are steered along.

    Attributes:
        target: Its name as a target, such as `L15@refusal`.
        vector: Its coordinates. [d_model]
    """

    target: str
    vector: tuple[float, ...]

    @cached_property
    def digest(self) -> str:
        """Digest of its coordinates, 32 hex digits."""
        return json_digest(self.vector)[:32]


def read(path: Path | str) -> list[Stored]:
    """The directions that a file holds.

    Raises:
        UserError: It is no such file, or a vector in it is empty, zero, or not of finite numbers.
    """
    path = Path(path)
    found = list(_of_table(path) if path.suffix == ".parquet" else _of_safetensors(path))
    for name, layer, vector in found:
        where = f"{path}: {name!r}" if layer is None else f"{path}: {name!r}, layer {layer}"
        if not np.isfinite(vector).all():
            raise UserError(f"{where}: holds numbers that are not finite; compute it anew")
        if not vector.any():
            raise UserError(f"{where}: is zero, so nothing can be steered along it; remove it")
    return found


def _of_table(path: Path) -> Iterator[Stored]:
    frame = _read_frame(path)
    for name, layer, vector in zip(frame["name"], frame["layer"], frame["vector"], strict=True):
        yield Stored(name, None if pd.isna(layer) else int(layer), vector)


def _read_frame(path: Path) -> pd.DataFrame:
    """Rows of a table of directions, whichever program wrote it."""
    try:
        frame = pd.read_parquet(path)
        layers = frame["layer"].astype("Int64") if "layer" in frame else pd.NA
        vectors = [_vector(cell) for cell in frame["vector"]]
        found = pd.DataFrame({"name": frame["name"].astype(str), "layer": layers})
        found["vector"] = pd.Series(vectors, index=found.index, dtype=object)
    except KeyError as error:
        raise UserError(
            f"{path}: lacks column {error}; a table of directions has name, vector "
            "and, if they are meant for layers, layer"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{path}: no table of directions (name, layer, vector): {reason(error)}; write it anew"
        ) from error
    if found.duplicated(["name", "layer"]).any():
        twice = found.loc[found.duplicated(["name", "layer"]), "name"].iloc[0]
        raise UserError(f"{path}: {twice!r} stands twice for a layer; remove one")
    return found


def _vector(cell: object) -> Float64[np.ndarray, " d_model"]:
    numbers = np.asarray(cell)
    if numbers.ndim != 1 or numbers.dtype.kind not in "fiu" or not len(numbers):
        raise ValueError("a vector is no list of numbers")
    return numbers.astype(np.float64)


def _of_safetensors(path: Path) -> Iterator[Stored]:
    try:
        tensors = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path}: neither a safetensors file nor a .parquet table of directions: "
            f"{reason(error)}; save the vectors as one of these"
        ) from error
    for name, about in sorted(tensors):
        shape, values = about["shape"], _numbers(about["dtype"], about["data"])
        if values is None or len(shape) not in (1, 2) or not all(shape):
            raise UserError(
                f"{path}: {name!r} is {about['dtype']} of shape {list(shape)}; a direction is "
                "F64, F32, F16 or BF16 of shape [d_model], or [n_layers, d_model] with a row for "
                "each layer"
            )
        if len(shape) == 1:
            yield Stored(name, None, values)
        else:
            rows = values.reshape(shape)  # [layer, d_model]
            yield from (Stored(name, layer, row) for layer, row in enumerate(rows) if row.any())


def _numbers(dtype: str, content: bytes | bytearray) -> Float64[np.ndarray, " number"] | None:
    """Numbers of a tensor, flat; None if they are of another kind."""
    if dtype == "BF16":  # the upper half of a float32
        wide = np.frombuffer(content, "<u2").astype("<u4") << 16
        return np.asarray(wide.view("<f4").astype(np.float64))
    if dtype not in _DTYPES:
        return None
    return np.frombuffer(content, _DTYPES[dtype]).astype(np.float64)


def pinned(results: Path, digest: str) -> Path:
    """The file that pins a direction."""
    return results / "directions" / f"{digest}.json"


def pin_directions(results: Path, directions: Iterable[Steering]) -> None:
    """Pin directions for the jobs that steer along them."""
    for one in directions:
        pin(pinned(results, one.digest), {"vector": list(one.vector)})


def read_pinned(results: Path, digest: str) -> Float64[np.ndarray, " d_model"]:
    """A pinned direction.

    Raises:
        UserError: The file is damaged.
    """
    path = pinned(results, digest)
    try:
        vector = json.loads(path.read_text(encoding="utf-8"))["vector"]
        if json_digest(vector)[:32] != digest:
            raise ValueError("other numbers than its name says")
        return np.array(vector, np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged direction file; delete it and run again") from error
