"""Steering in the explorer: against Hugging Face's own modules, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from clampsweep import tables
from clampsweep.config.checker import Checker
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.explorer import pages
from clampsweep.explorer.running import try_out
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.explorer.steering import (
    Steered,
    SteerSetting,
    check_steering,
    layers_by_name,
    layers_in_words,
)
from clampsweep.explorer.sweeping import sweep_values
from clampsweep.models.directions import random_direction
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.names import Neuron
from clampsweep.registry import STUDIES
from clampsweep.texts.directions import DIRECTIONS, Steering
from clampsweep.texts.request import Decoding, PromptFormat
from reference import Clamp, decode_alone, moved
from standing import n_hooks
from tiny import CHAT, D_MODEL, PROMPTS

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
CHECKER = Checker({"the form": {}}, join(SCHEMAS, STUDIES))
SPEC = ModelSpec("x: models.m", "m", "hub", "MIT", 3, 40, "float32", False, "none",
                 repo="a/b", revision="0" * 40)  # fmt: skip
VECTOR = np.random.default_rng(0).normal(size=D_MODEL)
CLAMP = ClampSetting(2, 4, "add", 6.0)


def settings(*clamps: ClampSetting, target: str = "L1@calm", **more: Any) -> Settings:
    along = Steered(Steering(target, tuple(VECTOR.tolist())), 2.5)
    return Settings(
        "tiny", PROMPTS[3], clamps, "all", Decoding("greedy", 8), steering=along, **more
    )


def reference(model: Model, step: np.ndarray, clamps: Sequence[Clamp] = ()) -> list[int]:
    with moved(model, 1, step):
        return decode_alone(model, model.encode(PROMPTS[3]), clamps, "all", 8).token_ids


# Texts


def test_a_steered_run_makes_the_text_of_hugging_faces_modules(model: Model) -> None:
    plain, before = reference(model, 0 * VECTOR), n_hooks(model.plain)
    made = try_out(model, settings(), lambda told: None)
    assert made.clamped is not None
    assert made.baseline.said.token_ids == plain
    assert made.clamped.said.token_ids == reference(model, 2.5 * VECTOR) != plain
    assert n_hooks(model.plain) == before


def test_steering_and_clamps_act_together_and_only_neurons_have_activations(gpt2: Model) -> None:
    made = try_out(gpt2, settings(CLAMP), lambda told: None)
    assert made.clamped is not None
    clamp = Clamp(Neuron(2, 4), "add", 6.0)
    assert made.clamped.said.token_ids == reference(gpt2, 2.5 * VECTOR, [clamp])
    assert list(made.clamped.natural) == list(made.clamped.changed) == ["L2N4"]
    shown = str(pages.details(made))
    length = f"{2.5 * np.linalg.norm(VECTOR):.4g}"
    assert "L1@calm steer +2.5: a direction has no activation of its own" in shown
    assert f"a vector of length {length} is added to the residual stream after layer 1" in shown
    assert pages.titles(made.settings) == ("Baseline", "Clamped and steered")


def test_a_random_direction_is_that_of_a_sweep_s_control_and_as_long(gpt2: Model) -> None:
    made = try_out(gpt2, settings(target="L1R4@calm"), lambda told: None)
    assert made.clamped is not None
    step = 2.5 * np.linalg.norm(VECTOR) * random_direction(1, 4, D_MODEL)
    assert made.clamped.said.token_ids == reference(gpt2, step)
    assert "L1R4@calm steer +2.5" in pages.clamp_words(made.settings)


def test_a_sweep_of_multiples_makes_the_texts_of_hugging_faces_modules(gpt2: Model) -> None:
    made = sweep_values(gpt2, settings(), [4.0, 0.0, -2.0], lambda share: None)
    assert made.values == [-2.0, 0.0, 4.0]
    for multiple, said in zip(made.values, made.texts, strict=True):
        assert said.token_ids == reference(gpt2, multiple * VECTOR)
    assert made.baseline.token_ids == made.texts[1].token_ids != made.texts[2].token_ids


def test_a_direction_of_another_model_is_refused(gpt2: Model) -> None:
    narrow = Settings("tiny", "the", (), "all", Decoding("greedy", 3),
                      steering=Steered(Steering("L1@calm", (1.0, 2.0)), 1.0))  # fmt: skip
    said = "direction L1@calm has 2 coordinates, but the model's residual stream has 24; use one"
    for run in (try_out, lambda *given: sweep_values(given[0], given[1], [1.0], given[2])):
        with pytest.raises(UserError, match=said):
            run(gpt2, narrow, lambda told: None)


# The form


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A direction for any layer, and one for the layers 1 and 2."""
    by_layer = np.stack([0 * VECTOR, VECTOR, 2 * VECTOR])
    save_file({"calm": VECTOR, "refusal": by_layer}, tmp_path / "d.safetensors")
    return tmp_path / "d.safetensors"


