"""Tables of captured vectors: what they hold, how they are cut; they are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models import capture_table
from clampsweep.models.capture_table import CAPTURED, read_capture, write_capture
from clampsweep.models.model import Model
from clampsweep.names import MLP_POST, PATTERN, RESID_POST, HookPoint
from reference import post_activations
from tiny import D_MLP, D_MODEL

SEQUENCES = {"a/1": [5, 6, 7, 8], "b": [30, 2, 31], "c": [9, 10, 40, 12], "d": [77]}
POSITIONS = {"a/1": [3, 0], "b": [0, 1, 2], "c": [], "d": [0]}
LAYERS = [0, 2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("limit", [1, 2**27], ids=["a group a row", "one group"])
def test_tables_hold_the_chosen_vectors_of_each_layer(
    model: Model,
    hugging_face: Callable[[Model], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dtype: torch.dtype,
    limit: int,
) -> None:
    monkeypatch.setattr(capture_table, "_BYTES_AT_ONCE", limit)
    paths = {MLP_POST: tmp_path / "post.parquet", RESID_POST: tmp_path / "resid.parquet"}
    write_capture(model, SEQUENCES, POSITIONS, LAYERS, paths, {"code": "x"}, dtype, 2)
    for layer in LAYERS:
        got = read_capture(paths[MLP_POST], HookPoint(layer, MLP_POST))
        assert got.vectors.dtype == np.dtype(str(dtype).removeprefix("torch."))
        rows = set(zip(got.sequences, got.positions.tolist(), strict=True))
        assert rows == {(name, at) for name, some in POSITIONS.items() for at in some}
        for name, at, vector in zip(*got, strict=True):
            wanted = post_activations(hugging_face(model), SEQUENCES[name])[layer][at]
            np.testing.assert_allclose(vector, wanted, rtol=1e-3, atol=1e-4)
        resid = read_capture(paths[RESID_POST], HookPoint(layer, RESID_POST))
        assert resid.sequences == got.sequences
        assert resid.vectors.shape == (6, D_MODEL)
    frame = tables.read(paths[RESID_POST], CAPTURED)
    assert len(frame) == 6 * len(LAYERS)
    assert tables.footer(paths[MLP_POST])["code"] == "x"
    assert list(tmp_path.glob(".*")) == []


def test_a_row_group_holds_one_layer(
    gpt2: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "post.parquet"

    def groups() -> list[tuple[int, list[int]]]:
        """The layer and the positions of each row group."""
        write_capture(gpt2, SEQUENCES, None, [0, 1, 2], {MLP_POST: path}, {}, rows_per_forward=1)
        file = pq.ParquetFile(path)
        found = []
        for at in range(file.num_row_groups):
            frame = file.read_row_group(at, ["layer", "position"]).to_pandas()
            (layer,) = set(frame["layer"])
            found.append((layer, frame["position"].tolist()))
        return found

    # Passes of one, three, four and four positions.
    rows = [0, 0, 1, 2, 0, 1, 2, 3, 0, 1, 2, 3]
    assert groups() == [(layer, rows) for layer in (0, 1, 2)], "all rows of a layer"
    monkeypatch.setattr(capture_table, "_BYTES_AT_ONCE", 3 * D_MLP * 2 * 5)  # five rows of each
    cut = [rows[:5], rows[5:10], rows[10:]]
    assert groups() == [(layer, part) for part in cut for layer in (0, 1, 2)]
    monkeypatch.setattr(capture_table, "_BYTES_AT_ONCE", 1)  # less than a row
    assert len(groups()) == 3 * len(rows)
    column = pq.ParquetFile(path).schema_arrow.field("vector")
    assert column.type.byte_width == 2 * D_MLP
    assert column.metadata[b"dtype"] == b"<f2"


def test_only_the_wanted_layers_row_groups_are_read(gpt2: Model, tmp_path: Path) -> None:
    """Damage to another layer's vectors is not noticed; damage to its own is."""
    path = tmp_path / "post.parquet"
    write_capture(gpt2, SEQUENCES, None, [0, 1], {MLP_POST: path}, {}, torch.float32)
    column = pq.ParquetFile(path).metadata.row_group(0).column(4)
    content = bytearray(path.read_bytes())
    content[column.data_page_offset + column.total_compressed_size - 8] ^= 0xFF
    path.write_bytes(content)
    assert len(read_capture(path, HookPoint(1, MLP_POST)).vectors) == 12
    with pytest.raises(UserError, match="not a whole Parquet file"):
        read_capture(path, HookPoint(0, MLP_POST))


@pytest.mark.parametrize("sequences", [{}, {"a": [3, 4]}], ids=["no sequence", "no position"])
def test_a_capture_of_nothing_is_a_table_without_rows(
    gpt2: Model, tmp_path: Path, sequences: dict[str, list[int]]
) -> None:
    path = tmp_path / "post.parquet"
    write_capture(gpt2, sequences, {name: [] for name in sequences}, [0], {MLP_POST: path}, {})
    assert tables.read(path, CAPTURED).empty
    with pytest.raises(UserError, match=r"nothing of blocks\.0\.mlp\.hook_post"):
        read_capture(path, HookPoint(0, MLP_POST))


def test_what_is_refused_in_the_middle_leaves_no_table_and_the_old_one(
    gpt2: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = {MLP_POST: tmp_path / "post.parquet", RESID_POST: tmp_path / "resid.parquet"}
    paths[MLP_POST].write_text("old")
    monkeypatch.setattr(capture_table, "_BYTES_AT_ONCE", 1)

    def late(module: Any, args: Any, kwargs: Any) -> None:
        if kwargs["input_ids"].shape == (1, 4):  # the last pass, after two row groups
            raise KeyboardInterrupt

    handle = gpt2.plain.register_forward_pre_hook(late, with_kwargs=True)
    try:
        with pytest.raises(KeyboardInterrupt):
            write_capture(gpt2, SEQUENCES, None, [0], paths, {}, rows_per_forward=1)
    finally:
        handle.remove()
    assert paths[MLP_POST].read_text() == "old"
    assert list(tmp_path.iterdir()) == [paths[MLP_POST]]


def test_attention_patterns_make_no_table(llama: Model, tmp_path: Path) -> None:
    path = tmp_path / "pattern.parquet"
    with pytest.raises(UserError, match="no one width") as caught:
        write_capture(llama, SEQUENCES, None, [0], {PATTERN: path}, {})
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert os.listdir(tmp_path) == []
