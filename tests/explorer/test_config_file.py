"""A run's config file: it parses, and the workflow makes the run's texts from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clampsweep.config.checker import Checker
from clampsweep.config.parse import parse
from clampsweep.config.schemas import join
from clampsweep.errors import UserError
from clampsweep.explorer import config_file
from clampsweep.explorer.running import try_out
from clampsweep.explorer.settings import ClampSetting, Settings
from clampsweep.explorer.steering import Steered
from clampsweep.generation.changes import supplies
from clampsweep.generation.parts import cut, decode_part
from clampsweep.generation.prompts import encode
from clampsweep.models.model import Model
from clampsweep.models.spec import ModelSpec
from clampsweep.registry import STUDIES
from clampsweep.strict_yaml import read_yaml
from clampsweep.texts.combination import Combination
from clampsweep.texts.directions import Steering, pin_directions
from clampsweep.texts.promptset import read as read_promptset
from clampsweep.texts.request import Decoding, PromptFormat, TextRequest
from clampsweep.texts.wanted import baselines, interventions
from tiny import CHAT, D_MODEL, PROMPTS

SCHEMAS = Path(__file__).parents[2] / "workflow/schemas"
SPEC = ModelSpec("x: models.m", "m", "hub", "MIT", 3, 40, "float32", False, "none",
                 repo="a/b", revision="0" * 40)  # fmt: skip
VECTOR = tuple(np.random.default_rng(0).normal(size=D_MODEL).tolist())
SAMPLED = Decoding("sample", 12, temperature=1.5, top_p=0.9)


def asked(*clamps: ClampSetting, **more: Any) -> Settings:
    made = Settings("m", "It is\nlate.", clamps, "all", Decoding("greedy", 7))
    return replace(made, **more)


def steered(target: str = "L1@calm", multiple: float = 3.0) -> Steered:
    return Steered(Steering(target, VECTOR), multiple)


def request_of(path: Path) -> TextRequest:
    """What a config file asks for, alone."""
    content = read_yaml(path)
    (request,) = parse(content, {str(path): content}, SCHEMAS, STUDIES).requests().values()
    return request


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
    path = config_file.save_config(settings, SPEC, tmp_path)
    request = request_of(path)
    assert request.name == path.stem
    assert request.name.startswith(f"explored-m-{target.replace('+', '_')}-")
    detectors = read_yaml(path)["sweeps"][path.stem]["detectors"]
    assert detectors == ["surface", "entropy", "loop", "coherence"]
    prompts = read_promptset(request.promptset.path or "", "jsonl")
    (wanted,) = interventions(request, prompts, None)
    model = replace(SPEC, where="").identity
    assert wanted == Combination(model, settings.prompt, target, settings.clamps[0].operation,
                                 value, settings.scope, settings.decoding, seed)  # fmt: skip
    assert path.name in path.read_text(encoding="utf-8").splitlines()[0]


def test_the_config_of_a_run_holds_a_models_parts_and_the_terms_that_the_user_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    parts = [{"package": f"m-part{at}==1.0", "file": f"m.gguf.part0{at}"} for at in (1, 2)]
    terms = {"terms": "https://example.org/terms", "accept_terms": True}
    spec = ModelSpec("x: models.m", "m", "pypi", "Gemma", 3, 40, "float32", True, "none",
                      parts=parts, sha256="0" * 64, **terms)  # fmt: skip
    path = config_file.save_config(asked(ClampSetting(2, 5)), spec, tmp_path)
    content = read_yaml(path)
    model = parse(content, {str(path): content}, SCHEMAS, STUDIES).models["m"]
    assert model == replace(spec, where=model.where)


def test_clamps_that_are_no_sweep_have_no_config(tmp_path: Path) -> None:
    one, other = ClampSetting(1, 1, "set", 5.0), ClampSetting(2, 1, "add", 5.0)
    many = [ClampSetting(layer, at, "zero") for layer in range(3) for at in range(34)][:101]
    for settings, said in (
        (asked(one, other), r"by one operation, .* L1N1 set [+]5, L2N1 add [+]5; make their"),
        (asked(one, steering=steered()), r"both: L1N1 set [+]5, L1@calm steer [+]3; switch one"),
        (asked(*many), "at most 100 neurons together, but these are 101; switch some off"),
        (asked(), "no clamp is on"),
    ):
        with pytest.raises(UserError, match=said):
            config_file.save_config(settings, SPEC, tmp_path)
    assert not list(tmp_path.iterdir())


def test_as_many_neurons_may_be_exported_as_a_target_may_have() -> None:
    checker = Checker({}, join(SCHEMAS, STUDIES))
    assert checker.part("common/joint_neurons")["maxItems"] == config_file.MOST
    assert checker.part("common/valued_neurons")["maxProperties"] == config_file.MOST


# The texts


def of_workflow(path: Path, model: Model, results: Path) -> dict[str, tuple[list[int], str]]:
    """Tokens and ends of a config's texts, by operation, as a job of the workflow makes them."""
    request = request_of(path)
    prompts = read_promptset(request.promptset.path or "", "jsonl")
    pin_directions(results, request.directions)
    wanted = [*baselines(request, prompts), *interventions(request, prompts, None)]
    tokens = {text: encode(model, text, request.prompt_format) for text in prompts["text"]}
    given = supplies(model, wanted, tokens, 8, results)
    found = {}
    for part in cut(wanted, tokens, 8):
        texts = decode_part(model, part, tokens, given, request.decoding, lambda n: None)
        for one, text in zip(part, texts, strict=True):
            found[one.operation] = (text.token_ids, text.stop_reason)
    return found


CASES: dict[str, dict[str, Any]] = {
    "neurons with values of their own": {
        "clamps": (ClampSetting(2, 5, "add", 7.5), ClampSetting(0, 3, "add", -1e-7)),
    },
    "steering": {"steering": steered(), "scope": "generated"},
    "along a random direction": {"steering": steered("L2R4@calm", -2.5)},
    "a chat that a string ends": {
        "clamps": (ClampSetting(2, 5, "set", 9.0),),
        "prompt_format": PromptFormat("chat", "be\nshort: ü"),
        "decoding": Decoding("greedy", 12, stop_strings=("an", "\n\n", '"#"')),
    },
    "a chat, steered and drawn": {
        "steering": steered(),
        "prompt_format": PromptFormat("chat"),
        "decoding": SAMPLED,
        "seed": 5,
    },
}


@pytest.mark.parametrize("case", CASES)
def test_the_workflow_makes_a_run_s_texts_token_for_token_from_its_config(
    case: str, load_tiny: Callable[..., Model], tiny_folder: Callable[..., Any], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    model = load_tiny("llama", chat_template=CHAT)
    _, spec = tiny_folder("llama", chat_template=CHAT)
    settings = asked(**{"prompt": PROMPTS[3], "decoding": Decoding("greedy", 12), **CASES[case]})
    made = try_out(model, settings, lambda told: None)
    monkeypatch.chdir(tmp_path)
    path = config_file.save_config(settings, spec, tmp_path)
    done = settings.changes[0].operation
    assert made.clamped is not None
    assert of_workflow(path, model, tmp_path / "results") == {
        "none": (made.baseline.said.token_ids, made.baseline.said.stop_reason),
        done: (made.clamped.said.token_ids, made.clamped.said.stop_reason),
    }
    assert made.baseline.said.token_ids != made.clamped.said.token_ids
    ends = {close.said.stop_reason for close in made.texts}
    assert ("stop_string" in ends) == bool(settings.decoding.stop_strings)
