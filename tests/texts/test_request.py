"""A request for texts: its words, what it waits for, its parameters, how tokens are chosen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from clampsweep.texts.request import RAW, Decoding, Named, PromptFormat, Selection
from requested import GREEDY, REQUEST, SAMPLED, change

SELECTION = Selection("consistent", 2, 3)
NAMED = Named("select_controls", "main")


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (("L0N1",), "L0N1"),
        (("L0N1", "L1N2+L2N3", "L2N0"), "L0N1, L1N2+L2N3, L2N0"),
        (("L0N1", "L0N2", "L0N3", "L0N4"), "4 neurons"),
        (SELECTION, "3 selected neurons (consistent)"),
        (NAMED, "neurons of main"),
    ],
)
def test_a_request_is_called_by_model_neurons_operation_and_decoding(targets, words):
    assert change(targets=targets).title == f"tiny, {words}, set, greedy, 8 tokens"


@pytest.mark.parametrize(
    ("prompt_format", "words"),
    [
        (RAW, ""),
        (PromptFormat("chat"), "chat, "),
        (PromptFormat("chat", "Be short."), "chat with a system prompt, "),
    ],
)
def test_a_request_is_called_by_its_prompts_where_they_are_chats(prompt_format, words):
    title = change(prompt_format=prompt_format).title
    assert title == f"tiny, L0N1, L1N2+L2N3, set, {words}greedy, 8 tokens"


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({}, False),
        ({"targets": ()}, False),
        ({"operation": "mean", "values": (None,)}, True),
        ({"targets": SELECTION}, True),
        ({"targets": NAMED}, True),
    ],
)
def test_statistics_are_needed_where_neurons_or_values_follow_from_them(fields, needs):
    assert change(**fields).needs_statistics == needs


@pytest.mark.parametrize("targets", [("L0N1", "L1N2+L2N3"), SELECTION, NAMED, ()], ids=str)
def test_the_targets_are_plain_values_as_a_parameter_and_tell_what_they_were(targets):
    found = change(targets=targets).selection()
    assert json.loads(json.dumps(found)) == found
    again = tuple(found) if isinstance(found, list) else type(targets)(**found)
    assert again == targets


def test_a_request_for_baselines_alone_changes_nothing_but_how_they_are_decoded():
    chat = PromptFormat("chat", "Be short.")
    request = change(targets=SELECTION, drawn=(2, 3), prompt_format=chat)
    found = request.baselines("main/sampled", SAMPLED, (0, 1))
    assert found == change(
        name="main/sampled",
        targets=(),
        operation="none",
        values=(),
        decoding=SAMPLED,
        seeds=(0, 1),
        drawn=(2, 3),
        prompt_format=chat,
    )
    assert not found.needs_statistics
    assert REQUEST.decoding == GREEDY


# Decoding


def test_greedy_decoding_is_its_length():
    assert Decoding("greedy", 8).as_json() == {"method": "greedy", "max_new_tokens": 8}


def test_sampling_is_its_length_temperature_and_cuts():
    assert Decoding("sample", 8, 0.7, 40, 0.9).as_json() == {
        "method": "sample",
        "max_new_tokens": 8,
        "temperature": 0.7,
        "top_k": 40,
        "top_p": 0.9,
    }


@pytest.mark.parametrize("method", ["greedy", "sample"])
def test_stop_strings_are_said_where_there_are_any_in_one_order(method):
    found = Decoding(method, 8, 0.7, stop_strings=("b", "a"))
    assert found.as_json()["stop_strings"] == ["a", "b"]
    assert Decoding(**json.loads(json.dumps(found.as_json()))) == (
        found if method == "sample" else Decoding(method, 8, stop_strings=("a", "b"))
    )


@pytest.mark.parametrize("system", [None, "", "Be short."])
def test_a_chat_is_said_by_its_config_keys_and_a_raw_prompt_by_nothing(system):
    chat = PromptFormat("chat", system)
    assert chat.as_json() == {"prompt_format": "chat", "system_prompt": system}
    assert PromptFormat.of(chat.as_json()) == chat
    assert RAW.as_json() == {}
    assert PromptFormat.of({}) == RAW


def test_cuts_not_given_are_null_in_sampling():
    found = Decoding("sample", 8, 1.0).as_json()
    assert (found["top_k"], found["top_p"]) == (None, None)


def test_a_decoding_is_told_by_what_it_says():
    found = Decoding("sample", 8, 0.7, 40, None)
    assert Decoding(**found.as_json()) == found
    assert Decoding(**Decoding("greedy", 5).as_json()) == Decoding("greedy", 5)


NAN, INFINITE = float("nan"), float("inf")
# Fields of a `Decoding`; the error's kind and what it says.
ODD = [
    ({"method": "greed"}, ValueError, "method: got 'greed'; allowed: greedy, sample"),
    ({"method": None}, ValueError, "method: got None; allowed: greedy, sample"),
    ({"max_new_tokens": 0}, ValueError, "max_new_tokens: got 0; allowed: 1 or more"),
    ({"max_new_tokens": -3}, ValueError, "max_new_tokens: got -3; allowed: 1 or more"),
    ({"max_new_tokens": 2.5}, TypeError, "max_new_tokens: got 2.5; write a whole number"),
    ({"max_new_tokens": "5"}, TypeError, "max_new_tokens: got '5'; write a whole number"),
    ({"max_new_tokens": True}, TypeError, "max_new_tokens: got True; write a whole number"),
    ({"temperature": 0}, ValueError, "temperature: got 0; write a number above 0, or method"),
    ({"temperature": -1.0}, ValueError, "temperature: got -1.0; write a number above 0"),
    ({"temperature": NAN}, ValueError, "temperature: got nan; write a finite number"),
    ({"temperature": INFINITE}, ValueError, "temperature: got inf; write a finite number"),
    ({"temperature": "1"}, TypeError, "temperature: got '1'; write a number"),
    ({"top_k": 0}, ValueError, "top_k: got 0; allowed: 1 or more"),
    ({"top_k": 2.5}, TypeError, "top_k: got 2.5; write a whole number"),
    ({"top_p": 0}, ValueError, "top_p: got 0; allowed: above 0, at most 1"),
    ({"top_p": 1.5}, ValueError, "top_p: got 1.5; allowed: above 0, at most 1"),
    ({"top_p": NAN}, ValueError, "top_p: got nan; write a finite number"),
    ({"stop_strings": "abc"}, TypeError, "stop_strings: got 'abc'; write a tuple"),
    ({"stop_strings": None}, TypeError, "stop_strings: got None; write a tuple"),
    ({"stop_strings": ("a", "")}, ValueError, "stop_strings: got ''; write texts"),
    ({"stop_strings": (1,)}, ValueError, "stop_strings: got 1; write texts"),
]


@pytest.mark.parametrize(("fields", "kind", "said"), ODD)
def test_a_decoding_that_means_nothing_is_refused_with_what_is_allowed(fields, kind, said):
    with pytest.raises(kind) as caught:
        Decoding(**{"method": "sample", "max_new_tokens": 5, **fields})
    assert type(caught.value) is kind and str(caught.value).startswith(said)


def test_numbers_of_numpy_become_pythons_own_and_nothing_else_changes():
    found = Decoding("sample", np.int64(5), np.float64(0.7), np.int64(40), 1)
    assert found == Decoding("sample", 5, 0.7, 40, 1.0)
    assert json.dumps(found.as_json()) == json.dumps(Decoding("sample", 5, 0.7, 40, 1.0).as_json())
