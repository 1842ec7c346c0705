"""Steering, on both paths and in float64, against Hugging Face's model and hooks of its own.

The oracle runs the whole text again for every token, one prompt at a time, without a cache.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.decoder.decode
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.exact import exact
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.steering import Change, Steer, steers_by_layer
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import load
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import covers, draw, noise
from standing import n_hooks
from tiny import (
    D_MODEL,
    N_LAYERS,
    PROMPTS,
    RAGGED_PROMPTS,
    attention_only,
    make_tiny,
    random_model,
)

N_NEW = 6
GREEDY = Decoding("greedy", N_NEW)
SCOPES = ("all", "prompt", "generated", "last", "last_cached", "0,3,8,10")
CPU = torch.device("cpu")
_BLOCKS = {"gpt2": "transformer.h.{}", "llama": "model.layers.{}", "gpt_neox": "gpt_neox.layers.{}"}
_OUTS = {"gpt2": "mlp.c_proj", "llama": "mlp.down_proj", "gpt_neox": "mlp.dense_4h_to_h"}
Row = tuple[str, tuple[Change, ...]]


@pytest.fixture(params=["fast", "general"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both paths; the fast one still leaves what it cannot do."""
    if request.param == "general":
        monkeypatch.setattr(clampsweep.decoder.decode, "fast_path", lambda *ignored: "as said here")
    return str(request.param)


def _vector(number: int) -> np.ndarray:
    return np.random.default_rng([3, number]).normal(size=D_MODEL)


def _rows(layers: Sequence[int]) -> list[Row]:
    """Rows of every kind: unchanged, steered in one layer or several, and beside clamps."""
    first, last = layers[0], layers[-1]
    one, two = _vector(0), _vector(1)
    clamp = edit(Neuron(last, 5), "set", 9.0)
    return [
        (PROMPTS[0], (Steer(first, one, 2.0),)),
        (PROMPTS[0], ()),
        (PROMPTS[0], (Steer(first, one, -2.0),)),
        (PROMPTS[0], (Steer(last, one, 2.0),)),
        (PROMPTS[1], (Steer(last, two, 3.0), Steer(last, one, -1.0))),
        (RAGGED_PROMPTS[0], (Steer(first, two, 1.0), Steer(last, two, 1.0))),
        (RAGGED_PROMPTS[3], (clamp, Steer(first, two, 2.0))),
        (RAGGED_PROMPTS[3], (clamp,)),
        (PROMPTS[2], (edit(Neuron(last, 5, direction=2), "add", 7.0), Steer(last, one, 1.0))),
    ]


