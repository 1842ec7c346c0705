"""From combinations to batches on disk and to pinned plans."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batch_history
from batch_history import (
    POOL,
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
from clampsweep.texts.combination import read_batch
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.planner import Planner, pin_plan
from clampsweep.texts.request import Named, TextRequest
from clampsweep.texts.selection import Selected
from clampsweep.texts.wanted import baselines, interventions
from requested import PLAIN, REQUEST, change, many, prompts

folders = batch_history.folders


def contents(results: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of each pinned batch: Snakemake looks at both."""
    paths = (results / "batches").glob("*")
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


@given(histories, runs)
@quickly
def test_every_wanted_key_is_held_by_an_assigned_batch(folders, history, run):
    results = play(folders(), history)
    batches = plan_anew(results, run)
    found = {key for batch in batches for key in held(results)[batch]}
    assert {POOL[at].key for at in run[0]} <= found
    assert batches == sorted(set(batches))


@given(histories, runs)
@quickly
def test_no_wanted_key_is_held_by_two_assigned_batches(folders, history, run):
    results = play(folders(), history)
    wanted = {POOL[at].key for at in run[0]}
    batches = plan_anew(results, run)
    count = Counter(key for batch in batches for key in held(results)[batch] & wanted)
    assert max(count.values()) == 1


@given(histories, runs)
@quickly
def test_no_key_of_a_finished_batch_is_computed_again(folders, history, run):
    results = play(folders(), history)
    pins = held(results).items()
    done = {key for batch, keys in pins if finished(results, batch) for key in keys}
    for batch in plan_anew(results, run):
        assert finished(results, batch) or not held(results)[batch] & done


def test_an_unfinished_batch_part_of_which_was_computed_elsewhere_is_left(tmp_path):
    (old,) = Planner(tmp_path, 9).assign(many(3))
    (part,) = Planner(tmp_path, 9).assign(many(1))
    finish(tmp_path, part)
    batches = Planner(tmp_path, 9).assign(many(3))
    assert part in batches and old not in batches
    (new,) = set(batches) - {part}
    assert held(tmp_path)[new] == {one.key for one in many(3)[1:]}


def test_of_two_unfinished_batches_that_share_a_key_only_one_is_taken_up(tmp_path):
    (one,) = Planner(tmp_path, 9).assign(many(2))
    (other,) = Planner(tmp_path, 9).assign(many(3)[1:])
    batches = Planner(tmp_path, 9).assign(many(3))
    assert len({one, other} & set(batches)) == 1
    assert sorted(key for batch in batches for key in held(tmp_path)[batch]) == sorted(
        one.key for one in many(3)
    )


@given(histories, runs)
@quickly
def test_every_assigned_batch_holds_something_wanted(folders, history, run):
    results = play(folders(), history)
    wanted = {POOL[at].key for at in run[0]}
    assert all(held(results)[batch] & wanted for batch in plan_anew(results, run))


@given(histories, runs)
@quickly
def test_nothing_is_computed_that_is_not_wanted(folders, history, run):
    results = play(folders(), history)
    wanted = {POOL[at].key for at in run[0]}
    for batch in plan_anew(results, run):
        assert finished(results, batch) or held(results)[batch] <= wanted


