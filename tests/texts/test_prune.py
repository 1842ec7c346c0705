"""Batches that nothing in the results folder was made from are removed, and no others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch_history
import factories
from batch_history import (
    finish,
    finished,
    held,
    histories,
    plan_anew,
    play,
    pooled,
    quickly,
    runs,
)
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.tables import Column, Schema
from clampsweep.texts.combination import Combination
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.planner import Planner, pin_plan
from clampsweep.texts.prune import named, prune
from requested import many, prompts

folders = batch_history.folders


def computed(results: Path, wanted: list[Combination], name: str = "main") -> Any:
    """The plan of a sweep of these combinations, and its batches, all finished."""
    texts = {one.prompt: None for one in wanted}
    path, batches = pin_plan(Planner(results, 99), name, prompts(*texts), wanted)
    for batch in batches:
        finish(results, batch)
    return path, batches


def gather(results: Path, sweep: str, path: Path) -> Path:
    """Let a sweep's table say that it was gathered by a plan."""
    table = factories.frame([factories.baseline("p0", "Text.")], GENERATIONS)
    found = results / sweep / "generations.parquet"
    tables.write(table, found, GENERATIONS, {"plan": path.stem})
    return found


def everything(results: Path) -> set[Path]:
    return {path for path in results.rglob("*") if path.is_file()}


def test_pruning_removes_the_batches_that_no_plan_has_a_row_of_and_no_other_file(tmp_path):
    _, (old,) = computed(tmp_path, many(3))
    (half,) = Planner(tmp_path, 99).assign(many(3, model="n"))
    finish(tmp_path, half, 0)
    path, _ = computed(tmp_path, many(3, target="L0N7"))
    (tmp_path / "generations" / "note.txt").touch()
    before = everything(tmp_path)
    removed = prune(tmp_path, [path])
    expected = {tmp_path / "batches" / f"{batch}.json" for batch in (old, half)}
    planner = Planner(tmp_path, 99)
    expected |= {*planner.outputs(old), planner.outputs(half)[0]}
    assert set(removed) == expected and len(removed) == len(expected)
    assert everything(tmp_path) == before - expected


def test_pruning_keeps_batches_that_a_plan_shares_with_the_past(tmp_path):
    _, (old,) = computed(tmp_path, many(3))
    path, batches = computed(tmp_path, many(5)[2:])
    assert old in batches
    assert prune(tmp_path, [path]) == []


def test_pruning_keeps_what_the_sweeps_in_results_were_gathered_from(tmp_path):
    path, _ = computed(tmp_path, many(3), "earlier")
    gather(tmp_path, "earlier", path)
    current, _ = computed(tmp_path, many(3, target="L0N7"))
    assert prune(tmp_path, [current]) == []


def test_pruning_keeps_what_a_sweep_was_gathered_from_though_its_plan_is_gone(tmp_path):
    wanted = many(3)
    path, batches = computed(tmp_path, wanted, "earlier")
    rows = [{**factories.baseline(f"p{at}", "Text."), "key": wanted[at].key} for at in range(3)]
    table = factories.frame(rows, GENERATIONS)
    found = tmp_path / "earlier" / "generations.parquet"
    tables.write(table, found, GENERATIONS, {"plan": path.stem})
    path.unlink()
    assert prune(tmp_path, []) == []
    found.unlink()
    assert len(prune(tmp_path, [])) == 3 * len(batches)


def test_pruning_keeps_what_controls_in_results_were_gathered_from(tmp_path):
    path, _ = computed(tmp_path, many(3), "earlier/controls")
    gather(tmp_path, "earlier/controls", path)
    current, _ = computed(tmp_path, many(3, target="L0N7"))
    assert prune(tmp_path, [current]) == []


def test_pruning_removes_what_a_sweep_was_gathered_from_before_it_changed(tmp_path):
    first, (old,) = computed(tmp_path, many(3))
    gather(tmp_path, "main", first)
    second, _ = computed(tmp_path, many(3, target="L0N7"))
    gather(tmp_path, "main", second)
    assert tmp_path / "batches" / f"{old}.json" in prune(tmp_path, [second])


def test_pruning_keeps_what_several_plans_want(tmp_path):
    one, _ = computed(tmp_path, many(3), "one")
    two, _ = computed(tmp_path, many(3, target="L0N7"), "two")
    assert prune(tmp_path, [one, two]) == []


def test_pruning_twice_removes_nothing_more(tmp_path):
    computed(tmp_path, many(3))
    assert len(prune(tmp_path, [])) == 3
    assert prune(tmp_path, []) == []


def test_pruning_an_empty_folder_removes_nothing(tmp_path):
    assert prune(tmp_path, []) == []


