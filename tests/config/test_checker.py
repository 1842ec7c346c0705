"""Faults in a config: the key, the file that holds it, a near word; each in one line."""

from __future__ import annotations

import pytest

import configs
from clampsweep.config.checker import Checker
from clampsweep.errors import UserError
from configs import (
    BASE,
    as_sweep,
    changed,
    each_fault,
    parse,
    parse_files,
    refusal,
    sweep,
    unsaid,
    without,
    write,
)

folder = configs.folder


UNKNOWN_KEYS = {
    "top": ("comptue: {threads: 1}", "comptue", ["did you mean 'compute'", "promptsets"]),
    "compute": ("compute: {thread: 1}", "compute.thread", ["did you mean 'threads'", "device"]),
    "model": ("models: {tiny: {dytpe: 1}}", "models.tiny.dytpe", ["did you mean 'dtype'"]),
    "promptset": ("promptsets: {few: {fromat: csv}}", "promptsets.few.fromat", ["'format'"]),
    "sweep": (sweep("value: [1]"), "sweeps.main.value", ["did you mean 'values'", "detectors"]),
    "decoding": (
        sweep("decoding: {max_tokens: 9}"),
        "sweeps.main.decoding.max_tokens",
        ["did you mean 'max_new_tokens'", "method"],
    ),
    "of another method": (
        sweep("decoding: {temperature: 1.0}"),
        "sweeps.main.decoding.temperature",
        ["unknown key", "allowed: max_new_tokens, method"],
    ),
    "of another source": (
        "models: {tiny: {revision: main}}",
        "models.tiny.revision",
        ["unknown key", "allowed: accept_terms, d_mlp"],
    ),
    "selection": (
        sweep("neurons: {select: consistent, layer: last, top: 3, n: 3}"),
        "sweeps.main.neurons.n",
        ["unknown key", "layer, select, top"],
    ),
    "far from any": (sweep("xyzzy: 1"), "sweeps.main.xyzzy", ["unknown key; allowed: "]),
    "not a word": ("sweeps: {main: {7: 1}}", "sweeps.main", ["unknown key", "allowed: "]),
}


@each_fault(**{"unknown key": UNKNOWN_KEYS})
def test_a_fault_is_one_line_with_file_key_value_and_what_is_allowed(overlay, key, said):
    assert unsaid(refusal(config=changed(BASE, overlay)), f"config.yaml: {key}", said) == []


@each_fault(**{"unknown key": UNKNOWN_KEYS})
def test_a_fault_that_an_overlay_brings_is_said_of_the_overlay(overlay, key, said):
    assert unsaid(refusal(config=BASE, overlay=overlay), f"overlay.yaml: {key}", said) == []


def test_a_key_missing_in_what_an_overlay_adds_is_said_of_the_overlay():
    message = refusal(config=BASE, overlay=as_sweep(scope=None))
    assert message.startswith("overlay.yaml: sweeps.new: ")
    assert "'scope'" in message


def test_a_misspelled_needed_key_gets_a_suggestion_rather_than_lacks():
    text = without(BASE, "sweeps", "main", "promptset")
    message = refusal(config=changed(text, sweep("promtset: few")))
    assert message.startswith("config.yaml: sweeps.main.promtset: ")
    assert "did you mean 'promptset'" in message


def test_a_fault_of_the_base_is_not_said_of_an_overlay_that_changes_its_neighbours():
    text = changed(BASE, sweep("values: [1, .nan]"))
    overlay = sweep("scope: last, decoding: {max_new_tokens: 3}")
    assert refusal(config=text, overlay=overlay).startswith("config.yaml: sweeps.main.values[1]: ")


def test_the_last_of_several_overlays_that_holds_the_key_is_named():
    one, two = sweep("values: [1]"), sweep("values: [.inf]")
    three = sweep("scope: last")
    message = refusal(config=BASE, one=one, two=two, three=three)
    assert message.startswith("two.yaml: sweeps.main.values[0]: ")


def test_a_fault_that_an_overlay_mends_is_none():
    text = changed(BASE, sweep("values: [.nan], scope: nowhere"))
    assert parse(config=text, overlay=sweep("values: [1], scope: all")).run == ("main",)


def test_a_value_from_the_command_line_is_said_of_it_where_it_is_given_like_a_file():
    files = {**write(config=BASE), "--config": {"run": ["mian"]}}
    with pytest.raises(UserError, match=r"^--config: run\[0\]: .*'mian'"):
        parse_files(files)


@pytest.mark.parametrize("overlay", ['"a\\nb": 1', 'sweeps: {"a\\nb": {}}', sweep('"a\\nb": 1')])
def test_a_line_end_in_a_key_does_not_break_the_line(overlay):
    refusal(config=BASE, overlay=overlay)


@pytest.mark.parametrize("overlay", ['run: ["a\\nb"]', sweep('model: "a\\nb"')])
def test_a_line_end_in_a_value_does_not_break_the_line(overlay):
    assert r"'a\nb'" in refusal(config=BASE, overlay=overlay)


