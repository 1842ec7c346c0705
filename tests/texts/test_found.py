"""Neurons that a table of roles names, on tables made by hand."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.names import Neuron
from clampsweep.tables import Column, Schema
from clampsweep.texts.found import best, check_neurons, read_roles, write_found
from clampsweep.texts.selection import NEURON_STATS, read_selected

ROWS = [("b", 3, 0, 0), ("a", 2, 0, 7), ("a", 10, 1, 1), ("a", 1, 1, 2), ("b", 1, 0, 7)]
COLUMNS = ["role", "rank", "layer", "neuron"]


def table(path: Path, rows: list[tuple[Any, ...]] = ROWS, **more: Any) -> Path:
    pd.DataFrame(rows, columns=COLUMNS).assign(**more).to_parquet(path)
    return path


def test_the_best_come_first_whatever_the_order_of_rows(tmp_path: Path) -> None:
    path = table(tmp_path / "r.parquet", score=1.5, note="x")
    roles = read_roles(path)
    assert list(roles.columns) == COLUMNS
    assert best(roles, path, "a", 2) == [Neuron(1, 2), Neuron(0, 7)]
    assert best(roles, path, "a", 3)[-1] == Neuron(1, 1)  # 10 comes after 2
    assert best(roles, path, "b", 1) == [Neuron(0, 7)]


@pytest.mark.parametrize(
    ("role", "top", "said"),
    [("c", 1, "role 'c'; roles in it: a, b"), ("b", 3, "2 neurons .* top: 2 or less")],
)
def test_too_few_neurons_are_no_neurons(tmp_path: Path, role: str, top: int, said: str) -> None:
    path = table(tmp_path / "r.parquet")
    with pytest.raises(UserError, match=f"r.parquet: .*{said}"):
        best(read_roles(path), path, role, top)


def test_a_table_without_rows_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pd.DataFrame(ROWS, columns=COLUMNS).head(0).to_parquet(path)
    with pytest.raises(UserError, match="roles in it: none"):
        best(read_roles(path), path, "a", 1)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("a", 1, 0, 1), ("a", 1, 0, 2)], "role 'a' has rank 1 twice"),
        ([("a", 1, 0, 1), ("a", 2, 0, 1)], "role 'a' has layer 0, neuron 1 twice"),
        ([("a", 1.5, 0, 1)], "whole numbers"),
        ([("a", 1, None, 1), ("a", 2, 1, 1)], "no table of roles"),
        ([("a", "first", 0, 1)], "no table of roles"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, rows: list[tuple[Any, ...]], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        read_roles(table(tmp_path / "r.parquet", rows))


def test_other_files_are_no_tables_of_roles(tmp_path: Path) -> None:
    (tmp_path / "r.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match="not a whole Parquet file"):
        read_roles(tmp_path / "r.parquet")
    pd.DataFrame({"role": ["a"], "rank": [1], "layer": [0]}).to_parquet(tmp_path / "s.parquet")
    with pytest.raises(UserError, match="lacks column 'neuron'"):
        read_roles(tmp_path / "s.parquet")


def test_a_table_copied_from_another_place_in_results_is_refused(tmp_path: Path) -> None:
    kinds = dict.fromkeys(COLUMNS[1:], Column("int", "a number"))
    schema = Schema("un_roles", {"role": Column("str", "role"), **kinds}, ("role", "rank"))
    path, other = (tmp_path / f"results/{name}/un_roles.parquet" for name in ("one", "two"))
    tables.write(pd.DataFrame(ROWS, columns=COLUMNS), path, schema, {})
    assert len(read_roles(path)) == len(ROWS)
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="a copy of what belongs in results/one"):
        read_roles(other)


def test_neurons_that_the_model_has_not_are_refused() -> None:
    neurons = [Neuron(0, 1), Neuron(2, 3)]
    check_neurons(neurons, "r", lambda one: one.layer < 3, "tiny has 3 layers")
    with pytest.raises(UserError, match="r: names L2N3, but tiny has 2 layers"):
        check_neurons(neurons, "r", lambda one: one.layer < 2, "tiny has 2 layers")


def stats(path: Path, n_layers: int) -> Path:
    """Statistics of two layers of eight neurons, whose mean is 10 x layer + neuron."""
    rows = [(layer, neuron) for layer in range(n_layers) for neuron in range(8)]
    frame = pd.DataFrame(rows, columns=["layer", "neuron"])
    frame["mean"] = 10.0 * frame["layer"] + frame["neuron"]
    left = {name: 1 for name in NEURON_STATS.columns if name not in frame}
    frame = frame.assign(**left).astype(
        {name: float for name, one in NEURON_STATS.columns.items() if one.type == "float"}
    )
    tables.write(frame, path, NEURON_STATS, {})
    return path


@pytest.mark.parametrize(("operation", "means"), [("set", (None, None)), ("mean", (12.0, 7.0))])
def test_the_plan_reads_them(tmp_path: Path, operation: str, means: tuple[Any, ...]) -> None:
    path, measured = table(tmp_path / "r.parquet"), stats(tmp_path / "n.parquet", 2)
    write_found(path, "a", 2, operation, measured, tmp_path / "selected.json")
    selected = read_selected(tmp_path / "selected.json")
    assert (selected.targets, selected.means) == (("L1N2", "L0N7"), means)


def test_a_table_of_another_model_ends_in_a_line(tmp_path: Path) -> None:
    path, measured = table(tmp_path / "r.parquet"), stats(tmp_path / "n.parquet", 1)
    with pytest.raises(UserError, match="names L1N2, but the sweep's model has layers 0-0"):
        write_found(path, "a", 2, "set", measured, tmp_path / "selected.json")
    assert not (tmp_path / "selected.json").exists()
