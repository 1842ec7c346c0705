"""From a request and its prompts to combinations: every one that is wanted, donors, controls."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clampsweep.errors import UserError
from clampsweep.texts import promptset
from clampsweep.texts.directions import Steering
from clampsweep.texts.request import RAW, Decoding, Named, PromptFormat, PromptsetSpec, Selection
from clampsweep.texts.selection import Selected
from clampsweep.texts.wanted import baselines, interventions
from requested import GREEDY, MODEL, REQUEST, SAMPLED, change, keys, prompts

# Keys


def test_keys_ignore_prompt_ids_and_the_names_of_model_promptset_and_request():
    renamed = change(
        name="other",
        model=dataclasses.replace(MODEL, name="other", licence="MIT", where="o.yaml: models.other"),
        promptset=PromptsetSpec("o.yaml: promptsets.x", "x", "tsv", path="x.tsv"),
    )
    assert keys(renamed, prompts("One", "Two", ids=["x", "y"])) == keys(
        REQUEST, prompts("One", "Two")
    )


def test_keys_change_with_the_models_identity():
    other = change(model=dataclasses.replace(MODEL, revision="1" * 40))
    assert not set(keys(other, prompts("One"))) & set(keys(REQUEST, prompts("One")))


# What a request wants


def test_a_request_wants_every_prompt_with_every_target_value_and_seed_once():
    found = interventions(change(seeds=(0, 1)), prompts("One", "Two", "Three"), None)
    wanted = {(one.prompt, one.target, one.value, one.seed) for one in found}
    assert len(found) == len(wanted) == len({one.key for one in found}) == 3 * 2 * 2 * 2
    assert all((one.operation, one.scope, one.donor) == ("set", "all", None) for one in found)


def test_there_is_one_baseline_per_prompt_whatever_is_changed():
    table = prompts("One", "Two")
    first = baselines(REQUEST, table)
    assert [one.prompt for one in first] == ["One", "Two"]
    assert all(
        (one.target, one.operation, one.value, one.scope) == (None, "none", None, None)
        for one in first
    )
    other = change(targets=("L2N2",), operation="add", values=(1.0,), scope="last")
    assert baselines(other, table) == first


def test_all_texts_of_a_request_have_its_prompt_format():
    table, chat = prompts("One", "Two"), PromptFormat("chat", "Be short.")
    request = change(prompt_format=chat, operation="resample", values=(None,), seeds=(3,))
    found = [*baselines(request, table), *interventions(request, table, None)]
    assert {one.prompt_format for one in found} == {chat}
    assert {one.prompt_format for one in baselines(REQUEST, table)} == {RAW}


def test_sampled_baselines_have_the_seeds_and_greedy_ones_of_a_resampling_have_none():
    table = prompts("One", "Two")
    sampled = change(decoding=SAMPLED, seeds=(3, 1))
    assert [one.seed for one in baselines(sampled, table)] == [3, 1, 3, 1]
    resampled = change(operation="resample", values=(None,), seeds=(3, 1))
    assert [one.seed for one in baselines(resampled, table)] == [None, None]


def test_a_request_of_means_takes_each_targets_own_mean():
    request = change(operation="mean", values=(None,))
    selected = Selected(("L0N1", "L2N3"), (0.25, -1.5))
    found = interventions(request, prompts("One", "Two"), selected)
    assert [(one.target, one.value) for one in found] == [("L0N1", 0.25), ("L2N3", -1.5)] * 2


def test_a_request_of_selected_neurons_takes_its_values():
    request = change(targets=Selection("consistent", 2, 1))
    found = interventions(request, prompts("One"), Selected(("L2N7",), (None,)))
    assert [(one.target, one.value) for one in found] == [("L2N7", -3.0), ("L2N7", 2.5)]


def test_a_target_may_run_with_values_of_its_own_beside_the_requests_each_once():
    request = change(targets=Selection("consistent", 2, 2))
    selected = Selected(("L2N7", "L2N8"), (None, None), values=((9.0, 2.5), ()))
    found = interventions(request, prompts("One"), selected)
    assert [(one.target, one.value) for one in found] == [
        ("L2N7", -3.0), ("L2N7", 2.5), ("L2N7", 9.0), ("L2N8", -3.0), ("L2N8", 2.5),
    ]  # fmt: skip
    plain = interventions(request, prompts("One"), Selected(("L2N7", "L2N8"), (None, None)))
    assert {one.key for one in plain} < {one.key for one in found}


def test_a_request_of_selected_neurons_is_not_planned_before_they_are():
    with pytest.raises(ValueError, match="selected later: pass what was selected"):
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
def test_adding_to_a_request_keeps_all_that_it_wanted(before, after):
    table = prompts("One", "Two")
    assert set(keys(change(**before), table)) < set(keys(change(**after), table))


def test_editing_a_prompt_changes_that_prompts_rows_only():
    before, after = keys(REQUEST, prompts("One", "Two")), keys(REQUEST, prompts("One", "Too"))
    assert len(set(before) - set(after)) == len(before) / 2


# Requests that a sweep is compared with

# As the study BCR asks for them, see tests/bcr/test_study.py.
CONTROLS = change(
    name="main/controls",
    targets=Named("select_controls", "main"),
    values=(2.5,),
    drawn=(2, 3),
)
VARIABILITY = REQUEST.baselines("main/variability", Decoding("sample", 8, 0.7), tuple(range(8)))
CHOSEN = Selected(("L0N7", "L0N1R3000"), (None, None))


def test_controls_run_on_the_drawn_prompts_with_their_values_and_the_requests_settings():
    table = promptset.draw(prompts("One", "Two", "Three"), *(CONTROLS.drawn or ()))
    found = interventions(CONTROLS, table, CHOSEN)
    texts = set(table["text"])
    assert len(texts) == 2
    assert {(one.prompt, one.target, one.value) for one in found} == {
        (text, target, 2.5) for text in texts for target in CHOSEN.targets
    }
    assert len(found) == 4
    assert {(one.operation, one.scope, one.decoding) for one in found} == {("set", "all", GREEDY)}
    with pytest.raises(ValueError, match="pass what was selected"):
        interventions(CONTROLS, table, None)


def test_controls_share_baselines_and_rows_with_requests_that_name_the_same():
    table = prompts("One", "Two", "Three")
    assert baselines(CONTROLS, table) == baselines(REQUEST, table)
    own = {one.key for one in interventions(change(targets=("L0N7",)), table, None)}
    controls = interventions(CONTROLS, table, CHOSEN)
    assert {one.key for one in controls if one.target == "L0N7"} < own
    assert not {one.key for one in controls if one.target != "L0N7"} & own


def test_sampled_baselines_are_every_prompt_with_every_seed_and_nothing_else():
    table = prompts("One", "Two")
    found = baselines(VARIABILITY, table)
    assert {(one.prompt, one.seed) for one in found} == {
        (text, seed) for text in ("One", "Two") for seed in range(8)
    }
    assert {(one.operation, one.target, one.value, one.scope) for one in found} == {
        ("none", None, None, None)
    }
    assert {one.decoding for one in found} == {Decoding("sample", 8, 0.7)}
    assert interventions(VARIABILITY, table, None) == []
    assert not {one.key for one in found} & set(keys(REQUEST, table))


# Donors of resampling


RESAMPLE = change(operation="resample", values=(None,), targets=("L0N1",), seeds=(0, 1))


TEXTS = [f"Prompt number {at}" for at in range(12)]


def donors(texts: Iterable[str]) -> dict[tuple[str, int | None], str | None]:
    found = interventions(RESAMPLE, prompts(*texts), None)
    return {(one.prompt, one.seed): one.donor for one in found}


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=12, unique=True))
@settings(max_examples=50)
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
    start = time.process_time()  # of this process: not longer on a busy machine
    found = donors(texts)
    assert time.process_time() - start < 60  # comparing each with each takes ten minutes
    assert len({found[text, 0] for text in texts}) > 3000
    assert all(found[text, 0] not in (text, None) for text in texts)


# Steering

JOY, OTHER = Steering("L1@joy", (1.0, 2.0)), Steering("L2@joy", (3.0, -4.0))
STEERED = change(targets=("L1@joy", "L2@joy"), operation="steer", directions=(JOY, OTHER))


def test_a_steered_text_carries_the_digest_of_its_direction():
    found = interventions(STEERED, prompts("One"), None)
    assert {(one.target, one.direction) for one in found} == {
        ("L1@joy", JOY.digest),
        ("L2@joy", OTHER.digest),
    }
    assert {one.layer for one in found} == {1, 2}


def test_other_numbers_under_the_same_name_are_other_texts():
    moved = change(
        targets=("L1@joy",), operation="steer", directions=(Steering("L1@joy", (1.0, 2.5)),)
    )
    own = {one.key for one in interventions(STEERED, prompts("One"), None)}
    assert not own & {one.key for one in interventions(moved, prompts("One"), None)}


def test_random_directions_take_the_length_of_the_one_whose_place_they_take():
    names = ("L1R0@joy", "L1R7@joy")
    request = dataclasses.replace(STEERED, targets=Named("c", "e"))
    found = interventions(request, prompts("One"), Selected(names, (None, None)))
    assert {(one.target, one.direction) for one in found} == {(name, JOY.digest) for name in names}
    assert len({one.key for one in found}) == 2 * len(STEERED.values)


def test_directions_that_a_checkpoint_made_count_where_the_request_has_none():
    request = change(targets=Named("c", "e"), operation="steer")
    found = interventions(request, prompts("One"), Selected(("L1@joy",), (None,), (JOY,)))
    assert {one.direction for one in found} == {JOY.digest}
