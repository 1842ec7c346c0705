"""What Sweep here takes from Try, and what stays as it was set there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from clampsweep.explorer.settings import ClampSetting
from clampsweep.explorer.steering import SteerSetting
from clampsweep.explorer.taking import Change, Form, change_of, merged

GREEDY = ("greedy", 50, 1.0, "", "", 0, "all", "", "")
OFF = SteerSetting()
ALONG = SteerSetting(True, "d.safetensors", "joy", 2)


def form(text, neuron=1, decoding=GREEDY, kind="raw", system=""):
    return Form((text, kind, system), Change("neuron", 0, neuron, "set", OFF, ()), decoding)


def test_everything_is_taken_at_first():
    tried = form("of Try", 7, ("greedy", 9, *GREEDY[2:]))
    assert merged(tried, form("of the sweep"), None) == (tried, tried, [])


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        (form("changed"), "prompt"),
        (form("taken", kind="chat"), "prompt"),
        (form("taken", neuron=5), "what is changed"),
        (form("taken", decoding=("greedy", 9, *GREEDY[2:])), "decoding"),
    ],
)
def test_what_was_set_in_the_sweep_stays_and_goes_on_to_stay(ours, name):
    tried = form("new", 8, ("greedy", 60, *GREEDY[2:]))
    parts = ["prompt", "what is changed", "decoding"]
    taken, held = form("taken"), ours
    for _ in range(2):
        held, taken, stays = merged(tried, held, taken)
        assert stays == [name]
        for part, new, own, theirs in zip(parts, held, ours, tried, strict=True):
            assert new == (own if part == name else theirs)


def test_what_is_set_alike_in_both_is_no_difference():
    tried = form("same")
    assert merged(tried, form("same"), form("before")).stays == []


def test_hidden_fields_make_no_difference():
    odd = ("greedy", 50, None, "7", "0.5", 3, "all", "1, 2", "")
    found = merged(form("new"), form("taken", decoding=odd, system="be short"), form("taken"))
    assert found.form.prompt[0] == "new" and found.stays == []
    drawn = ("sample", *odd[1:])
    found = merged(
        form("new"), form("taken", decoding=("sample", *GREEDY[1:])), form("taken", decoding=drawn)
    )
    assert found.stays == ["decoding"]


def test_where_nothing_is_on_in_try_the_change_of_the_sweep_stays_unsaid():
    tried = form("new")._replace(change=None)
    own = form("taken", neuron=5)
    first = merged(tried, own, None)
    assert first.form.change == own.change and first.stays == []
    later = merged(form("new", 6), first.form, first.taken)
    assert later.form.change.neuron == 6


def test_the_first_clamp_that_is_on_and_takes_a_value_is_swept_and_the_others_are_held():
    off, zero = ClampSetting(1, 1, "set", 2.0, on=False), ClampSetting(1, 2, "zero")
    add, third = ClampSetting(1, 3, "add", 4.0), ClampSetting(2, 4, "scale", 0.5)
    blank = ClampSetting(None, 4)
    found = change_of([off, zero, blank, add, third], OFF)
    assert (found.what, found.layer, found.neuron, found.operation) == ("neuron", 1, 3, "add")
    assert found.held == (zero, third)
    assert change_of([off, zero], OFF) is None


def test_where_try_steers_the_direction_is_swept_and_every_clamp_held():
    clamp = ClampSetting(1, 3, "add", 4.0)
    found = change_of([clamp], ALONG)
    assert (found.what, found.steer, found.held) == ("direction", ALONG, (clamp,))
    again = found._replace(steer=replace(ALONG, multiple=9.0))
    assert again.counted == found.counted
    assert found._replace(steer=replace(ALONG, layer=1)).counted != found.counted