# By itself, against two small schemas


SCHEMAS = {
    "config": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "size": {"type": "integer", "default": 3},
            "name": {"type": "string"},
            "is": {"type": "boolean"},
        },
        "additionalProperties": {"$ref": "other.schema.yaml#/$defs/pair"},
        "$defs": {
            "sized": {
                "type": "object",
                "properties": {"a": {"default": 1}, "b": {"default": [2]}, "c": {"type": "string"}},
            }
        },
    },
    "other": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": {"pair": {"type": "array", "items": {"type": "integer"}, "maxItems": 2}},
    },
}
CONTENT = {"base": {"a": {"b": [1, 2]}, "c": 1}, "over": {"a": {"d": 3}}}


def fault(value, part="config", key=()):
    """The line with which a value is refused; None if it is accepted."""
    try:
        return Checker({"the file": {}}, SCHEMAS).check(value, part, key)
    except UserError as error:
        return str(error)


def test_a_part_is_checked_by_the_schema_and_the_place_that_it_is_named_by():
    assert fault([1, 2], "other/pair") is None
    assert fault([1, 2, 3], "other/pair", ("k",)) == "the file: k: got 3 entries; give at most 2"
    assert "k.c: got 1; expected string" in str(fault({"c": 1}, "config/sized", ("k",)))


def test_a_schema_checks_by_what_it_refers_to_in_another_one():
    assert fault({"size": 1, "more": [1, 2]}) is None
    assert fault({"more": [1, "x"]}) == "the file: more[1]: got 'x'; expected integer"


@pytest.mark.parametrize("value", [3.0, True])
@pytest.mark.parametrize("key", ["size", "more"])
def test_a_number_that_is_no_whole_one_is_refused_in_a_whole_schema_and_behind_its_references(
    value, key
):
    found = fault({key: value if key == "size" else [value]})
    assert found is not None and f"got {value}; expected integer" in found


def test_the_first_fault_by_its_key_is_the_one_that_is_said():
    assert "name: got 1; expected string" in str(fault({"size": "x", "name": 1}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"size": "2"}, "size: got '2'; expected integer; write a number plainly and without "),
        ({"size": "1:30"}, "size: got '1:30'; expected integer; write a number plainly and "),
        ({"name": 1e5}, "name: got 100000.0; expected string; put it in quotes"),
        ({"is": "yes"}, "is: got 'yes'; expected boolean; write true or false, without quotes"),
    ],
)
def test_a_scalar_of_another_kind_is_refused_with_how_to_write_it(content, said):
    assert said in str(fault(content))


@pytest.mark.parametrize(
    ("key", "file"),
    [
        (("c",), "base"),
        (("a",), "over"),
        (("a", "d"), "over"),
        (("a", "b"), "base"),
        (("a", "b", 1), "base"),
        (("a", "b", 9), "base"),  # the longest part of it that stands anywhere
        (("a", "gone"), "over"),
        (("gone",), "base"),
    ],
)
def test_a_key_is_said_of_the_last_file_that_holds_most_of_it(key, file):
    assert Checker(CONTENT, SCHEMAS).file_of(key) == file


def test_a_key_is_written_as_in_the_file_with_numbers_in_brackets():
    checker = Checker(CONTENT, SCHEMAS)
    assert checker.where(("a", "b", 1, "x")) == "base: a.b[1].x"
    assert checker.where(()) == "base"
    assert str(checker.fault(("c",), "wrong")) == "base: c: wrong"


def test_defaults_are_those_of_the_keys_that_have_one():
    assert Checker(CONTENT, SCHEMAS).defaults("config/sized") == {"a": 1, "b": [2]}


def test_a_name_gives_the_entry_that_it_stands_for_or_a_fault_that_lists_them():
    checker, choices = Checker(CONTENT, SCHEMAS), {"first": 1, "second": 2}
    assert checker.choose(("c",), "second", choices, "thing") == 2
    with pytest.raises(UserError) as caught:
        checker.choose(("c",), "secnd", choices, "thing")
    assert str(caught.value) == (
        "base: c: unknown thing 'secnd'; did you mean 'second'? configured: first, second"
    )


@pytest.mark.parametrize("number", [0, 7, -2.5, 1e308])
def test_a_finite_number_becomes_a_float(number):
    found = Checker(CONTENT, SCHEMAS).finite(("c",), number)
    assert isinstance(found, float) and found == number


@pytest.mark.parametrize(
    "number",
    [float("nan"), float("inf"), -float("inf"), 10**400],
    ids=["nan", "infinite", "minus infinite", "beyond floating point"],
)
def test_a_number_that_is_not_finite_is_a_fault(number):
    with pytest.raises(UserError, match=r"^base: c: got .*; expected a finite number$"):
        Checker(CONTENT, SCHEMAS).finite(("c",), number)
