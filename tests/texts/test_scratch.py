"""Finished parts are taken over whoever made them, damaged or foreign ones not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.texts.scratch import Scratch, clear, kept
from clampsweep.texts.tables import BATCH_GENERATIONS, BATCH_VECTORS

MADE = {"model": "m", "code": "c0de", "libraries": {"torch": "2"}, "batch": "b"}
KEYS = ("a", "b", "c", "d")


def _scratch(root: Path, name: str = "b", keys: tuple[str, ...] = KEYS, **made: object) -> Scratch:
    return Scratch(root / f"{name}-c0de", keys, {**MADE, "batch": name, **made})


def _part(*keys: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    generations = pd.DataFrame(
        [
            {
                "key": key,
                "text_digest": key,
                "target": "L0N1",
                "layer": 0,
                "neuron": 1,
                "operation": "set",
                "value": 1.0,
                "scope": "all",
                "seed": None,
                "n_prompt_tokens": 3,
                "token_ids": [ord(key)],
                "text": key,
                "n_new_tokens": 1,
                "stop_reason": "eos",
                "min_margin": 0.5,
                "nll_unclamped": 1.5,
                "p_end_first": 0.25,
            }
            for key in keys
        ]
    ).astype({"seed": "Int64"})
    vectors = pd.DataFrame(
        [
            {"key": key, "layer": layer, "vector": [float(layer)] * 2, "natural_value": 0.25}
            for key in keys
            for layer in (1, 0)
        ]
    )
    return generations, vectors


def _files(root: Path, pattern: str = "*/*") -> list[Path]:
    return sorted(path for path in root.glob(pattern) if path.is_file())


def _joined(scratch: Scratch, root: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    paths = root / "out/generations.parquet", root / "out/vectors.parquet"
    scratch.join(*paths)
    return (
        tables.read(paths[0], BATCH_GENERATIONS),
        tables.read(paths[1], BATCH_VECTORS),
    )


def test_parts_are_finished_and_joined_in_the_batchs_order(tmp_path: Path) -> None:
    scratch = _scratch(tmp_path)
    assert scratch.finished() == set()
    scratch.add(*_part("d", "b"))
    assert _scratch(tmp_path).finished() == {"b", "d"}
    scratch.add(*_part("c", "a"))
    generations, vectors = _joined(scratch, tmp_path)
    assert generations["key"].tolist() == list(KEYS)
    assert generations["text"].tolist() == list(KEYS)
    wanted = [(key, layer) for key in KEYS for layer in (0, 1)]
    assert list(zip(vectors["key"], vectors["layer"], strict=True)) == wanted


def test_a_batch_that_lacks_a_row_is_not_joined(tmp_path: Path) -> None:
    scratch = _scratch(tmp_path)
    scratch.add(*_part("a", "b", "c"))
    with pytest.raises(UserError, match="a part was removed meanwhile; run again"):
        _joined(scratch, tmp_path)
    assert not (tmp_path / "out/generations.parquet").exists()


def test_rows_of_another_batchs_parts_are_copied_and_outlive_it(tmp_path: Path) -> None:
    other = _scratch(tmp_path, "other", ("c", "x", "a"))
    other.add(*_part("c", "x"))
    other.add(*_part("a"))
    scratch = _scratch(tmp_path)
    scratch.add(*_part("a", "b"))
    assert scratch.finished() == {"a", "b", "c"}
    shutil.rmtree(tmp_path / "other-c0de")
    assert _scratch(tmp_path).finished() == {"a", "b", "c"}
    scratch.add(*_part("d"))
    generations, vectors = _joined(scratch, tmp_path)
    assert generations["key"].tolist() == list(KEYS)
    assert len(vectors) == 2 * len(KEYS)


@pytest.mark.parametrize("what", ["model", "code", "libraries"])
@pytest.mark.parametrize("name", ["b", "other"])
def test_what_another_model_code_or_library_made_is_not_taken_over(
    tmp_path: Path, name: str, what: str
) -> None:
    _scratch(tmp_path, name, **{what: "another"}).add(*_part("a"))
    _scratch(tmp_path, name).add(*_part("b"))
    assert _scratch(tmp_path).finished() == {"b"}


def test_parts_of_another_code_version_in_a_folder_of_its_own_stay_there(tmp_path: Path) -> None:
    Scratch(tmp_path / "b-01d", KEYS, {**MADE, "code": "01d"}).add(*_part("a"))
    assert _scratch(tmp_path).finished() == set()
    assert len(_files(tmp_path)) == 2


@pytest.mark.parametrize("end", ["generations", "vectors"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign", "missing", "of others"])
@pytest.mark.parametrize("name", ["b", "other"])
def test_a_damaged_part_is_computed_again_and_the_others_are_not(
    tmp_path: Path, name: str, damage: str, end: str
) -> None:
    scratch = _scratch(tmp_path, name)
    scratch.add(*_part("a"))
    (path,) = _files(tmp_path, f"*/*.{end}.parquet")
    scratch.add(*_part("b"))
    if damage == "missing":
        path.unlink()
    elif damage == "of others":
        wrong = _part("x")[end == "vectors"]
        schema = BATCH_VECTORS if end == "vectors" else BATCH_GENERATIONS
        tables.write(wrong, path, schema, MADE | {"batch": name})
    elif damage == "foreign":
        pd.DataFrame({"x": [1]}).to_parquet(path)
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "truncated" else b"")
    mine = _scratch(tmp_path)
    assert mine.finished() == {"b"}
    mine.add(*_part("a"))
    mine.add(*_part("c", "d"))
    assert mine.finished() == set(KEYS)
    assert _joined(mine, tmp_path)[0]["key"].tolist() == list(KEYS)


def test_an_unfinished_write_is_no_part(tmp_path: Path) -> None:
    scratch = _scratch(tmp_path)
    scratch.add(*_part("a"))
    for path in _files(tmp_path):
        shutil.copy(path, path.with_name(f".{path.name}.123.part"))
    (tmp_path / "b-c0de/notes.txt").write_text("?")
    assert _scratch(tmp_path).finished() == {"a"}


def test_links_to_the_finished_batch_take_the_place_of_its_parts(tmp_path: Path) -> None:
    scratch, root = _scratch(tmp_path / "scratch"), tmp_path / "scratch"
    for keys in ("ab", "cd"):
        scratch.add(*_part(*keys))
    _scratch(root, "other").add(*_part("x"))
    old = Scratch(root / "b-01d", KEYS, {**MADE, "code": "01d"})
    old.add(*_part("a"))
    paths = tmp_path / "generations/b.parquet", tmp_path / "vectors/b.parquet"
    scratch.join(*paths)
    written = [path.read_bytes() for path in paths]
    scratch.end(*paths)
    assert {path.parent.name for path in _files(root)} == {"b-c0de", "other-c0de"}
    assert len(_files(root, "b-c0de/*")) == 2
    for path in paths:
        path.unlink()
    assert scratch.finished() == set(KEYS)
    scratch.join(*paths)
    assert [path.read_bytes() for path in paths] == written
    clear(root, lambda batch: batch == "b")
    assert [path.name for path in root.iterdir()] == ["other-c0de"]


def test_what_another_job_made_is_known_only_if_it_is_whole_and_of_these_rows(
    tmp_path: Path,
) -> None:
    scratch = _scratch(tmp_path)
    scratch.add(*_part(*KEYS))
    paths = tmp_path / "out/generations.parquet", tmp_path / "out/vectors.parquet"
    assert not scratch.made(*paths)
    scratch.join(*paths)
    assert scratch.made(*paths)
    assert not _scratch(tmp_path, keys=("a", "b", "c")).made(*paths)
    assert not _scratch(tmp_path, keys=(*KEYS, "e")).made(*paths)
    assert not _scratch(tmp_path, model="another").made(*paths)
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    assert not scratch.made(*paths)


def test_texts_kept_for_a_code_are_those_of_its_whole_parts(tmp_path: Path) -> None:
    _scratch(tmp_path).add(*_part("a", "b"))
    _scratch(tmp_path, "other").add(*_part("c"))
    Scratch(tmp_path / "b-0ld", KEYS, MADE).add(*_part("d"))
    assert kept(tmp_path, "c0de") == {"a", "b", "c"}
    next((tmp_path / "other-c0de").glob("*.generations.parquet")).write_bytes(b"PAR1")
    assert kept(tmp_path, "c0de") == {"a", "b"}
