"""Steering vectors in files: against the bytes, other programs' files, and damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFWriter
from safetensors.numpy import load_file, save_file

from clampsweep.errors import UserError
from clampsweep.studies.steering.vector_files import (
    read_gguf,
    read_safetensors,
    write_gguf,
    write_safetensors,
)
from clampsweep.texts import directions


def vectors(n_layers: int = 5, d_model: int = 6, dtype: str = "float64") -> np.ndarray:
    """A vector after each block but the first and the fourth."""
    rows = np.random.default_rng(0).normal(size=(n_layers, d_model)).astype(dtype)
    rows[[0, 3]] = 0
    return rows


# ---- safetensors


def test_written_safetensors_are_directions_of_texts(tmp_path):
    rows, path = vectors(), tmp_path / "v.safetensors"
    write_safetensors({"warm": rows, "curt": -rows[:, ::-1]}, path, {"model": "m"})
    stored = directions.read(path)
    assert [(one.name, one.layer) for one in stored] == [
        (name, layer) for name in ("curt", "warm") for layer in (1, 2, 4)
    ]
    np.testing.assert_array_equal([one.vector for one in stored[3:]], rows[[1, 2, 4]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_safetensors_keep_their_numbers_and_all_layers(tmp_path, dtype):
    rows, path = vectors(dtype=dtype), tmp_path / "v.safetensors"
    rows[4] = 0  # the last layers too
    write_safetensors({"warm": rows}, path)
    assert load_file(path)["warm"].dtype == dtype
    (back,) = read_safetensors(path).values()
    assert back.dtype == np.float64
    np.testing.assert_array_equal(back, rows)
    first = path.read_bytes()
    write_safetensors({"warm": rows}, path)
    assert path.read_bytes() == first


def test_a_vector_of_no_layer_and_an_empty_one_are_refused(tmp_path):
    path = tmp_path / "v.safetensors"
    save_file({"warm": np.ones(4)}, path)
    with pytest.raises(UserError, match=r"'warm': got shape \[4\]; a steering vector is"):
        read_safetensors(path)
    save_file({"warm": np.zeros((2, 4))}, path)
    with pytest.raises(UserError, match="'warm': is zero in all layers"):
        read_safetensors(path)
    with pytest.raises(UserError, match=r"v\.parquet: a table"):
        read_safetensors(tmp_path / "v.parquet")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "no vectors"),
        ({"v": np.ones((0, 3))}, r"got shape \(0, 3\)"),
        ({"v": np.zeros((2, 3))}, "zero"),
        ({"v": np.full((2, 3), np.nan)}, "not finite"),
    ],
)
def test_what_is_no_vector_is_not_written(tmp_path, given, said):
    with pytest.raises(ValueError, match=said):
        write_safetensors(given, tmp_path / "v.safetensors")
    assert not list(tmp_path.iterdir())


# ---- GGUF


def parsed(content: bytes) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Keys and tensors of a GGUF file, read by its specification (version 3) and not by `gguf`."""
    at = 0

    def take(form: str) -> int:
        nonlocal at
        (value,) = struct.unpack_from(f"<{form}", content, at)
        at += struct.calcsize(form)
        return value

    def text() -> str:
        nonlocal at
        length = take("Q")
        at += length
        return content[at - length : at].decode()

    assert content[:4] == b"GGUF"
    at = 4
    assert take("I") == 3
    n_tensors, n_keys = take("Q"), take("Q")
    readers = {4: lambda: take("I"), 5: lambda: take("i"), 8: text}  # uint32, int32, string
    keys = {}
    for _ in range(n_keys):
        key = text()
        keys[key] = readers[take("I")]()
    infos = []
    for _ in range(n_tensors):
        name = text()
        shape = [take("Q") for _ in range(take("I"))]
        assert take("I") == 0  # float32
        infos.append((name, shape, take("Q")))
    start = -(-at // 32) * 32
    found = {
        name: np.frombuffer(content, "<f4", int(np.prod(shape)), start + offset).reshape(shape)
        for name, shape, offset in infos
    }
    return keys, found


def added_by_llama_cpp(tensors: dict[str, np.ndarray], n_layers: int, d_model: int) -> np.ndarray:
    """What llama.cpp adds after each block, by its loader's and its adapter's own arithmetic."""
    data = np.zeros(0, np.float32)
    for name, tensor in tensors.items():
        layer = int(name.split(".")[1])
        assert layer > 0 and tensor.shape == (d_model,)
        data = np.concatenate([data, np.zeros(max(0, d_model * layer - len(data)), np.float32)])
        data[d_model * (layer - 1) : d_model * layer] += tensor
    added = np.zeros((n_layers, d_model), np.float32)
    for il in range(1, n_layers):
        offset = d_model * (il - 1)
        if offset + d_model <= len(data):
            added[il] = data[offset : offset + d_model]
    return added


def test_a_written_control_vector_is_added_by_llama_cpp_after_the_block_of_its_row(tmp_path):
    rows, path = vectors(), tmp_path / "v.gguf"
    write_gguf(rows, path, "warm", "llama")
    keys, tensors = parsed(path.read_bytes())
    assert keys == {
        "general.architecture": "controlvector",
        "general.name": "warm",
        "controlvector.model_hint": "llama",
        "controlvector.layer_count": 4,
    }
    assert list(tensors) == [f"direction.{layer}" for layer in (1, 2, 3, 4)]
    np.testing.assert_array_equal(added_by_llama_cpp(tensors, 5, 6), rows.astype(np.float32))


def test_a_control_vector_comes_back_as_float32_numbers_from_the_same_bytes(tmp_path):
    rows, path = vectors(), tmp_path / "v.gguf"
    write_gguf(rows, path, "warm", "llama")
    back = read_gguf(path)
    assert (back.name, back.model_hint, back.rows.dtype) == ("warm", "llama", np.float64)
    np.testing.assert_array_equal(back.rows, rows.astype(np.float32))
    first = path.read_bytes()
    write_gguf(rows, path, "warm", "llama")
    assert path.read_bytes() == first


def other_file(path: Path, tensors: dict[str, np.ndarray], arch: str = "controlvector") -> Path:
    """A file as repeng writes it: no name, layers in any order, one tensor for each it has."""
    writer = GGUFWriter(path, arch)
    writer.add_string(f"{arch}.model_hint", "mistral")
    writer.add_uint32(f"{arch}.layer_count", len(tensors))
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


ONE = np.ones(4, np.float32)


def test_another_programs_file_is_read_and_tensors_of_a_layer_add_up(tmp_path):
    tensors = {"direction.3": ONE, "direction.1": 2 * ONE, "direction.3.more": 4 * ONE}
    back = read_gguf(other_file(tmp_path / "honest.gguf", tensors))
    assert (back.name, back.model_hint) == ("honest", "mistral")
    assert back.rows.tolist() == [[0] * 4, [2] * 4, [0] * 4, [5] * 4]
    longer = read_gguf(tmp_path / "honest.gguf", n_layers=6)
    assert longer.rows.shape == (6, 4) and not longer.rows[4:].any()
    first = read_gguf(other_file(tmp_path / "zero.gguf", {"direction.0": ONE}))
    assert first.rows.tolist() == [[1] * 4]


@pytest.mark.parametrize(
    ("tensors", "arch", "said"),
    [
        ({"direction.1": ONE}, "llama", "general.architecture: got 'llama'"),
        ({"direction.x": ONE}, "controlvector", "tensor 'direction.x'"),
        ({"blk.1": ONE}, "controlvector", "tensor 'blk.1'"),
        ({"direction.1000000": ONE}, "controlvector", "tensor 'direction.1000000'"),
        ({"direction.1": ONE.astype(np.float16)}, "controlvector", "'direction.1': got F16"),
        ({"direction.1": np.ones((2, 2), np.float32)}, "controlvector", "got F32 of shape (2, 2)"),
        ({"direction.1": ONE, "direction.2": ONE[:3]}, "controlvector", "no directions of one len"),
        ({"direction.1": 0 * ONE}, "controlvector", "zero, or holds numbers"),
        ({"direction.1": np.inf * ONE}, "controlvector", "zero, or holds numbers"),
        ({"direction.5": ONE}, "controlvector", "direction.5, but the model has 5 layers"),
    ],
)
def test_what_llama_cpp_would_not_take_is_refused(tmp_path, tensors, arch, said):
    path = other_file(tmp_path / "v.gguf", tensors, arch)
    with pytest.raises(UserError) as caught:
        read_gguf(path, n_layers=5)
    assert said in str(caught.value)


def test_a_file_cut_anywhere_is_refused_in_a_line(tmp_path):
    write_gguf(vectors(), tmp_path / "v.gguf", "warm", "llama")
    whole = (tmp_path / "v.gguf").read_bytes()
    _, tensors = parsed(whole)
    ends = len(whole) - 8  # the last tensor's numbers are 24 bytes, padded to 32
    assert len(tensors) == 4
    for length in [*range(0, ends, 7), ends - 1]:
        (tmp_path / "cut.gguf").write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"cut\.gguf: "):
            read_gguf(tmp_path / "cut.gguf")
    with pytest.raises(UserError, match="no such file"):
        read_gguf(tmp_path / "none.gguf")


def test_any_bytes_in_a_file_are_refused_in_a_line_or_read(tmp_path):
    write_gguf(vectors(), tmp_path / "v.gguf", "warm", "llama")
    whole, rng, refused = (tmp_path / "v.gguf").read_bytes(), np.random.default_rng(0), 0
    for _ in range(300):
        content = bytearray(whole)
        content[rng.integers(len(whole) - 128)] = rng.integers(256)  # all but the numbers
        (tmp_path / "other.gguf").write_bytes(content)
        try:
            read_gguf(tmp_path / "other.gguf")
        except UserError as error:
            assert "other.gguf: " in str(error)
            refused += 1
    assert 150 < refused < 300


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.ones((3, 4)), "has a vector after block 0"),
        (np.zeros((3, 4)), "zero"),
        (np.vstack([np.zeros(4), np.full(4, 1e39)]), "not finite"),  # not as float32
    ],
)
def test_what_a_control_vector_cannot_hold_is_not_written(tmp_path, rows, said):
    with pytest.raises(ValueError, match=said):
        write_gguf(rows, tmp_path / "v.gguf", "v", "llama")
    assert not list(tmp_path.iterdir())