def test_the_form_s_direction_is_that_of_the_file_for_its_layer(file: Path) -> None:
    asked = SteerSetting(True, str(file), "refusal", 2.0, -1, -1.5)
    found = check_steering(asked, SPEC, CHECKER)
    assert found == Steered(Steering("L2@refusal", tuple((2 * VECTOR).tolist())), -1.5)
    assert found.length == pytest.approx(3 * np.linalg.norm(VECTOR))
    random = check_steering(SteerSetting(True, str(file), "calm", 0, 4, 1.0), SPEC, CHECKER)
    assert random is not None
    assert (random.name, random.along.vector) == ("L0R4@calm", tuple(VECTOR.tolist()))
    assert check_steering(SteerSetting(False, "nowhere"), SPEC, CHECKER) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"file": None}, "steering: no file of directions; upload one, or switch steering off"),
        ({"file": "{folder}/none"}, "the form: steering.file: got 'none'; no such file"),
        ({"file": "{folder}/bad"}, "the form: steering.file: bad: neither a safetensors file nor"),
        ({"file": "{folder}/bad", "name": None}, "bad: neither a safetensors file nor"),
        ({"file": "{folder}/zero"}, "the form: steering.file: zero: 'calm': is zero, so nothing"),
        ({"name": None}, "steering: no direction is chosen; choose one, or switch steering off"),
        ({"name": "joy"}, "the form: steering.names[0]: unknown direction 'joy'; configured: calm"),
        ({"layer": None}, "steering: the layer is missing; m has layers 0-2"),
        ({"layer": 1.5}, "steering: got layer 1.5; m has layers 0-2"),
        ({"layer": -1}, "steering: got layer -1; m has layers 0-2"),
        ({"layer": 3}, "the form: steering.layers[0]: got 3; m has layers 0-2"),
        ({"name": "refusal", "layer": 0}, "the form: steering: 'refusal' after layer 0: its file"),
        ({"multiple": None}, "steering: the multiple is missing; write a finite number"),
        ({"multiple": float("inf")}, "steering: the multiple is missing; write a finite number"),
        ({"multiple": 3e38}, "steering: got "),
    ],
)
def test_steering_that_cannot_be_is_refused_in_a_line(
    wrong: dict[str, Any], said: str, file: Path
) -> None:
    (file.parent / "bad").write_bytes(b"nothing")
    save_file({"calm": np.zeros(4)}, file.parent / "zero")
    good = {"on": True, "file": str(file), "name": "calm", "layer": 1, "multiple": 1.0}
    given = {**good, **wrong}
    if given["file"]:
        given["file"] = given["file"].format(folder=file.parent)
    with pytest.raises(UserError) as fault:
        check_steering(SteerSetting(**given), SPEC, CHECKER)
    assert str(fault.value).startswith(said)
    assert "\n" not in str(fault.value)
    assert str(file.parent) not in str(fault.value)


def test_the_directions_of_a_file_are_listed_with_their_layers(file: Path) -> None:
    assert layers_by_name(str(file)) == {"calm": [], "refusal": [1, 2]}
    rows = {"name": ["a", "a", "b"], "layer": [0, 2, None], "vector": [VECTOR] * 3}
    table = pd.DataFrame(rows).astype({"layer": "Int64"})
    tables.write(table, file.with_suffix(".parquet"), DIRECTIONS, {})
    assert layers_by_name(str(file.with_suffix(".parquet"))) == {"a": [0, 2], "b": []}
    save_file({}, file)
    with pytest.raises(UserError, match=r"^d.safetensors: holds no direction; choose another"):
        layers_by_name(str(file))


def test_layers_are_said_in_words() -> None:
    assert [layers_in_words(one) for one in ([], [3], [0, 1, 2], [0, 2])] == [
        "for any layer", "for 1 layer: 3", "for layers 0-2", "for 2 layers: 0, 2",
    ]  # fmt: skip


# Chats and stop strings


@pytest.mark.parametrize("system", [None, "be short"])
def test_a_chat_is_read_as_the_template_writes_it_and_ends_at_a_stop_string(
    system: str | None, load_tiny: Callable[..., Model]
) -> None:
    model = load_tiny("llama", chat_template=CHAT)
    decoding = Decoding("greedy", 12, stop_strings=("an", "or"))
    asked = Settings("tiny", PROMPTS[3], (CLAMP,), "all", decoding,
                     prompt_format=PromptFormat("chat", system))  # fmt: skip
    made = try_out(model, asked, lambda told: None)
    messages = [] if system is None else [{"role": "system", "content": system}]
    messages.append({"role": "user", "content": PROMPTS[3]})
    written = model.tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, tokenize=False
    )
    assert "".join(made.prompt) == written
    assert "&#39;&lt;bos&gt;&#39;" in str(pages.details(made))
    ids = model.tokenizer(written, add_special_tokens=False).input_ids
    assert made.clamped is not None
    clamp = Clamp(Neuron(2, 4), "add", 6.0)
    for close, clamps in ((made.baseline, []), (made.clamped, [clamp])):
        alone = decode_alone(model, ids, clamps, "all", 12, stop_strings=decoding.stop_strings)
        assert (close.said.token_ids, close.said.stop_reason) == (
            alone.token_ids, alone.stop_reason,
        )  # fmt: skip
        assert len(close.natural["L2N4"]) == len(ids) + len(close.said.token_ids)
    assert "stop_string" in {close.said.stop_reason for close in made.texts}
    assert "ended by a stop string" in pages.texts(asked, made.texts)
    assert "ends at 'an' or 'or'; chat" in pages.how_words(asked)


def test_a_model_without_a_template_takes_no_chat(gpt2: Model) -> None:
    asked = Settings("tiny", "the", (), "all", Decoding("greedy", 3),
                     prompt_format=PromptFormat("chat"))  # fmt: skip
    with pytest.raises(UserError, match="has no chat template; use a model with one"):
        try_out(gpt2, asked, lambda told: None)