@pytest.mark.parametrize("damaged", ["plan", "table", "batch"])
def test_where_it_cannot_be_told_what_is_used_pruning_removes_nothing_and_says_so(
    tmp_path, damaged
):
    computed(tmp_path, many(3), "old")
    path, (batch,) = computed(tmp_path, many(3, target="L0N7"))
    table = gather(tmp_path, "main", path)
    file = {"plan": path, "table": table, "batch": tmp_path / "batches" / f"{batch}.json"}[damaged]
    file.write_bytes(file.read_bytes()[:-20])
    before = everything(tmp_path)
    with pytest.raises(UserError) as caught:
        prune(tmp_path, [path])
    assert str(file) in str(caught.value) and "\n" not in str(caught.value)
    assert everything(tmp_path) == before


@given(histories, runs)
@quickly
def test_what_is_wanted_stays_as_it_is_after_pruning(folders, history, run):
    results = play(folders(), history)
    wanted = pooled(run[0])
    table = prompts(*{one.prompt: None for one in wanted})
    path, batches = pin_plan(Planner(results, run[1]), "main", table, wanted)
    before = {batch: finished(results, batch) for batch in batches}
    prune(results, [path])
    assert plan_anew(results, run) == batches
    assert {batch: finished(results, batch) for batch in batches} == before


# Tables of any study, however deep

MEASURED = Schema("measured", {"n": Column("int", "a number")}, key=("n",))


def measured(path: Path, **provenance: Any) -> None:
    """Write a small table of a study's own."""
    tables.write(pd.DataFrame({"n": [1]}), path, MEASURED, provenance)


def test_pruning_keeps_what_a_table_three_folders_deep_was_made_from(tmp_path):
    path, batches = computed(tmp_path, many(3), "earlier")
    table = tmp_path / "earlier" / "part" / "more" / "measured.parquet"
    measured(table, plan=path.stem)
    current, _ = computed(tmp_path, many(3, target="L0N7"))
    assert prune(tmp_path, [current]) == []
    table.unlink()
    assert {path.stem for path in prune(tmp_path, [current])} == set(batches)


def test_pruning_keeps_what_generations_three_folders_deep_hold_though_their_plan_is_gone(tmp_path):
    wanted = many(3)
    path, batches = computed(tmp_path, wanted, "earlier")
    rows = [{**factories.baseline("p0", "Text."), "key": wanted[0].key}]
    deep = tmp_path / "earlier" / "part" / "more" / "generations.parquet"
    tables.write(factories.frame(rows, GENERATIONS), deep, GENERATIONS, {"plan": path.stem})
    path.unlink()
    assert prune(tmp_path, []) == []
    deep.unlink()
    assert {path.stem for path in prune(tmp_path, [])} == set(batches)


def test_a_parquet_file_of_another_program_neither_keeps_a_batch_nor_stops_pruning(tmp_path):
    _, batches = computed(tmp_path, many(3))
    foreign = tmp_path / "main" / "notes" / "foreign.parquet"
    foreign.parent.mkdir(parents=True)
    pq.write_table(pa.table({"key": [one.key for one in many(3)]}), foreign)
    before = foreign.read_bytes()
    assert {path.stem for path in prune(tmp_path, [])} == set(batches)
    assert foreign.read_bytes() == before


def test_a_table_that_was_made_from_no_plan_keeps_nothing(tmp_path):
    _, batches = computed(tmp_path, many(3))
    measured(tmp_path / "main" / "measured.parquet", code="c0de")
    assert {path.stem for path in prune(tmp_path, [])} == set(batches)


def test_a_table_of_another_kind_whose_plan_is_gone_is_named_and_nothing_is_removed(tmp_path):
    path, _ = computed(tmp_path, many(3))
    table = tmp_path / "main" / "part" / "measured.parquet"
    measured(table, plan=path.stem)
    path.unlink()
    before = everything(tmp_path)
    with pytest.raises(UserError) as caught:
        prune(tmp_path, [])
    message = str(caught.value)
    assert message.startswith(f"{table}: its plan {path} is gone") and "\n" not in message
    assert everything(tmp_path) == before


def test_a_table_of_another_version_is_named_and_nothing_is_removed(tmp_path):
    path, _ = computed(tmp_path, many(3))
    measured(tmp_path / "main" / "measured.parquet", plan=path.stem, schema_version=99)
    before = everything(tmp_path)
    with pytest.raises(UserError, match=r"measured\.parquet: of another version"):
        prune(tmp_path, [])
    assert everything(tmp_path) == before


