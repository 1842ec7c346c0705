"""Steering vectors of all layers: safetensors, and GGUF control vectors as llama.cpp reads them.

Row L of an array [n_layers, d_model] is what is added at `blocks.L.hook_resid_post`.

llama.cpp's layer il is that L: both count blocks from 0. It adds the tensor `direction.il` to the
residual stream after the MLP of block il, just before the tensor that it calls l_out-il
(`src/llama-adapter.cpp`: `apply_to`; `src/models/llama.cpp`: `build_cvec`). File numbers begin
with 1 because nothing can be added after block 0: the loader refuses `direction.0`
(`common/common.cpp`: `common_control_vector_load_one`). So `direction.N` is row N, and row 0 must
be zero in a GGUF file. `--control-vector-layer-range` counts the same way.

Files of repeng (`export_gguf`) agree: its `direction.N` is measured and added after block N. Those
of llama.cpp's own cvector-generator do not: it writes what it measured after block N as
`direction.N+1`, so that it is added one block later. Reading keeps where a vector is added.
`controlvector.model_hint` and `controlvector.layer_count`, the number of tensors, are written as
both of them do; llama.cpp reads neither. Strength is not in the file but in the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from jaxtyping import Float, Float64
from safetensors import safe_open
from safetensors.numpy import save

from clampsweep.errors import UserError, reason, shown
from clampsweep.files import atomic
from clampsweep.texts import directions

_ARCHITECTURE = "controlvector"
_COUNT = f"{_ARCHITECTURE}.layer_count"
_KEYS = _KIND, _NAME, _HINT = (
    "general.architecture",
    "general.name",
    f"{_ARCHITECTURE}.model_hint",
)
_DIRECTION = re.compile(r"direction\.(\d{1,3})(?:\D.*)?")  # of a longer number there is no model


class ControlVector(NamedTuple):
    """What a GGUF control vector holds.

    Attributes:
        name: `general.name`; of files without it, their name without the suffix.
        model_hint: Kind of model that it is for, such as `llama`.
        rows: What is added after each block; 0 where the file has nothing.
    """

    name: str
    model_hint: str
    rows: Float64[np.ndarray, "n_layers d_model"]


def write_safetensors(
    vectors: Mapping[str, Float[np.ndarray, "n_layers d_model"]],
    path: Path | str,
    about: Mapping[str, str] | None = None,
) -> None:
    """Write steering vectors by name, a tensor each, as `texts.directions.read` reads them.

    Args:
        vectors: Kept as float32 or float64, as they are given; others become float64. A row of
            zeros means no vector after that block.
        path: Where; written atomically.
        about: What else the header says, such as the model.

    Raises:
        UserError: The file cannot be written.
        ValueError: There is no vector, or one is of another shape, zero, or not finite.
    """
    if not vectors:
        raise ValueError("no vectors; give one at least")
    tensors = {name: _checked(repr(name), rows) for name, rows in vectors.items()}
    with atomic(Path(path)) as beside:
        beside.write_bytes(save(tensors, metadata=dict(about) if about else None))


def _checked(what: str, given: object) -> Float[np.ndarray, "n_layers d_model"]:
    rows = np.asarray(given)
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"{what}: got shape {rows.shape}; write [n_layers, d_model]")
    if not np.isfinite(rows).all() or not rows.any():
        raise ValueError(f"{what}: zero, or holds numbers that are not finite")
    return np.ascontiguousarray(rows)


def read_safetensors(path: Path | str) -> dict[str, Float64[np.ndarray, "n_layers d_model"]]:
    """Steering vectors of a file by name, each with a row for every layer.

    Raises:
        UserError: It is no such file, holds a tensor of another shape or a vector for no layer in
            particular, or a vector is zero or not of finite numbers.
    """
    if Path(path).suffix == ".parquet":
        raise UserError(f"{path}: a table, which has no number of layers; write safetensors")
    stored = directions.read(path)
    vectors = {}
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118 (not a mapping)
            shape = file.get_slice(name).get_shape()
            if len(shape) != 2:
                raise UserError(
                    f"{path}: {name!r}: got shape {shape}; a steering vector is "
                    "[n_layers, d_model], with zeros where nothing is added"
                )
            vectors[name] = np.zeros(shape)
    for name, layer, vector in stored:
        if layer is not None:
            vectors[name][layer] = vector
    if empty := [name for name, rows in vectors.items() if not rows.any()]:
        raise UserError(f"{path}: {empty[0]!r}: is zero in all layers; remove it")
    return vectors


def write_gguf(
    vector: Float[np.ndarray, "n_layers d_model"], path: Path | str, name: str, model_hint: str
) -> None:
    """Write a steering vector as a GGUF control vector, a float32 tensor for each block but 0.

    Args:
        vector: What is added after each block. Row 0 must be zero: llama.cpp cannot add there.
        path: Where; written atomically.
        name: What it is called.
        model_hint: Kind of model, as its GGUF file has it in `general.architecture`.

    Raises:
        UserError: The file cannot be written.
        ValueError: It is of another shape, zero, not of finite numbers as float32, or has
            something after block 0.
    """
    with np.errstate(over="ignore"):  # infinite, and refused
        rows = _checked(repr(name), np.asarray(vector).astype(np.float32))
    if rows[0].any():
        raise ValueError(
            f"{name!r}: has a vector after block 0, where llama.cpp adds none; make row 0 zero, or "
            "write safetensors"
        )
    with atomic(Path(path)) as beside:
        writer = GGUFWriter(beside, _ARCHITECTURE)
        try:
            writer.add_name(name)
            writer.add_string(_HINT, model_hint)
            writer.add_uint32(_COUNT, len(rows) - 1)
            for layer in range(1, len(rows)):
                writer.add_tensor(f"direction.{layer}", rows[layer])
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
        finally:
            writer.close()


def read_gguf(path: Path | str, n_layers: int | None = None) -> ControlVector:
    """The control vector of a GGUF file, whoever wrote it.

    Tensors of one layer, such as `direction.3` and `direction.3.b`, add up, as in llama.cpp.
    `direction.0`, which repeng can write, is taken as it means it.

    Args:
        path: The file.
        n_layers: Layers of the model; None takes the last layer of the file as the model's.

    Raises:
        UserError: It is no control vector, or is for more layers than `n_layers`.
    """
    reader, texts = _opened(Path(path))
    architecture = texts.get(_KIND)
    if architecture != _ARCHITECTURE:
        raise UserError(
            f"{path}: {_KIND}: got {architecture!r}; allowed: {_ARCHITECTURE}; "
            "name a control vector, not a model"
        )
    tensors = [(_layer(path, tensor), tensor.data) for tensor in reader.tensors]
    if not tensors or len({len(data) for _, data in tensors}) > 1:
        raise UserError(f"{path}: no directions of one length; write direction.1, direction.2, ...")
    last = max(layer for layer, _ in tensors)
    if n_layers is not None and last >= n_layers:
        raise UserError(
            f"{path}: has direction.{last}, but the model has {n_layers} layers; "
            "name the model that it was made for"
        )
    rows = np.zeros((n_layers or last + 1, len(tensors[0][1])))
    for layer, data in tensors:
        rows[layer] += data
    if not np.isfinite(rows).all() or not rows.any():
        raise UserError(f"{path}: zero, or holds numbers that are not finite; compute it anew")
    return ControlVector(texts.get(_NAME) or Path(path).stem, texts.get(_HINT, ""), rows)


def _opened(path: Path) -> tuple[GGUFReader, dict[str, str]]:
    """A GGUF file, and those of its keys that hold a text."""
    try:
        reader = GGUFReader(path)
        fields = {name: reader.fields[name] for name in _KEYS if name in reader.fields}
        contents = {name: field.contents() for name, field in fields.items()}
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError, LookupError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{path}: no whole GGUF file: {reason(error)}; fetch or write it anew"
        ) from error
    return reader, {name: text for name, text in contents.items() if isinstance(text, str)}


def _layer(path: Path | str, tensor: Any) -> int:
    """Layer of a tensor, which is checked as llama.cpp does."""
    found = _DIRECTION.fullmatch(tensor.name)
    if found is None:
        raise UserError(
            f"{path}: tensor {tensor.name!r}; a control vector has direction.1, direction.2, ..."
        )
    if tensor.tensor_type != GGMLQuantizationType.F32 or tensor.data.ndim != 1:
        raise UserError(
            f"{path}: {tensor.name!r}: got {tensor.tensor_type.name} of shape "
            f"{shown(tensor.data.shape)}; allowed: F32 of shape [d_model]; write it anew"
        )
    return int(found.group(1))