def _logits(plain: Any, tokens: Sequence[int], n_prompt: int, row: Row, scope: str) -> torch.Tensor:
    """Logits of the next token [d_vocab], by hooks on modules that are found by their paths."""
    kind = plain.config.model_type
    n = len(tokens)
    covered = torch.tensor([covers(scope, at, n_prompt, n) for at in range(n)])[:, None]  # [pos, 1]

    def after_block(step: Steer, module: Any, args: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        moved = hidden + covered * step.multiple * torch.from_numpy(step.vector).to(hidden)
        return (moved, *output[1:]) if isinstance(output, tuple) else moved

    def at_out(change: Edit, module: Any, args: Any) -> Any:
        changed = args[0].clone()
        new = change.gain * changed[..., change.neuron.index] + change.shift
        at = covered[None, :, 0]
        old = changed[..., change.neuron.index]
        changed[..., change.neuron.index] = torch.where(at, new, old)
        return (changed,)

    def after_out(change: Edit, module: Any, args: Any, output: torch.Tensor) -> torch.Tensor:
        from clampsweep.models.directions import random_direction

        natural = args[0][..., change.neuron.index]
        far = (change.gain * natural + change.shift - natural) * covered[None, :, 0]
        weight = module.weight[change.neuron.index] if kind == "gpt2" else None
        column = module.weight[:, change.neuron.index] if weight is None else weight
        unit = random_direction(change.layer, change.neuron.direction, len(column))
        return output + far[..., None] * column.norm() * torch.from_numpy(unit).to(output)

    with ExitStack() as hooks, torch.inference_mode():
        for change in row[1]:
            block = plain.get_submodule(_BLOCKS[kind].format(change.layer))
            out = block.get_submodule(_OUTS[kind])
            if isinstance(change, Steer):
                hooks.enter_context(block.register_forward_hook(partial(after_block, change)))
            elif change.neuron.direction < 0:
                hooks.enter_context(out.register_forward_pre_hook(partial(at_out, change)))
            else:
                hooks.enter_context(out.register_forward_hook(partial(after_out, change)))
        logits: torch.Tensor = plain(torch.tensor([list(tokens)]), use_cache=False).logits[0, -1]
    return logits


def _alone(
    plain: Any, model: Model, row: Row, scope: str, pick: Callable[[torch.Tensor, int], int]
) -> list[int]:
    prompt, text = model.encode(row[0]), []
    while len(text) < N_NEW and len(prompt) + len(text) < model.n_ctx:
        logits = _logits(plain, [*prompt, *text], len(prompt), row, scope)
        if (token := pick(logits, len(text))) in model.eos_ids:
            break
        text.append(token)
    return text


_KNOWN: dict[Any, list[list[int]]] = {}  # both paths are held against the same runs


def _greedy(logits: torch.Tensor, step: int) -> int:
    return int(logits.argmax())


def _texts(model: Model, rows: Sequence[Row], scope: str, decoding: Decoding = GREEDY, **more: Any):
    prompts = [model.encode(prompt) for prompt, _ in rows]
    changes = [changes for _, changes in rows]
    got = decode(model, prompts, changes, Scope.parse(scope), decoding, **more)
    return [one.token_ids for one in got]


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("layers", [(0, 1), (2,), (0, 2)])
def test_steered_texts_equal_hugging_faces_one_prompt_at_a_time(
    model: Model,
    hugging_face: Callable[[Model], Any],
    path: str,
    layers: tuple[int, ...],
    scope: str,
) -> None:
    rows, plain = _rows(layers), hugging_face(model)
    if (key := (model.folder, layers, scope)) not in _KNOWN:
        _KNOWN[key] = [_alone(plain, model, row, scope, _greedy) for row in rows]
    wanted = _KNOWN[key]
    assert wanted[0] != wanted[1] or scope != "all", "steering changes the text"
    assert _texts(model, rows, scope) == wanted
    assert n_hooks(model.plain) == 0


def test_a_model_without_an_mlp_is_steered_too(tmp_path: Path) -> None:
    spec = make_tiny(tmp_path / "source", "neox", model=attention_only(), d_mlp=0)
    fetch(spec, tmp_path / "model")
    bare = load(tmp_path / "model", spec, threads=1, device="cpu", neurons=False)
    plain = attention_only().double().eval()
    vector = 3 * _vector(0)
    rows: list[Row] = [(PROMPTS[0], ()), (PROMPTS[0], (Steer(0, vector, 1.0),)),
                       (PROMPTS[1], (Steer(N_LAYERS - 1, vector, -1.0),))]  # fmt: skip
    wanted = [_alone(plain, bare, row, "all", _greedy) for row in rows]
    assert wanted[0] != wanted[1]
    assert _texts(bare, rows, "all", capture_layers=range(N_LAYERS)) == wanted


def test_rows_that_are_steered_in_the_last_layer_take_the_fast_path(model: Model) -> None:
    rows = _rows((N_LAYERS - 1,))
    assert isinstance(fast_path(model, [changes for _, changes in rows], Scope("last")), Engine)
    below = fast_path(model, [[Steer(0, _vector(0), 1.0)]], Scope("last"))
    assert isinstance(below, str)


def test_sampled_texts_share_their_draws_with_the_baseline(
    gpt2: Model, hugging_face: Callable[[Model], Any], path: str
) -> None:
    decoding = Decoding("sample", N_NEW, temperature=1.5, top_k=20)
    rows, plain = _rows((1, 2)), hugging_face(gpt2)
    streams = [(4, at % 3) for at in range(len(rows))]
    for row, stream, got in zip(
        rows, streams, _texts(gpt2, rows, "all", decoding, streams=streams), strict=True
    ):

        def pick(logits: torch.Tensor, step: int, stream: tuple[int, ...] = stream) -> int:
            return draw(logits, noise(stream, step, len(logits)), decoding)

        assert got == _alone(plain, gpt2, row, "all", pick)


@pytest.mark.parametrize("scope", SCOPES)
def test_the_float64_judge_steers_alike(
    model: Model, hugging_face: Callable[[Model], Any], scope: str
) -> None:
    judge, plain = exact(model), hugging_face(model)
    assert judge is not None
    for row in _rows((0, 2)):
        tokens = [*model.encode(row[0]), 40, 41]
        got = judge.logits(tokens, len(tokens) - 2, row[1], Scope.parse(scope))
        wanted = _logits(plain, tokens, len(tokens) - 2, row, scope)
        torch.testing.assert_close(got, wanted.double(), rtol=1e-9, atol=1e-9)


def test_the_likelihood_of_a_steered_text_is_that_of_the_unsteered_model(
    gpt2: Model, hugging_face: Callable[[Model], Any], path: str
) -> None:
    plain = hugging_face(gpt2)
    for layer in (0, N_LAYERS - 1):
        rows: list[Row] = [(PROMPTS[0], (Steer(layer, _vector(0), 2.0),))]
        prompt = gpt2.encode(PROMPTS[0])
        (got,) = decode(gpt2, [prompt], [rows[0][1]], Scope("all"), GREEDY, with_nll=True)
        nats = []
        for at, token in enumerate(got.token_ids):
            said = [*prompt, *got.token_ids[:at]]
            logits = _logits(plain, said, len(prompt), (PROMPTS[0], ()), "all")
            nats.append(-float(logits.log_softmax(-1)[token]))
        assert got.nll_unclamped == pytest.approx(np.mean(nats), rel=1e-6)


def test_a_direction_written_into_a_model_is_found_by_the_dose(tmp_path: Path, path: str) -> None:
    """A token is said along a direction that its unembedding has, and along no random one."""
    token, planted = 45, _vector(7) / np.linalg.norm(_vector(7))
    weights = random_model("llama", 0)
    with torch.no_grad():
        weights.lm_head.weight[token] += 8 * torch.from_numpy(planted).to(weights.lm_head.weight)
    spec = make_tiny(tmp_path / "source", "llama", model=weights)
    fetch(spec, tmp_path / "model")
    model = load(tmp_path / "model", spec, threads=1, device="cpu")

    def shares(vector: np.ndarray) -> list[float]:
        doses = (-64.0, 0.0, 2.0, 8.0, 64.0)
        rows: list[Row] = [
            (prompt, (Steer(1, vector, dose),)) for dose in doses for prompt in PROMPTS
        ]
        found = [text.count(token) / N_NEW for text in _texts(model, rows, "all")]
        means: list[float] = np.reshape(found, (len(doses), len(PROMPTS))).mean(1).tolist()
        return means

    curve = shares(planted)
    assert curve == sorted(curve)
    assert curve[0] == 0
    assert curve[-1] > 0.9
    for number in range(20, 25):
        assert max(shares(_vector(number) / np.linalg.norm(_vector(number)))) < 0.4


def test_equal_directions_are_held_once() -> None:
    one, two = _vector(0), _vector(1)
    rows: list[list[Change]] = [
        [Steer(1, one, 1.0), Steer(0, two, 2.0)],
        [],
        [Steer(1, one.copy(), -3.0), edit(Neuron(1, 2), "zero")],
        [Steer(1, two, 0.5)],
    ]
    found = steers_by_layer(rows, CPU, torch.float64)
    assert list(found) == [0, 1]
    assert found[1].row.tolist() == [0, 2, 3]
    assert found[1].multiple.tolist() == [1.0, -3.0, 0.5]
    np.testing.assert_array_equal(found[1].vectors[found[1].number], [one, one, two])
    assert len(found[1].vectors) == 2


def test_rows_that_leave_take_their_steering_with_them() -> None:
    rows = [[Steer(0, _vector(at), 1.0 + at)] for at in range(4)]
    found = steers_by_layer(rows, CPU, torch.float64)[0].select(torch.tensor([3, 1]), 4)
    residual = torch.zeros(2, 3, D_MODEL, dtype=torch.float64)
    covered = torch.tensor([True, False, True])
    moved = found.add_to(residual, covered)
    assert not residual.any()
    np.testing.assert_array_equal(moved[0, 0], 4 * _vector(3))
    np.testing.assert_array_equal(moved[1, 2], 2 * _vector(1))
    assert not moved[:, 1].any()
