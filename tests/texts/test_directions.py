"""Directions are read as their files hold them, and pinned by their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts.directions import (
    DIRECTIONS,
    Steering,
    pin_directions,
    pinned,
    read,
    read_pinned,
)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_vector_is_read_as_torch_reads_it(tmp_path: Path, dtype: torch.dtype) -> None:
    vector = torch.randn(7, generator=torch.Generator().manual_seed(0)).to(dtype)
    save_file({"refusal": vector}, tmp_path / "d.safetensors")
    ((name, layer, got),) = read(tmp_path / "d.safetensors")
    assert (name, layer) == ("refusal", None)
    assert got.tolist() == vector.double().tolist()


def test_a_matrix_has_a_direction_for_each_layer_but_those_that_are_zero(tmp_path: Path) -> None:
    matrix = torch.arange(12.0).reshape(4, 3) + 1
    matrix[2] = 0
    save_file({"b": matrix, "a": matrix[0].clone()}, tmp_path / "d.safetensors")
    got = read(tmp_path / "d.safetensors")
    assert [(one.name, one.layer) for one in got] == [("a", None), ("b", 0), ("b", 1), ("b", 3)]
    assert got[3].vector.tolist() == [10, 11, 12]


def test_a_table_is_read_row_by_row(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "name": ["x", "y"],
            "layer": pd.array([3, None], "Int64"),
            "vector": [np.array([1, 2], np.float32), np.array([0, -1], np.float32)],
        }
    )
    tables.write(frame, tmp_path / "d.parquet", DIRECTIONS, {})
    got = [(name, layer, vector.tolist()) for name, layer, vector in read(tmp_path / "d.parquet")]
    assert got == [("x", 3, [1.0, 2.0]), ("y", None, [0.0, -1.0])]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_a_table_that_pandas_writes_is_read(tmp_path: Path, dtype: type) -> None:
    vectors = [np.arange(1, 4).astype(dtype).tolist(), [0, 2, 0]]
    frame = pd.DataFrame({"name": ["x", "y"], "vector": vectors, "more": 1})
    frame.to_parquet(tmp_path / "d.parquet")
    got = [(name, layer, vector.tolist()) for name, layer, vector in read(tmp_path / "d.parquet")]
    assert got == [("x", None, [1, 2, 3]), ("y", None, [0, 2, 0])]
    pd.DataFrame({"name": ["x", "x"], "layer": [1, 2], "vector": vectors}).to_parquet(
        tmp_path / "d.parquet"
    )
    assert [layer for _, layer, _ in read(tmp_path / "d.parquet")] == [1, 2]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"name": ["x"]}, "lacks column 'vector'"),
        ({"name": ["x"], "vector": ["abc"]}, "no list of numbers"),
        ({"name": ["x"], "vector": [[]]}, "no list of numbers"),
        ({"name": ["x"], "layer": ["a"], "vector": [[1.0]]}, "no table of directions"),
        ({"name": ["x", "x"], "layer": [1, 1], "vector": [[1.0], [2.0]]}, "'x' stands twice"),
    ],
)
def test_another_table_is_refused_in_one_line(tmp_path: Path, columns: Any, said: str) -> None:
    pd.DataFrame(columns).to_parquet(tmp_path / "d.parquet")
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path / "d.parquet")
    assert str(caught.value).startswith(f"{tmp_path / 'd.parquet'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.ones(2, dtype=torch.int64), "I64 of shape [2]"),
        (torch.ones(2, 3, 4), "F32 of shape [2, 3, 4]"),
        (torch.ones(0), "F32 of shape [0]"),
        (torch.tensor([1.0, torch.nan]), "not finite"),
        (torch.tensor([[1.0, 2.0], [1.0, torch.inf]]), "'d', layer 1: holds numbers that are not"),
        (torch.zeros(3), "is zero"),
    ],
)
def test_what_is_no_direction_is_refused_in_one_line(
    tmp_path: Path, tensor: torch.Tensor, said: str
) -> None:
    save_file({"d": tensor}, tmp_path / "d.safetensors")
    with pytest.raises(UserError) as caught:
        read(tmp_path / "d.safetensors")
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'd.safetensors'}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 64])
def test_another_file_is_refused_and_never_unpickled(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "d.pt").write_bytes(content)
    with pytest.raises(UserError, match="neither a safetensors file nor"):
        read(tmp_path / "d.pt")


def test_what_is_pinned_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    vector = tuple(np.random.default_rng(0).normal(size=5).tolist())
    one = Steering("L3@x", vector)
    pin_directions(tmp_path, [one, Steering("L4@y", vector)])
    (file,) = (tmp_path / "directions").iterdir()
    assert file == pinned(tmp_path, one.digest)
    assert tuple(read_pinned(tmp_path, one.digest).tolist()) == vector


def test_other_numbers_than_the_name_says_are_refused(tmp_path: Path) -> None:
    one = Steering("L3@x", (1.0, 2.0))
    pin_directions(tmp_path, [one])
    file = pinned(tmp_path, one.digest)
    file.write_text(json.dumps({"vector": [1.0, 2.5]}))
    with pytest.raises(UserError, match="damaged direction file; delete it"):
        read_pinned(tmp_path, one.digest)
