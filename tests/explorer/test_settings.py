"""What the form asks for: refused with the allowed range, and as a config that parses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clampsweep.config.checker import Checker
from clampsweep.config.parse import parse
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.explorer import clamps as rows
from clampsweep.explorer import export
from clampsweep.explorer.settings import (
    ClampSetting,
    Settings,
    check_clamps,
    check_decoding,
    check_scope,
    read_values,
)
from clampsweep.models.spec import ModelSpec
from clampsweep.registry import STUDIES
from clampsweep.studies.bcr.rates import RATES
from clampsweep.texts.combination import Combination
from clampsweep.texts.promptset import read as read_promptset
from clampsweep.texts.request import Decoding
from clampsweep.texts.wanted import interventions

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
SPEC = ModelSpec("x: models.m", "m", "hub", "MIT", 3, 40, "float32", False, "none",
                 repo="a/b", revision="0" * 40)  # fmt: skip
CHECKER = Checker({"the form": {}}, join(SCHEMAS, STUDIES))


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


@pytest.mark.parametrize(
    ("text", "found"),
    [("5, -3,5", [-3, 5]), ("1e2;0", [0, 100]), (" 2.5 ,", [2.5])],
)
def test_values_are_read_once_each_in_order(text: str, found: list[float]) -> None:
    assert read_values(text) == found


@pytest.mark.parametrize("text", ["", " , ", "5, x", "nan", "1, inf", "5 6"])
def test_values_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="write numbers, such as -10, 10"):
        read_values(text)


def test_scopes_are_names_or_positions() -> None:
    assert check_scope("last", "junk", CHECKER) == "last"
    assert check_scope("positions", "3, 0", CHECKER) == "0,3"
    for wrong in ("", "x", "-1", "1, 1"):
        with pytest.raises(UserError, match="the form: positions"):
            check_scope("positions", wrong, CHECKER)


def test_decoding_keeps_what_the_method_uses() -> None:
    given = {"method": "greedy", "max_new_tokens": 9.0, "temperature": -1, "top_k": 0, "top_p": 7}
    assert check_decoding(given, CHECKER) == Decoding("greedy", 9)
    given |= {"method": "sample", "temperature": 0.5, "top_k": " 3", "top_p": " "}
    assert check_decoding(given, CHECKER) == Decoding("sample", 9, 0.5, 3, None)
    given |= {"top_k": "", "top_p": "0.25"}
    assert check_decoding(given, CHECKER) == Decoding("sample", 9, 0.5, None, 0.25)


@pytest.mark.parametrize(
    "wrong",
    [{"max_new_tokens": 0}, {"max_new_tokens": None}, {"max_new_tokens": 2.5}, {"temperature": 0},
     {"temperature": None}, {"top_k": 0}, {"top_k": 1.5}, {"top_p": 0},
     {"top_p": "1.1"}, {"top_k": "many"}, {"top_p": "nan"}, {"temperature": float("inf")}],
)  # fmt: skip
def test_decoding_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    given = {"method": "sample", "max_new_tokens": 5, "temperature": 1.0, "top_k": 2, "top_p": 0.5}
    with pytest.raises(UserError, match="the form: decoding"):
        check_decoding(given | wrong, CHECKER)


@pytest.mark.parametrize(
    ("settings", "target", "value", "seed"),
    [
        (asked(ClampSetting(2, 5, "set", -4.0)), "L2N5", -4.0, None),
        (asked(ClampSetting(2, 5, "zero", 1.0), ClampSetting(0, 1, "zero", 2.0)),
         "L0N1+L2N5", None, None),
        (asked(ClampSetting(1, 1, "scale", 0.5), scope="0,3", seed=11,
               decoding=Decoding("sample", 5, 0.7, 4, 0.9)), "L1N1", 0.5, 11),
    ],
)  # fmt: skip
def test_the_config_of_a_run_asks_the_workflow_for_its_text(
    settings: Settings, target: str, value: float | None, seed: int | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    path = export.save_config(settings, SPEC, tmp_path)
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    parsed = parse(content, {str(path): content}, SCHEMAS, STUDIES)
    assert list(parsed.requests()) == ["explored"]
    request = parsed.requests()["explored"]
    prompts = read_promptset(request.promptset.path or "", "jsonl")
    (wanted,) = interventions(request, prompts, None)
    model = replace(SPEC, where="").identity
    assert wanted == Combination(model, settings.prompt, target, settings.clamps[0].operation,
                                 value, settings.scope, settings.decoding, seed)  # fmt: skip
    assert path.name in path.read_text(encoding="utf-8").splitlines()[0]


def test_clamps_that_are_no_sweep_have_no_config(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"one operation and value.*L1N1 set [+]5, L2N1 set [+]6"):
        export.save_config(
            asked(ClampSetting(1, 1, "set", 5.0), ClampSetting(2, 1, "set", 6.0)), SPEC, tmp_path
        )
    with pytest.raises(UserError, match="no clamp is on"):
        export.save_config(asked(), SPEC, tmp_path)
    assert not list(tmp_path.iterdir())


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


def test_a_table_of_another_kind_gives_no_clamps(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "rates.parquet").write_bytes(b"no table")
    (path,) = rows.importable(tmp_path).values()
    with pytest.raises(UserError, match="not a whole Parquet file"):
        rows.read_table(path)
    assert "rates" in RATES.name
