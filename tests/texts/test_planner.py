"""From config and prompts to combinations, and from those to batches on disk."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import factories
import sweep_tables
from clampsweep import tables
from clampsweep.errors import UserError
from clampsweep.models.spec import ModelSpec
from clampsweep.studies.bcr.config import Controls, Sweep, Variability
from clampsweep.texts import promptset
from clampsweep.texts.combination import Combination, read_batch
from clampsweep.texts.gather import GENERATIONS
from clampsweep.texts.pinned import read_plan
from clampsweep.texts.planner import Planner, pin_plan
from clampsweep.texts.promptset import PROMPTS
from clampsweep.texts.prune import prune
from clampsweep.texts.request import Decoding, PromptsetSpec, Selection
from clampsweep.texts.selection import NEURON_STATS, Selected, read_selected, write_selected
from clampsweep.texts.wanted import baselines, interventions

GREEDY, SAMPLED = Decoding("greedy", 8), Decoding("sample", 8, 0.7, 40, 0.9)
MODEL = ModelSpec(
    where="config.yaml: models.tiny",
    name="tiny",
    source="hub",
    licence="none",
    n_layers=3,
    d_mlp=40,
    dtype="float32",
    prepend_bos=False,
    weight_processing="none",
    repo="who/what",
    revision="0" * 40,
)
SWEEP = Sweep(
    where="config.yaml: sweeps.main",
    name="main",
    model=MODEL,
    promptset=PromptsetSpec("config.yaml: promptsets.few", "few", "csv", path="few.csv"),
    targets=("L0N1", "L1N2+L2N3"),
    operation="set",
    values=(-3.0, 2.5),
    scope="all",
    decoding=GREEDY,
    seeds=(None,),
    detectors=("surface",),
)
NEURONS = factories.frame(
    [sweep_tables.stats(0, 1, mean=0.1), sweep_tables.stats(2, 3, mean=-1.5)], NEURON_STATS
)
PLAIN = Combination("m", "The glass is", "L1N2", "set", 5.0, "all", SAMPLED, 0, "A donor")
AWKWARD = (
    'She said "no".',
    "two\nlines\tand a tab\r\n",
    "“curly”, é, 學, 🙂, \u2028 and \x85",
    "a \\ and a \\n, {braces}, 'quotes'",
    " ",
)


def prompts(*texts: str, ids: Iterable[str] | None = None) -> Any:
    """A prompts table; ids p0, p1, ... unless given."""
    names = list(ids) if ids else [f"p{at}" for at in range(len(texts))]
    rows = [factories.prompt(text, name) for text, name in zip(texts, names, strict=True)]
    return factories.frame(rows, PROMPTS)


def change(**fields: Any) -> Sweep:
    return dataclasses.replace(SWEEP, **fields)


def many(n: int, **fields: Any) -> list[Combination]:
    """Combinations that differ in their value, numbered so."""
    return [dataclasses.replace(PLAIN, value=float(at), **fields) for at in range(n)]


# Keys


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "n"},
        {"prompt": "The glass is "},
        {"target": "L1N3"},
        {"target": "L1N2+L2N3"},
        {"operation": "add"},
        {"value": 5.5},
        {"value": -5.0},
        {"value": None},
        {"scope": "last"},
        {"scope": "0,1"},
        {"seed": 1},
        {"seed": None},
        {"donor": "Another donor"},
        {"donor": None},
        {"decoding": GREEDY},
        {"decoding": Decoding("sample", 9, 0.7, 40, 0.9)},
        {"decoding": Decoding("sample", 8, 0.8, 40, 0.9)},
        {"decoding": Decoding("sample", 8, 0.7, 41, 0.9)},
        {"decoding": Decoding("sample", 8, 0.7, 40, 0.8)},
        {"decoding": Decoding("sample", 8, 0.7, 40, None)},
    ],
    ids=str,
)
def test_a_key_changes_with_each_part_of_the_identity(changes):
    assert dataclasses.replace(PLAIN, **changes).key != PLAIN.key


def test_a_key_is_32_hex_digits_and_the_same_in_every_process():
    code = (
        "from clampsweep.texts.combination import Combination; "
        "from clampsweep.texts.request import Decoding; "
        "print(Combination('m', 'The glass is', 'L1N2', 'set', 5.0, 'all', "
        "Decoding('sample', 8, 0.7, 40, 0.9), 0, 'A donor').key)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == PLAIN.key
    assert len(PLAIN.key) == 32 and int(PLAIN.key, 16) >= 0


def test_a_key_is_the_same_for_a_whole_number_and_the_float_it_equals():
    assert dataclasses.replace(PLAIN, value=5).key == PLAIN.key


def test_a_key_ignores_what_greedy_decoding_does_not_use():
    one = dataclasses.replace(PLAIN, decoding=GREEDY)
    other = dataclasses.replace(PLAIN, decoding=Decoding("greedy", 8, 0.7, 40, 0.9))
    assert one.key == other.key


def keys(sweep: Sweep, table: Any) -> list[str]:
    found = [*baselines(sweep, table), *interventions(sweep, table, None)]
    return [one.key for one in found]


def test_keys_ignore_prompt_ids_and_the_names_of_model_promptset_and_sweep():
    renamed = change(
        name="other",
        where="overlay.yaml: sweeps.other",
        model=dataclasses.replace(MODEL, name="other", licence="MIT", where="o.yaml: models.other"),
        promptset=PromptsetSpec("o.yaml: promptsets.x", "x", "tsv", path="x.tsv"),
        detectors=("loop",),
    )
    assert keys(renamed, prompts("One", "Two", ids=["x", "y"])) == keys(
        SWEEP, prompts("One", "Two")
    )


def test_keys_change_with_the_models_identity():
    other = change(model=dataclasses.replace(MODEL, revision="1" * 40))
    assert not set(keys(other, prompts("One"))) & set(keys(SWEEP, prompts("One")))


# What a sweep wants


def test_a_sweep_wants_every_prompt_with_every_target_value_and_seed_once():
    found = interventions(change(seeds=(0, 1)), prompts("One", "Two", "Three"), None)
    wanted = {(one.prompt, one.target, one.value, one.seed) for one in found}
    assert len(found) == len(wanted) == len({one.key for one in found}) == 3 * 2 * 2 * 2
    assert all((one.operation, one.scope, one.donor) == ("set", "all", None) for one in found)


def test_there_is_one_baseline_per_prompt_whatever_is_swept():
    table = prompts("One", "Two")
    first = baselines(SWEEP, table)
    assert [one.prompt for one in first] == ["One", "Two"]
    assert all(
        (one.target, one.operation, one.value, one.scope) == (None, "none", None, None)
        for one in first
    )
    other = change(targets=("L2N2",), operation="add", values=(1.0,), scope="last")
    assert baselines(other, table) == first


def test_sampled_baselines_have_the_seeds_and_greedy_ones_of_a_resampling_have_none():
    table = prompts("One", "Two")
    sampled = change(decoding=SAMPLED, seeds=(3, 1))
    assert [one.seed for one in baselines(sampled, table)] == [3, 1, 3, 1]
    resampled = change(operation="resample", values=(None,), seeds=(3, 1))
    assert [one.seed for one in baselines(resampled, table)] == [None, None]


def test_a_sweep_of_means_takes_each_targets_own_mean():
    sweep = change(operation="mean", values=(None,))
    selected = Selected(("L0N1", "L2N3"), (0.25, -1.5))
    found = interventions(sweep, prompts("One", "Two"), selected)
    assert [(one.target, one.value) for one in found] == [("L0N1", 0.25), ("L2N3", -1.5)] * 2


def test_a_sweep_of_selected_neurons_takes_the_configs_values():
    sweep = change(targets=Selection("consistent", 2, 1))
    found = interventions(sweep, prompts("One"), Selected(("L2N7",), (None,)))
    assert [(one.target, one.value) for one in found] == [("L2N7", -3.0), ("L2N7", 2.5)]


def test_a_sweep_of_selected_neurons_is_not_planned_before_they_are():
    with pytest.raises(ValueError, match="selects its neurons"):
        interventions(change(targets=Selection("consistent", 2, 1)), prompts("One"), None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"values": (-3.0, 2.5, 7.0)}),
        ({}, {"targets": ("L0N1", "L0N2", "L1N2+L2N3")}),
        ({"seeds": (0,), "decoding": SAMPLED}, {"seeds": (0, 1), "decoding": SAMPLED}),
    ],
    ids=["value", "neuron", "seed"],
)
def test_adding_to_a_sweep_keeps_all_that_it_wanted(before, after):
    table = prompts("One", "Two")
    assert set(keys(change(**before), table)) < set(keys(change(**after), table))


def test_editing_a_prompt_changes_that_prompts_rows_only():
    before, after = keys(SWEEP, prompts("One", "Two")), keys(SWEEP, prompts("One", "Too"))
    assert len(set(before) - set(after)) == len(before) / 2


# Sweeps that a sweep is compared with

CONTROLS = Controls(count=2, seed=3, matching=("norm",), values=(2.5,), prompts=2)
COMPARED = change(controls=CONTROLS, variability=Variability(8, 0.7))
CHOSEN = Selected(("L0N7", "L0N1R3000"), (None, None))


def test_controls_run_on_the_drawn_prompts_with_their_values_and_the_sweeps_settings():
    sweep = COMPARED.derived["main/controls"]
    table = promptset.draw(prompts("One", "Two", "Three"), *(sweep.drawn or ()))
    found = interventions(sweep, table, CHOSEN)
    texts = set(table["text"])
    assert len(texts) == 2
    assert {(one.prompt, one.target, one.value) for one in found} == {
        (text, target, 2.5) for text in texts for target in CHOSEN.targets
    }
    assert len(found) == 4
    assert {(one.operation, one.scope, one.decoding) for one in found} == {("set", "all", GREEDY)}
    with pytest.raises(ValueError, match="pass what was selected"):
        interventions(sweep, table, None)


def test_controls_share_baselines_and_rows_with_sweeps_that_name_the_same():
    table = prompts("One", "Two", "Three")
    sweep = COMPARED.derived["main/controls"]
    assert baselines(sweep, table) == baselines(COMPARED, table)
    own = {one.key for one in interventions(change(targets=("L0N7",)), table, None)}
    controls = interventions(sweep, table, CHOSEN)
    assert {one.key for one in controls if one.target == "L0N7"} < own
    assert not {one.key for one in controls if one.target != "L0N7"} & own


def test_a_direction_has_a_key_of_its_own():
    keys_of = {dataclasses.replace(PLAIN, target=f"L1N2{r}").key for r in ("", "R0", "R1", "R10")}
    assert len(keys_of) == 4


def test_sampled_baselines_are_every_prompt_with_every_seed_and_nothing_else():
    sweep, table = COMPARED.derived["main/variability"], prompts("One", "Two")
    found = baselines(sweep, table)
    assert {(one.prompt, one.seed) for one in found} == {
        (text, seed) for text in ("One", "Two") for seed in range(8)
    }
    assert {(one.operation, one.target, one.value, one.scope) for one in found} == {
        ("none", None, None, None)
    }
    assert {one.decoding for one in found} == {Decoding("sample", 8, 0.7)}
    assert interventions(sweep, table, None) == []
    assert not {one.key for one in found} & set(keys(SWEEP, table))


def test_what_a_sweep_has_computed_is_not_computed_again_for_its_controls(tmp_path):
    table = prompts("One", "Two", "Three")
    _, batches = pin_plan(
        Planner(tmp_path, 99), "main", table,
        [*baselines(COMPARED, table), *interventions(COMPARED, table, None)],
    )  # fmt: skip
    for batch in batches:
        finish(tmp_path, batch)
    before = set(held(tmp_path))
    sweep = COMPARED.derived["main/controls"]
    controls = interventions(sweep, table, CHOSEN)
    path, batches = pin_plan(
        Planner(tmp_path, 99), sweep.name, table, [*baselines(sweep, table), *controls]
    )
    new = [key for batch, of in held(tmp_path).items() if batch not in before for key in of]
    assert sorted(new) == sorted(one.key for one in controls)
    assert len(read_plan(path)) == 3 + 3 * 2
    assert path.parent == tmp_path / "plans"


# What was selected


@pytest.mark.parametrize("targets", [["L0N1", "L1N2+L2N3"], ["L0N1R3", "L0N1+L0N2"], []])
def test_selected_targets_read_back_in_their_order(tmp_path, targets):
    write_selected(targets, "set", NEURONS, tmp_path / "s.json")
    expected = Selected(tuple(targets), (None,) * len(targets))
    assert read_selected(tmp_path / "s.json") == expected


def test_targets_of_operation_mean_are_selected_with_their_own_neurons_mean(tmp_path):
    write_selected(["L2N3", "L0N1", "L2N3R5"], "mean", NEURONS, tmp_path / "s.json")
    expected = Selected(("L2N3", "L0N1", "L2N3R5"), (-1.5, 0.1, -1.5))
    assert read_selected(tmp_path / "s.json") == expected


@pytest.mark.parametrize(
    "content",
    ["", "null", "[]", "7", "{}", '{"targets": []}', '{"targets": 7, "means": []}', "\x00", "{"],
)
def test_a_damaged_selection_file_is_one_line_with_the_file_and_the_remedy(tmp_path, content):
    path = tmp_path / "s.json"
    path.write_text(content)
    with pytest.raises(UserError, match="delete it and run again") as caught:
        read_selected(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_selection_file_is_one_line_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: ") as caught:
        read_selected(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)


# Donors of resampling

RESAMPLE = change(operation="resample", values=(None,), targets=("L0N1",), seeds=(0, 1))
TEXTS = [f"Prompt number {at}" for at in range(12)]


def donors(texts: Iterable[str]) -> dict[tuple[str, int | None], str | None]:
    found = interventions(RESAMPLE, prompts(*texts), None)
    return {(one.prompt, one.seed): one.donor for one in found}


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=12, unique=True))
@settings(max_examples=50, deadline=None)
def test_a_donor_is_another_prompt_of_the_promptset(texts):
    found = donors(texts)
    assert all(donor in texts and donor != prompt for (prompt, _), donor in found.items())


def test_a_donor_depends_on_the_seed():
    found = donors(TEXTS)
    assert any(found[text, 0] != found[text, 1] for text in TEXTS)


def test_not_all_prompts_have_one_donor():
    assert len(set(donors(TEXTS).values())) > 3


def test_donors_do_not_depend_on_the_prompts_order_nor_on_repeated_texts():
    assert donors(reversed(TEXTS)) == donors(TEXTS)
    assert donors([*TEXTS, *TEXTS]) == donors(TEXTS)


def test_donors_do_not_depend_on_target_scope_and_decoding():
    other = dataclasses.replace(RESAMPLE, targets=("L2N3",), scope="last", decoding=SAMPLED)
    found = interventions(other, prompts(*TEXTS), None)
    assert {(one.prompt, one.seed): one.donor for one in found} == donors(TEXTS)


def test_two_ids_of_one_text_are_not_donors_to_each_other():
    assert set(donors(["One", "One", "Two"]).values()) == {"One", "Two"}
    with pytest.raises(UserError, match="at least two different prompts") as caught:
        donors(["One", "One"])
    assert "\n" not in str(caught.value)


def test_adding_a_prompt_changes_a_donor_only_to_the_new_prompt():
    before = donors(TEXTS)
    for new in ("A prompt that sorts first", "Prompt number 55", "Zebras sort last"):
        after = donors([*TEXTS, new])
        assert all(after[name] in (before[name], new) for name in before)


def test_ten_thousand_prompts_find_their_donors_in_seconds():
    texts = [f"Prompt number {at}" for at in range(10_000)]
    start = time.perf_counter()
    found = donors(texts)
    assert time.perf_counter() - start < 60  # comparing each with each takes ten minutes
    assert len({found[text, 0] for text in texts}) > 3000
    assert all(found[text, 0] not in (text, None) for text in texts)


# Packing and planning


def held(results: Path) -> dict[str, set[str]]:
    """Keys of each pinned batch, as its file states them."""
    return {
        path.stem: {row["key"] for row in json.loads(path.read_text("utf-8"))["combinations"]}
        for path in (results / "batches").glob("*.json")
    }


def contents(results: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of each pinned batch: Snakemake looks at both."""
    paths = (results / "batches").glob("*")
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def finish(results: Path, batch: str, which: int | None = None) -> None:
    """Make a batch's outputs, or one of the two."""
    for at, path in enumerate(Planner(results, 1).outputs(batch)):
        if which in (None, at):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def finished(results: Path, batch: str) -> bool:
    return all(path.exists() for path in Planner(results, 1).outputs(batch))