@given(histories, runs)
@quickly
def test_new_batches_do_not_exceed_the_size_and_are_no_more_than_needed(folders, history, run):
    results = play(folders(), history)
    before = held(results)
    plan_anew(results, run)
    new = [keys for batch, keys in held(results).items() if batch not in before]
    by_key = {one.key: one for one in POOL}
    sizes: dict[Any, list[int]] = {}
    for keys in new:
        members = [by_key[key] for key in keys]
        kind = {(one.model, one.decoding, one.prompt_format, one.target is None) for one in members}
        assert len(kind) == 1  # one model, one decoding, one format, and baselines apart
        sizes.setdefault(kind.pop(), []).append(len(keys))
    for found in sizes.values():
        assert max(found) <= run[1]
        assert len(found) == -(-sum(found) // run[1])


@given(histories)
@quickly
def test_pinned_content_never_changes(folders, history):
    results = folders()
    seen: dict[str, tuple[bytes, int]] = {}
    for run in history:
        play(results, [run])
        now = contents(results)
        assert {name: now.get(name) for name in seen} == seen
        seen = now


@given(histories, runs)
@quickly
def test_a_fresh_planner_on_the_same_disk_gives_the_same_answer(folders, history, run):
    results = play(folders(), history)
    first = plan_anew(results, run)
    before = contents(results)
    assert plan_anew(results, run) == first
    assert contents(results) == before


@given(histories, runs, st.integers(0, len(POOL)))
@quickly
def test_several_requests_parsed_anew_give_the_same_answers(folders, history, run, cut):
    results = play(folders(), history)
    sweeps = [pooled(run[0][:cut]), pooled(run[0][cut:]), pooled(run[0])]
    planner, again = Planner(results, run[1]), Planner(results, run[1])
    first = [planner.assign(sweep) for sweep in sweeps]
    assert [again.assign(sweep) for sweep in sweeps] == first


@given(histories, runs)
@quickly
def test_after_its_batches_are_finished_a_run_wants_nothing_new(folders, history, run):
    results = play(folders(), history)
    batches = plan_anew(results, run)
    for batch in batches:
        finish(results, batch)
    before = contents(results)
    again = plan_anew(results, run)
    assert set(again) <= set(batches)
    assert contents(results) == before


@given(histories, runs, st.randoms(use_true_random=False))
@quickly
def test_the_order_of_what_is_wanted_does_not_matter(folders, history, run, random):
    wanted, size, done = run
    one, other = play(folders(), history), play(folders(), history)
    shuffled = (random.sample(wanted, len(wanted)), size, done)
    assert plan_anew(one, run) == plan_anew(other, shuffled)
    assert held(one) == held(other)


def test_the_plan_does_not_depend_on_the_hash_seed_of_the_process(tmp_path):
    code = (
        "import sys; from pathlib import Path; from clampsweep.texts.request import Decoding\n"
        "from clampsweep.texts.combination import Combination\n"
        "from clampsweep.texts.planner import Planner\n"
        "wanted = [Combination('m', 'p', 'L0N1', 'set', 1.0, ','.join(map(str, range(n))), "
        "Decoding('greedy', 8), None) for n in range(1, 40)]\n"
        "print(*Planner(Path(sys.argv[1]), 7).assign(wanted))"
    )
    plans = []
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        plans.append(done.stdout)
    assert plans[0] == plans[1]


@given(st.sets(st.integers(0, 9), min_size=1), st.sets(st.integers(0, 9), min_size=1))
@quickly
def test_an_unfinished_batch_is_taken_up_again_if_and_only_if_all_its_keys_are_wanted(
    folders, before, now
):
    results = folders()
    (old,) = Planner(results, 10).assign([many(10)[at] for at in before])
    batches = Planner(results, 10).assign([many(10)[at] for at in now])
    assert (old in batches) == (before <= now)


@pytest.mark.parametrize("which", [0, 1])
def test_a_batch_with_one_of_its_two_outputs_is_not_finished(tmp_path, which):
    (old,) = Planner(tmp_path, 10).assign(many(3))
    finish(tmp_path, old, which)
    assert old not in Planner(tmp_path, 10).assign(many(2))
    finish(tmp_path, old)
    assert Planner(tmp_path, 10).assign(many(2)) == [old]


def test_only_what_is_missing_goes_into_a_new_batch(tmp_path):
    (old,) = Planner(tmp_path, 10).assign(many(3))
    finish(tmp_path, old)
    batches = Planner(tmp_path, 10).assign(many(5))
    (new,) = set(batches) - {old}
    assert old in batches
    assert held(tmp_path)[new] == {one.key for one in many(5)[3:]}


def test_requests_share_their_common_rows(tmp_path):
    planner = Planner(tmp_path, 10)
    first = planner.assign(many(4))
    second = planner.assign(many(6))
    assert set(first) < set(second)
    assert (
        Counter(key for keys in held(tmp_path).values() for key in keys).most_common(1)[0][1] == 1
    )


def test_the_same_combination_given_twice_is_computed_once(tmp_path):
    (batch,) = Planner(tmp_path, 10).assign([*many(3), *many(3)])
    assert len(read_batch(tmp_path / "batches" / f"{batch}.json")[1]) == 3


def test_nothing_wanted_is_nothing_planned(tmp_path):
    assert Planner(tmp_path, 10).assign([]) == []
    assert held(tmp_path) == {}


def test_a_batch_is_named_by_its_keys(tmp_path):
    one = Planner(tmp_path / "one", 3).assign(many(3))
    assert Planner(tmp_path / "two", 9).assign(reversed(many(3))) == one
    assert len(one[0]) == 16 and int(one[0], 16) >= 0
    assert Planner(tmp_path / "three", 9).assign(many(4)) != one


def test_rows_that_share_a_layer_and_then_a_prompt_stand_together(tmp_path):
    wanted = [
        dataclasses.replace(PLAIN, target=target, prompt=prompt, value=value)
        for value in (1.0, 2.0)
        for target in ("L10N0", "L2N5", "L2N4")
        for prompt in ("b", "a", "longer")
    ]
    (batch,) = Planner(tmp_path, 99).assign(wanted)
    found = read_batch(tmp_path / "batches" / f"{batch}.json")[1]
    for group in ([one.layer for one in found], [(one.layer, one.prompt) for one in found]):
        changes = [one for one, before in zip(group, [None, *group], strict=False) if one != before]
        assert len(changes) == len(set(group))
    assert [one.layer for one in found] == sorted(one.layer for one in found)


def test_a_batch_whose_pin_is_lost_but_not_its_outputs_is_not_computed_again(tmp_path):
    (batch,) = Planner(tmp_path, 10).assign(many(3))
    finish(tmp_path, batch)
    (tmp_path / "batches" / f"{batch}.json").unlink()
    assert Planner(tmp_path, 10).assign(many(3)) == [batch]
    assert finished(tmp_path, batch)


def test_other_files_beside_the_pinned_batches_do_no_harm(tmp_path):
    (batch,) = Planner(tmp_path, 10).assign(many(3))
    (tmp_path / "batches" / f".{batch}.json.123.part").write_text("{")
    (tmp_path / "batches" / "README.md").write_text("words")
    assert Planner(tmp_path, 10).assign(many(3)) == [batch]


def test_files_that_are_no_batches_are_passed_over(tmp_path):
    (batch,) = Planner(tmp_path, 9).assign([PLAIN])
    for name in ("notes.json", ".DS_Store", "._0123456789abcdef.json"):
        (tmp_path / "batches" / name).write_bytes(b"no")
    assert Planner(tmp_path, 9).assign([PLAIN]) == [batch]


def test_what_a_request_has_computed_is_not_computed_again_for_its_controls(tmp_path):
    table = prompts("One", "Two", "Three")
    _, batches = pin_plan(
        Planner(tmp_path, 99), "main", table,
        [*baselines(REQUEST, table), *interventions(REQUEST, table, None)],
    )  # fmt: skip
    for batch in batches:
        finish(tmp_path, batch)
    before = set(held(tmp_path))
    targets = Named("select_controls", "main")
    request = change(name="main/controls", targets=targets, values=(2.5,), drawn=(2, 3))
    chosen = Selected(("L0N7", "L0N1R3000"), (None, None))
    controls = interventions(request, table, chosen)
    path, batches = pin_plan(
        Planner(tmp_path, 99), request.name, table, [*baselines(request, table), *controls]
    )
    new = [key for batch, of in held(tmp_path).items() if batch not in before for key in of]
    assert sorted(new) == sorted(one.key for one in controls)
    assert len(read_plan(path)) == 3 + 3 * 2
    assert path.parent == tmp_path / "plans"


# Plans of requests


def rows_of(path: Path) -> list[tuple[str, str]]:
    return [tuple(row) for row in json.loads(path.read_text("utf-8"))["rows"]]


def pin_main(results: Path, table: Any, request: TextRequest = REQUEST, name: str = "main") -> Any:
    wanted = [*baselines(request, table), *interventions(request, table, None)]
    return pin_plan(Planner(results, 99), name, table, wanted), wanted


def test_a_requests_plan_names_every_row_by_prompt_id_and_key(tmp_path):
    table = prompts("One", "Two", ids=["a/1", "b/2"])
    (path, batches), wanted = pin_main(tmp_path, table)
    ids = {"One": "a/1", "Two": "b/2"}
    assert rows_of(path) == [(ids[one.prompt], one.key) for one in wanted]
    assert batches == Planner(tmp_path, 99).assign(wanted)


def test_two_prompt_ids_of_one_text_share_their_rows(tmp_path):
    table = prompts("Same", "Other", "Same", ids=["a", "b", "c"])
    (path, batches), _ = pin_main(tmp_path, table)
    rows = rows_of(path)
    of = {name: {key for prompt_id, key in rows if prompt_id == name} for name in "abc"}
    assert of["a"] == of["c"] and not of["a"] & of["b"]
    assert len(rows) == len(set(rows)) == 3 * 5
    computed = [key for batch in batches for key in held(tmp_path)[batch]]
    assert sorted(computed) == sorted(of["a"] | of["b"])


def test_prompt_ids_in_other_scripts_read_back(tmp_path):
    table = prompts("One", "Two", ids=["é/學/1", 'quo"te'])
    (path, _), _ = pin_main(tmp_path, table)
    assert {prompt_id for prompt_id, _ in rows_of(path)} == {"é/學/1", 'quo"te'}


def test_the_same_plan_is_the_same_file_and_another_plan_another(tmp_path):
    table = prompts("One", "Two")
    (path, _), _ = pin_main(tmp_path, table)
    before, changed = path.read_bytes(), path.stat().st_mtime_ns
    assert pin_main(tmp_path, table)[0][0] == path
    assert (path.read_bytes(), path.stat().st_mtime_ns) == (before, changed)
    others = [
        pin_main(tmp_path, prompts("One", "Too"))[0][0],
        pin_main(tmp_path, prompts("One", "Two", ids=["x", "y"]))[0][0],
        pin_main(tmp_path, table, change(values=(1.0,)))[0][0],
        pin_main(tmp_path, table, name="other")[0][0],
        pin_main(tmp_path, table, name="main/controls")[0][0],
        pin_main(tmp_path, table, name="main.controls")[0][0],
    ]
    assert len({path, *others}) == 7
    assert path.read_bytes() == before


def test_a_plan_does_not_depend_on_how_its_rows_are_batched(tmp_path):
    table = prompts("One", "Two")
    wanted = interventions(REQUEST, table, None)
    one, _ = pin_plan(Planner(tmp_path / "a", 2), "main", table, wanted)
    two, _ = pin_plan(Planner(tmp_path / "b", 99), "main", table, wanted)
    assert one.name == two.name and one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_damaged_plan_is_written_again_as_it_was(tmp_path, content):
    table = prompts("One", "Two")
    (path, _), _ = pin_main(tmp_path, table)
    before = path.read_bytes()
    path.write_bytes(content)
    pin_main(tmp_path, table)
    assert path.read_bytes() == before
