"""The float64 judge against Hugging Face's model under hooks made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import clampsweep.decoder.choice
import clampsweep.decoder.decode
import clampsweep.decoder.exact
from clampsweep.decoder.decode import decode
from clampsweep.decoder.exact import exact
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from families import make_family
from reference import Clamp, logits_alone, other_weights
from standing import n_hooks
from tiny import ARCHITECTURES, PROMPTS

SCOPES = ("all", "prompt", "generated", "last", "last_cached", "0,3,8,10")
TEXT = (40, 41, 42, 97)
CLAMPS = {
    "set": Clamp(Neuron(0, 3), "set", -20.0),
    "mean": Clamp(Neuron(2, 30), "mean", 7.5),
    "add": Clamp(Neuron(1, 7), "add", 12.0),
    "scale": Clamp(Neuron(1, 39), "scale", -8.0),
    "zero": Clamp(Neuron(2, 0), "zero"),
    "resample": Clamp(Neuron(0, 11), "resample", donor=(15.0, -4.0, 9.0)),
}


@pytest.fixture(scope="module")
def wide() -> Callable[[Model], Any]:
    """Function from a loaded model to Hugging Face's own of the same weights, in float64."""
    from transformers import AutoModelForCausalLM

    made: dict[str, Any] = {}

    def get(model: Model) -> Any:
        source = model.manifest["source"]
        if source not in made:
            narrow = AutoModelForCausalLM.from_pretrained(source, dtype=model.dtype)
            made[source] = narrow.double().eval()
        return made[source]

    return get


def _edit(clamp: Clamp) -> Edit:
    return edit(clamp.neuron, clamp.operation, clamp.value, clamp.donor)


def _assert_right(model: Model, hugging_face: Any, clamps: list[Clamp], scope: str) -> None:
    judge, prompt = exact(model), model.encode(PROMPTS[0])
    assert judge is not None
    tokens = [*prompt, *TEXT]
    changes = [_edit(clamp) for clamp in clamps]
    got = judge.logits(tokens, len(prompt), changes, Scope.parse(scope))
    wanted = logits_alone(hugging_face, tokens, len(prompt), clamps, scope)
    assert got.dtype == torch.float64
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("scope", SCOPES)
def test_every_operation_and_scope_equals_hugging_face_in_float64(
    load_tiny: Callable[..., Model],
    wide: Callable[[Model], Any],
    architecture: str,
    scope: str,
    dtype: str,
) -> None:
    model = load_tiny(architecture, dtype=dtype)
    for clamp in CLAMPS.values():
        _assert_right(model, wide(model), [clamp], scope)
    _assert_right(model, wide(model), list(CLAMPS.values()), scope)
    _assert_right(model, wide(model), [], scope)


@pytest.mark.parametrize("operation", CLAMPS)
def test_the_clamps_of_these_tests_move_the_logits(gpt2: Model, operation: str) -> None:
    judge = exact(gpt2)
    assert judge is not None
    moved, natural = (
        judge.logits([*gpt2.encode(PROMPTS[0]), *TEXT], 9, edits, Scope("all"))
        for edits in ([_edit(CLAMPS[operation])], [])
    )
    assert float((moved - natural).abs().max()) > 0.01


def _along(clamp: Clamp, direction: int) -> Clamp:
    return replace(clamp, neuron=replace(clamp.neuron, direction=direction))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("scope", SCOPES)
def test_a_change_along_a_random_direction_equals_hugging_face_in_float64(
    load_tiny: Callable[..., Model], wide: Callable[[Model], Any], architecture: str, scope: str
) -> None:
    model = load_tiny(architecture)
    sent = [_along(clamp, at) for at, clamp in enumerate(CLAMPS.values())]
    for clamp in sent:
        _assert_right(model, wide(model), [clamp], scope)
    _assert_right(model, wide(model), sent, scope)
    _assert_right(model, wide(model), [*sent, *CLAMPS.values()], scope)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_direction_and_whether_there_is_one_decide_the_logits(
    load_tiny: Callable[..., Model], architecture: str
) -> None:
    model = load_tiny(architecture)
    judge, tokens = exact(model), [*model.encode(PROMPTS[0]), *TEXT]
    assert judge is not None
    clamp = CLAMPS["set"]
    changes = [[], [clamp], [_along(clamp, 0)], [_along(clamp, 1)]]
    found = [
        judge.logits(tokens, 9, [_edit(one) for one in each], Scope("all")) for each in changes
    ]
    for one, other in itertools.combinations(found, 2):
        assert float((one - other).abs().max()) > 0.01