# Two models, two decodings, baselines and several targets and scopes.
POOL = [
    *many(4),
    *many(2, scope="last", donor=None),
    *many(2, target="L0N7", prompt="Another one"),
    *many(1, model="n"),
    *many(1, decoding=GREEDY),
    *(Combination("m", text, None, "none", None, None, SAMPLED, 0) for text in ("a", "b", "c")),
]
numbers = st.lists(st.integers(0, len(POOL) - 1), min_size=1, unique=True)
# One run of the workflow: what is wanted of the pool, the batch size, and which of its batches,
# in the order of their names, get finished.
runs = st.tuples(numbers, st.integers(1, 5), st.sets(st.integers(0, 5)))
histories = st.lists(runs, min_size=1, max_size=4)


def pooled(wanted: Iterable[int]) -> list[Combination]:
    return [POOL[at] for at in wanted]


def plan_anew(results: Path, run: Any) -> list[str]:
    """Batches that a new process assigns to a run."""
    return Planner(results, run[1]).assign(pooled(run[0]))


def play(results: Path, history: Iterable[Any]) -> Path:
    """Let earlier runs of the workflow leave their batches, some of them finished."""
    for run in history:
        for at, batch in enumerate(plan_anew(results, run)):
            if at in run[2]:
                finish(results, batch)
    return results