def test_pruning_keeps_what_a_table_joined_from_several_requests_was_made_from(tmp_path):
    one, batches = computed(tmp_path, many(3), "one")
    two, more = computed(tmp_path, many(3, target="L0N7"), "one/two")
    _, (neither,) = computed(tmp_path, many(3, model="n"), "three")
    table = tmp_path / "one" / "a" / "b" / "c" / "measured.parquet"
    measured(table, plan=[one.stem, two.stem])
    assert {path.stem for path in prune(tmp_path, [])} == {neither}
    table.unlink()
    assert {path.stem for path in prune(tmp_path, [])} == {*batches, *more}


def test_pruning_looks_behind_links_and_not_in_circles(tmp_path):
    results, elsewhere = tmp_path / "results", tmp_path / "other disk"
    path, batches = computed(results, many(3), "earlier")
    measured(elsewhere / "part" / "measured.parquet", plan=path.stem)
    (results / "earlier").symlink_to(elsewhere)
    (elsewhere / "part" / "back").symlink_to(results)
    assert prune(results, []) == []
    (results / "earlier").unlink()
    assert {path.stem for path in prune(results, [])} == set(batches)


def test_a_folder_that_cannot_be_read_is_named_and_nothing_is_removed(tmp_path, monkeypatch):
    path, _ = computed(tmp_path, many(3))
    closed = tmp_path / "main" / "closed"
    measured(closed / "measured.parquet", plan=path.stem)
    before, scan = everything(tmp_path), os.scandir

    def refusing(folder):
        if Path(folder) == closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(UserError, match="closed: cannot read: Permission denied"):
        prune(tmp_path, [])
    monkeypatch.undo()
    assert everything(tmp_path) == before


def test_of_tables_only_the_footers_are_read(tmp_path, monkeypatch):
    path, _ = computed(tmp_path, many(3), "earlier")
    gather(tmp_path, "earlier", path)
    monkeypatch.setattr(pq, "read_table", None)
    assert prune(tmp_path, []) == []


def test_names_under_any_key_of_footers_are_found_with_the_tables_that_hold_them(tmp_path):
    places = [tmp_path / "a" / "x.parquet", tmp_path / "b" / "c" / "y.parquet"]
    measured(places[0], parts=["p", "q"])
    measured(places[1], parts="q", plan="other")
    assert named(tmp_path, "parts") == {"p": places[:1], "q": places}
    assert named(tmp_path, "nothing") == {}


# A results folder: the combinations of each plan; of each table its depth and the plans that it was
# made from, as places in their list.
numbered = st.lists(st.integers(0, 3), max_size=3)
planned = st.lists(batch_history.numbers, min_size=1, max_size=4)
placed = st.lists(st.tuples(st.integers(0, 4), numbered), max_size=4)


@given(planned, placed, numbered)
@quickly
def test_a_batch_stays_exactly_if_a_table_or_the_run_wants_one_of_its_rows(
    folders, plans, made, current
):
    results = folders()
    paths, wants = [], []
    for at, numbers in enumerate(plans):
        wanted = pooled(numbers)
        texts = prompts(*{one.prompt: None for one in wanted})
        paths.append(pin_plan(Planner(results, 2), f"r{at}", texts, wanted).path)
        wants.append({one.key for one in wanted})
    for at, (depth, numbers) in enumerate(made):
        of = [paths[number].stem for number in numbers if number < len(paths)]
        folder = results.joinpath("e", *"abcd"[:depth])
        measured(folder / f"{at}.parquet", plan=of[0] if len(of) == 1 else of)
    asked = {number for _, numbers in made for number in numbers} | set(current)
    used = {key for number in asked if number < len(wants) for key in wants[number]}
    before = held(results)
    removed = prune(results, [paths[number] for number in current if number < len(paths)])
    assert set(held(results)) == {batch for batch, keys in before.items() if keys & used}
    assert {path.stem for path in removed} == set(before) - set(held(results))


@pytest.mark.parametrize("folder", ["generations", "vectors", ".scratch/0123456789abcdef-c0de"])
def test_batches_and_parts_of_batches_keep_nothing_and_are_not_read(tmp_path, folder):
    path, batches = computed(tmp_path, many(3))
    measured(tmp_path / folder / "measured.parquet", plan=path.stem)
    (tmp_path / folder / "half.parquet").write_bytes(b"PAR1")
    assert {path.stem for path in prune(tmp_path, [])} == set(batches)


def test_the_parts_of_a_batch_go_with_it_and_those_of_another_stay(tmp_path):
    _, (old,) = computed(tmp_path, many(3))
    path, (kept,) = computed(tmp_path, many(3, target="L0N7"))
    parts = {batch: tmp_path / ".scratch" / f"{batch}-c0de" / "0" for batch in (old, kept)}
    for part in parts.values():
        part.parent.mkdir(parents=True)
        part.touch()
    assert parts[old] in prune(tmp_path, [path])
    assert [part.exists() for part in parts.values()] == [False, True]