@pytest.mark.parametrize("architecture", ["gemma", "opt"])
def test_other_families_are_judged_too(
    load_tiny: Callable[..., Model], wide: Callable[[Model], Any], architecture: str
) -> None:
    weights, fields = other_weights(architecture)
    model = load_tiny("llama", model=weights, dtype="float32", **fields)
    _assert_right(model, wide(model), [CLAMPS["set"], CLAMPS["add"]], "all")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_single_precision_is_far_less_exact(
    load_tiny: Callable[..., Model], wide: Callable[[Model], Any], architecture: str
) -> None:
    """So that equality to 1e-10 says something; and the model itself stays in float32."""
    model = load_tiny(architecture, dtype="float32")
    tokens = [*model.encode(PROMPTS[0]), *TEXT]
    wanted = logits_alone(wide(model), tokens, 9, [], "all")
    with torch.inference_mode():
        narrow = model.plain(torch.tensor([tokens])).logits[0, -1].double()
    assert float((narrow - wanted).abs().max()) > 1e-8


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_model_is_left_as_it_was(load_tiny: Callable[..., Model], architecture: str) -> None:
    model = load_tiny(architecture, dtype="float32")
    before = {name: (one, one.clone()) for name, one in model.plain.named_parameters()}
    tokens = torch.tensor([model.encode(PROMPTS[0])])
    with torch.inference_mode():
        natural = model.plain(tokens).logits
    judge = exact(model)
    assert judge is not None
    for scope in ("all", "last"):
        judge.logits(tokens[0].tolist(), 9, [_edit(CLAMPS["set"])], Scope(scope))
    for name, (one, copy) in before.items():
        assert one.dtype == torch.float32
        assert torch.equal(one, copy), name
    with torch.inference_mode():
        assert torch.equal(model.plain(tokens).logits, natural)


def test_no_clamp_remains_however_a_call_ends(gpt2: Model) -> None:
    judge = exact(gpt2)
    assert judge is not None
    tokens = gpt2.encode(PROMPTS[0])
    natural = judge.logits(tokens, 9, [], Scope("all"))
    judge.logits(tokens, 9, [_edit(one) for one in CLAMPS.values()], Scope("all"))
    with pytest.raises(IndexError):
        judge.logits([*tokens, 10_000], 9, [_edit(CLAMPS["set"])], Scope("all"))
    assert torch.equal(judge.logits(tokens, 9, [], Scope("all")), natural)
    assert n_hooks(gpt2.plain) == 0
    assert torch.is_grad_enabled()


def test_a_model_has_one_judge_and_a_processed_one_none(load_tiny: Callable[..., Model]) -> None:
    model = load_tiny("gpt2")
    assert exact(model) is exact(model)
    assert exact(load_tiny("gpt2", weight_processing="compatibility")) is None


@pytest.mark.parametrize("name", ["jamba", "xglm", "phi3-longrope"])
def test_a_model_that_has_no_float64_or_other_rotations_there_has_no_judge(
    name: str, tmp_path: Path
) -> None:
    spec = replace(make_family(tmp_path / "source", name), dtype="float32")
    fetch(spec, tmp_path / "model")
    assert exact(load(tmp_path / "model", spec, threads=1, device="cpu")) is None


def test_a_judge_made_in_the_middle_of_a_decode_has_none_of_its_edits(
    load_tiny: Callable[..., Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the general path, whose hooks stand on the model that the judge is made of."""
    model = replace(load_tiny("gpt2", dtype="float32", seed=2), eos_ids=frozenset())
    monkeypatch.setattr(clampsweep.decoder.decode, "fast_path", lambda *ignored: "as said here")
    monkeypatch.setattr(clampsweep.decoder.choice, "NEAR_TIE", 1e9)  # all choices are its own
    prompts = [model.encode(text) for text in PROMPTS[:2]]
    edits = [[_edit(CLAMPS["set"])], []]

    def texts() -> list[list[int]]:
        rows = decode(model, prompts, edits, Scope("all"), Decoding("greedy", 6))
        return [row.token_ids for row in rows]

    clampsweep.decoder.exact._MADE.pop(model.plain, None)
    first = texts()
    clampsweep.decoder.exact._MADE.pop(model.plain, None)
    assert exact(model) is not None  # where nothing is hooked
    assert texts() == first