@pytest.fixture(scope="module")
def folders():
    """Function that makes an empty results folder; all are removed at the end."""
    with tempfile.TemporaryDirectory() as parent, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)  # nothing loses its power here; ten times faster
        yield lambda: Path(tempfile.mkdtemp(dir=parent))


quickly = settings(max_examples=40, deadline=None)


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
        kind = {(one.model, one.decoding, one.target is None) for one in members}
        assert len(kind) == 1  # one model, one decoding, and baselines apart
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
def test_several_sweeps_parsed_anew_give_the_same_answers(folders, history, run, cut):
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


def test_sweeps_share_their_common_rows(tmp_path):
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


# Pinned files


@given(
    st.lists(
        st.builds(
            Combination,
            model=st.just("m"),
            prompt=st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
            target=st.sampled_from([None, "L0N1", "L0N1+L2N3"]),
            operation=st.sampled_from(["none", "set", "resample"]),
            value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            scope=st.sampled_from([None, "all", "0,5"]),
            decoding=st.just(SAMPLED),
            seed=st.none() | st.integers(0, 2**63),
            donor=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda one: one.key,
    )
)
@quickly
def test_a_pinned_batch_reads_back_as_it_was(folders, wanted):
    results = folders()
    batches = Planner(results, 99).assign(wanted)
    read = [read_batch(results / "batches" / f"{batch}.json") for batch in batches]
    assert {model for model, _ in read} == {"m"}
    found = [one for _, combinations in read for one in combinations]
    assert {one.key: one for one in found} == {one.key: one for one in wanted}


@pytest.mark.parametrize("decoding", [GREEDY, SAMPLED, Decoding("sample", 3, 1.0)], ids=str)
def test_awkward_prompts_and_each_decoding_read_back_as_they_were(tmp_path, decoding):
    wanted = [
        dataclasses.replace(PLAIN, prompt=text, donor=text[::-1], decoding=decoding)
        for text in AWKWARD
    ]
    (batch,) = Planner(tmp_path, 99).assign(wanted)
    _, found = read_batch(tmp_path / "batches" / f"{batch}.json")
    assert sorted(found, key=lambda one: one.key) == sorted(wanted, key=lambda one: one.key)


def test_what_is_pinned_does_not_depend_on_the_machines_language(tmp_path):
    code = (
        "import sys; from pathlib import Path; from clampsweep.texts.request import Decoding\n"
        "from clampsweep.texts.combination import Combination\n"
        "from clampsweep.texts.planner import Planner\n"
        "one = Combination('m', '\\u00e9\\u5b78', None, 'none', None, None, "
        "Decoding('greedy', 8), None)\n"
        "print(*Planner(Path(sys.argv[1]), 7).assign([one]))"
    )
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, **plain},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    batch = tmp_path / "batches" / f"{done.stdout.strip()}.json"
    assert read_batch(batch)[1][0].prompt == "é學"


