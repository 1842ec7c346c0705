"""What the form asks for: clamps are refused with the allowed range."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from clampsweep.errors import UserError
from clampsweep.explorer import clamps as rows
from clampsweep.explorer.settings import ClampSetting, Settings, check_clamps
from clampsweep.models.spec import ModelSpec
from clampsweep.texts.request import Decoding

SPEC = ModelSpec("x: models.m", "m", "hub", "MIT", 3, 40, "float32", False, "none",
                 repo="a/b", revision="0" * 40)  # fmt: skip


def asked(*clamps: ClampSetting, **more: Any) -> Settings:
    made = Settings("m", "It is\nlate.", clamps, "all", Decoding("greedy", 7))
    return replace(made, **more)


@pytest.mark.parametrize(
    ("clamp", "said"),
    [
        (ClampSetting(3, 0), "clamp 2: got layer 3; m has layers 0-2"),
        (ClampSetting(-1, 0), "clamp 2: got layer -1; m has layers 0-2"),
        (ClampSetting(0, 40), "clamp 2: got neuron 40; m has neurons 0-39"),
        (ClampSetting(0, 1.5), "clamp 2: got neuron 1.5; m has neurons 0-39"),
        (ClampSetting(None, 1), "clamp 2: the layer is missing; m has layers 0-2"),
        (ClampSetting(0, None), "clamp 2: the neuron is missing; m has neurons 0-39"),
        (ClampSetting(0, 1, "set", None), "clamp 2: operation set needs a value, a finite number"),
        (
            ClampSetting(0, 1, "add", float("nan")),
            "clamp 2: operation add needs a value, a finite number",
        ),
        (
            ClampSetting(0, 1, "scale", -1e39),
            "clamp 2: got -1e+39; m has dtype float32, of numbers from -3.40282e+38 to "
            "3.40282e+38; write one of these, or give the model a wider dtype, such as float64",
        ),
        (
            ClampSetting(0, 1, "mean", 1.0),
            "clamp 2: got operation 'mean'; allowed: set, add, scale, zero",
        ),
        (ClampSetting(1, 1), "clamps 1 and 2 both change L1N1; switch one off"),
    ],
)
def test_a_wrong_row_is_named_with_what_is_allowed(clamp: ClampSetting, said: str) -> None:
    with pytest.raises(UserError) as fault:
        check_clamps([ClampSetting(1, 1), clamp], SPEC)
    assert str(fault.value) == said


def test_a_row_for_a_model_without_neurons_is_refused() -> None:
    with pytest.raises(UserError, match="clamp 1: got neuron 1; m has none"):
        check_clamps([ClampSetting(1, 1)], replace(SPEC, d_mlp=0))


def test_rows_that_are_off_are_neither_checked_nor_used() -> None:
    good, off = ClampSetting(2, 39, "zero", None), ClampSetting(99, None, on=False)
    assert check_clamps([off, good, off], SPEC) == (good,)


def test_a_neuron_spread_over_layers_stands_once_in_each() -> None:
    had = [ClampSetting(0, 1), ClampSetting(2, 7, "add", 3.0), ClampSetting(1, 2)]
    found = rows.spread_over(had, 1, 3)
    assert found == [had[0], *[ClampSetting(layer, 7, "add", 3.0) for layer in range(3)], had[2]]


def test_rows_are_new_even_where_they_are_alike() -> None:
    assert rows.fresh([ClampSetting(0, 1)]) != rows.fresh([ClampSetting(0, 1)])


def test_settings_as_json_say_what_was_used() -> None:
    settings = asked(ClampSetting(1, 2, "zero", 9.0), ClampSetting(0, 3, "set", -1.0))
    assert json.loads(json.dumps(settings.as_json())) == {
        "model": "m",
        "prompt": "It is\nlate.",
        "clamps": [
            {"layer": 1, "neuron": 2, "operation": "zero", "value": None},
            {"layer": 0, "neuron": 3, "operation": "set", "value": -1.0},
        ],
        "scope": "all",
        "decoding": {"method": "greedy", "max_new_tokens": 7},
        "seed": None,
    }