def damage(content: dict[str, Any], kind: str) -> str | bytes:
    """A batch file's content, damaged."""
    row = content["combinations"][0]
    if kind == "half of it":
        return json.dumps(content)[: len(json.dumps(content)) // 2]
    if kind == "not UTF-8":
        return json.dumps(content).replace("glass", "gl\xe4ss").encode("latin-1")
    if kind == "a prompt is gone":
        content["prompts"].clear()
    elif kind == "a donor is gone":
        row["donor"] = "0" * 64
    elif kind == "a row lacks a part":
        del row["scope"]
    elif kind == "a row is no mapping":
        content["combinations"][0] = "row"
    elif kind == "a value is a word":
        row["value"] = "five"
    elif kind == "a section is gone":
        del content["model"]
    elif kind == "a decoding of another version":
        content["decoding"]["beams"] = 4
    elif kind == "rows are null":
        content["combinations"] = None
    return json.dumps(content)


KINDS = [
    "half of it",
    "not UTF-8",
    "a prompt is gone",
    "a donor is gone",
    "a row lacks a part",
    "a row is no mapping",
    "a value is a word",
    "a section is gone",
    "a decoding of another version",
    "rows are null",
]


def pinned(results: Path) -> Path:
    (batch,) = Planner(results, 9).assign([PLAIN])
    return results / "batches" / f"{batch}.json"


def refused(path: Path) -> None:
    """Planning and reading of a batch refuse it with a line that names the file and the remedy."""
    for action in (lambda: read_batch(path), lambda: planner_over(path).assign(many(2))):
        with pytest.raises(UserError) as caught:
            action()
        message = str(caught.value)
        assert str(path) in message and "\n" not in message
        assert "damaged" in message and "delete" in message


def test_a_batch_file_with_the_content_of_another_is_refused(tmp_path):
    path = pinned(tmp_path)
    (other,) = Planner(tmp_path, 9).assign(many(3))
    path.write_bytes((tmp_path / "batches" / f"{other}.json").read_bytes())
    refused(path)


def test_files_that_are_no_batches_are_passed_over(tmp_path):
    path = pinned(tmp_path)
    for name in ("notes.json", ".DS_Store", "._0123456789abcdef.json"):
        (path.parent / name).write_bytes(b"no")
    assert planner_over(path).assign([PLAIN]) == [path.stem]


def planner_over(path: Path) -> Planner:
    return Planner(path.parents[1], 9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_batch_file_is_one_line_with_the_file_and_the_remedy(tmp_path, kind):
    path = pinned(tmp_path)
    content = damage(json.loads(path.read_text("utf-8")), kind)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(path)


@pytest.mark.parametrize("content", ["", "null", "[]", "7", '"text"', "{}", "\x00\x00"])
def test_a_batch_file_of_other_content_is_one_line_with_the_file_and_the_remedy(tmp_path, content):
    path = pinned(tmp_path)
    path.write_text(content)
    refused(path)


def test_a_missing_batch_file_is_one_line_with_the_file(tmp_path):
    with pytest.raises(UserError, match=r"gone\.json: ") as caught:
        read_batch(tmp_path / "gone.json")
    assert "\n" not in str(caught.value)


# Plans of sweeps


def rows_of(path: Path) -> list[tuple[str, str]]:
    return [tuple(row) for row in json.loads(path.read_text("utf-8"))["rows"]]


def pin_main(results: Path, table: Any, sweep: Sweep = SWEEP, name: str = "main") -> Any:
    wanted = [*baselines(sweep, table), *interventions(sweep, table, None)]
    return pin_plan(Planner(results, 99), name, table, wanted), wanted


def test_a_sweeps_plan_names_every_row_by_prompt_id_and_key(tmp_path):
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
    wanted = interventions(SWEEP, table, None)
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


# Pruning


def pin_plan(results: Path, wanted: list[Combination], name: str = "main") -> Any:
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
    _, (old,) = pin_plan(tmp_path, many(3))
    (half,) = Planner(tmp_path, 99).assign(many(3, model="n"))
    finish(tmp_path, half, 0)
    path, _ = pin_plan(tmp_path, many(3, target="L0N7"))
    (tmp_path / "generations" / "note.txt").touch()
    before = everything(tmp_path)
    removed = prune(tmp_path, [path])
    expected = {tmp_path / "batches" / f"{batch}.json" for batch in (old, half)}
    planner = Planner(tmp_path, 99)
    expected |= {*planner.outputs(old), planner.outputs(half)[0]}
    assert set(removed) == expected and len(removed) == len(expected)
    assert everything(tmp_path) == before - expected


def test_pruning_keeps_batches_that_a_plan_shares_with_the_past(tmp_path):
    _, (old,) = pin_plan(tmp_path, many(3))
    path, batches = pin_plan(tmp_path, [*many(5)[2:]])
    assert old in batches
    assert prune(tmp_path, [path]) == []


def test_pruning_keeps_what_the_sweeps_in_results_were_gathered_from(tmp_path):
    path, _ = pin_plan(tmp_path, many(3), "earlier")
    gather(tmp_path, "earlier", path)
    current, _ = pin_plan(tmp_path, many(3, target="L0N7"))
    assert prune(tmp_path, [current]) == []


def test_pruning_keeps_what_a_sweep_was_gathered_from_though_its_plan_is_gone(tmp_path):
    wanted = many(3)
    path, batches = pin_plan(tmp_path, wanted, "earlier")
    rows = [{**factories.baseline(f"p{at}", "Text."), "key": wanted[at].key} for at in range(3)]
    table = factories.frame(rows, GENERATIONS)
    found = tmp_path / "earlier" / "generations.parquet"
    tables.write(table, found, GENERATIONS, {"plan": path.stem})
    path.unlink()
    assert prune(tmp_path, []) == []
    found.unlink()
    assert len(prune(tmp_path, [])) == 3 * len(batches)


def test_pruning_keeps_what_controls_in_results_were_gathered_from(tmp_path):
    path, _ = pin_plan(tmp_path, many(3), "earlier/controls")
    gather(tmp_path, "earlier/controls", path)
    current, _ = pin_plan(tmp_path, many(3, target="L0N7"))
    assert prune(tmp_path, [current]) == []


def test_pruning_removes_what_a_sweep_was_gathered_from_before_it_changed(tmp_path):
    first, (old,) = pin_plan(tmp_path, many(3))
    gather(tmp_path, "main", first)
    second, _ = pin_plan(tmp_path, many(3, target="L0N7"))
    gather(tmp_path, "main", second)
    assert tmp_path / "batches" / f"{old}.json" in prune(tmp_path, [second])


def test_pruning_keeps_what_several_plans_want(tmp_path):
    one, _ = pin_plan(tmp_path, many(3), "one")
    two, _ = pin_plan(tmp_path, many(3, target="L0N7"), "two")
    assert prune(tmp_path, [one, two]) == []


def test_pruning_twice_removes_nothing_more(tmp_path):
    pin_plan(tmp_path, many(3))
    assert len(prune(tmp_path, [])) == 3
    assert prune(tmp_path, []) == []


def test_pruning_an_empty_folder_removes_nothing(tmp_path):
    assert prune(tmp_path, []) == []


@pytest.mark.parametrize("damaged", ["plan", "table", "batch"])
def test_where_it_cannot_be_told_what_is_used_pruning_removes_nothing_and_says_so(
    tmp_path, damaged
):
    pin_plan(tmp_path, many(3), "old")
    path, (batch,) = pin_plan(tmp_path, many(3, target="L0N7"))
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
