"""What the fast path shares, its directions, its check against the bridge, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.decoder.nodes
from clampsweep.decoder.attention import UnsupportedError
from clampsweep.decoder.decode import decode, fast_path
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.decoder.rows import Decoded
from clampsweep.decoder.trajectories import check
from clampsweep.models.fetching import fetch
from clampsweep.models.loading import Model, load
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, decode_alone, nodes
from tiny import ARCHITECTURES, D_MLP, N_LAYERS, PROMPTS, RAGGED_PROMPTS, make_tiny

N_NEW = 8
GREEDY = Decoding("greedy", N_NEW)
VALUES = (None, 0.0, 0.001, 0.002, 2.0, 6.0, 15.0, -20.0)


def _engine(model: Model) -> Engine:
    engine = fast_path(model, [[]], Scope("all"))
    assert isinstance(engine, Engine)
    return engine


def _sweep(model: Model, layer: int) -> tuple[list[list[int]], list[list[Edit]]]:
    """Prompts and edits: every value for each of three prompts, in no order."""
    texts = (PROMPTS[0], RAGGED_PROMPTS[0], RAGGED_PROMPTS[3])
    rows = [(text, value) for value in VALUES for text in texts]
    edits = [[] if value is None else [edit(Neuron(layer, 4), "set", value)] for _, value in rows]
    return [model.encode(text) for text, _ in rows], edits


@contextmanager
def _counted(engine: Engine) -> Iterator[list[dict[int, int]]]:
    """Tokens that each layer runs in each forward pass."""
    passes: list[dict[int, int]] = []

    def count(layer: int) -> Callable[..., None]:
        def at_block(module: Any, args: Any, output: Any) -> None:
            hidden = output[0] if isinstance(output, tuple) else output
            if layer == 0:
                passes.append({})
            passes[-1][layer] = hidden.shape[1]

        return at_block

    handles = [
        block.register_forward_hook(count(layer), prepend=True)
        for layer, block in enumerate(engine.blocks)
    ]
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


def _texts(found: list[Decoded]) -> list[list[int]]:
    return [one.token_ids for one in found]


@pytest.mark.parametrize("layer", range(N_LAYERS))
@pytest.mark.parametrize("scope", ["all", "prompt", "generated", "last_cached"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layers_run_distinct_texts_up_to_the_clamp_and_every_row_above(
    load_tiny: Callable[..., Model], architecture: str, scope: str, layer: int
) -> None:
    model = load_tiny(architecture)
    prompts, edits = _sweep(model, layer)
    with _counted(_engine(model)) as passes:
        texts = _texts(decode(model, prompts, edits, Scope(scope), GREEDY))
    shared = sum(len(prompt) for prompt in set(map(tuple, prompts)))
    above = shared if scope == "generated" else sum(map(len, prompts))
    wanted = [(shared, above)]
    for n in range(1, min(N_NEW, max(map(len, texts)) + 1)):
        going = [len(text) >= n for text in texts]
        wanted.append((len(nodes(prompts, texts, n)), sum(going)))
    wanted = [pair for pair in wanted if pair[1]]
    assert [
        {at: below if at <= layer else over for at in range(N_LAYERS)} for below, over in wanted
    ] == passes
    assert any(below < over for below, over in wanted[1:]), "some texts agree at first"
    assert any(below > 3 for below, _ in wanted[1:]), "and not all do"


@pytest.mark.parametrize("capture", [(), (0,), (0, 2)])
def test_the_last_pass_is_only_for_means_and_stops_at_the_highest_layer_wanted(
    gpt2: Model, capture: tuple[int, ...]
) -> None:
    free = replace(gpt2, eos_ids=frozenset())
    prompts, edits = _sweep(free, 1)
    with _counted(_engine(free)) as passes:
        decode(free, prompts, edits, Scope("all"), GREEDY, capture_layers=capture)
    assert [sorted(one) for one in passes[:N_NEW]] == [[0, 1, 2]] * N_NEW
    assert len(passes) == N_NEW + (1 if max(capture, default=0) else 0)
    if len(passes) > N_NEW:
        assert sorted(passes[-1]) == list(range(max(capture)))


@pytest.mark.parametrize("limit", [1, 12, 30, 100])
@pytest.mark.parametrize("layer", [0, 2])
def test_prompts_run_in_passes_of_limited_size_and_give_the_same_texts(
    gpt2: Model, monkeypatch: pytest.MonkeyPatch, limit: int, layer: int
) -> None:
    prompts, edits = _sweep(gpt2, layer)
    at_once = decode(gpt2, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    monkeypatch.setattr(clampsweep.decoder.nodes, "_TOKENS", limit)
    with _counted(_engine(gpt2)) as passes:
        got = decode(gpt2, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    assert _texts(got) == _texts(at_once)
    for one, other in zip(got, at_once, strict=True):
        assert one.min_margin == pytest.approx(other.min_margin, rel=1e-9)
        np.testing.assert_allclose(one.vectors[1], other.vectors[1], rtol=1e-5)
    distinct = list(dict.fromkeys(map(tuple, prompts)))
    rows = len(VALUES) if layer == 0 else 1
    costs = [len(prompt) * rows for prompt in distinct]
    first = [sum(len(prompt) for prompt in part) for part in _parts(distinct, costs, limit)]
    assert [one[0] for one in passes[: len(first)]] == first


def _parts(prompts: list[Any], costs: list[int], limit: int) -> list[list[Any]]:
    """Prompts one after the other, as many together as cost no more than the limit."""
    parts: list[list[Any]] = []
    total = limit + 1
    for prompt, cost in zip(prompts, costs, strict=True):
        if total + cost > limit:
            parts.append([])
            total = 0
        parts[-1].append(prompt)
        total += cost
    return parts


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_directions_are_the_columns_of_w_out(
    load_tiny: Callable[..., Model], architecture: str, dtype: str
) -> None:
    model = load_tiny(architecture, dtype=dtype)
    neurons = torch.tensor([0, 7, D_MLP - 1, 7])
    for layer in range(N_LAYERS):
        got = model.output_directions(layer, neurons)
        w_out = model.bridge.blocks[layer].mlp.W_out
        assert w_out.shape[0] == D_MLP
        torch.testing.assert_close(got, w_out[neurons].detach(), rtol=1e-5, atol=1e-6)


# The check against the bridge


def _fresh(folder: Path, architecture: str, dtype: str = "float64") -> Model:
    """A model of this test alone, whose weights it may change."""
    spec = make_tiny(folder / "source", architecture, dtype=dtype)
    fetch(spec, folder / "model")
    return load(folder / "model", spec, threads=1, device="cpu")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_check_passes_for_a_model_that_fits(
    load_tiny: Callable[..., Model], architecture: str, dtype: str
) -> None:
    check(_engine(load_tiny(architecture, dtype=dtype)))


_CHANGED = {
    "first mlp": "transformer.h.0.mlp.c_proj.weight",
    "last mlp": "transformer.h.2.mlp.c_proj.weight",
    "attention": "transformer.h.1.attn.c_attn.weight",
    "norm": "transformer.ln_f.weight",
    "positions": "transformer.wpe.weight",
    "unembedding": "lm_head.weight",
}


@pytest.mark.parametrize("part", _CHANGED)
def test_a_plain_model_of_other_weights_is_found_out_and_not_used(
    tmp_path: Path, part: str
) -> None:
    model = _fresh(tmp_path, "gpt2")
    parameter = dict(model.plain.named_parameters())[_CHANGED[part]]
    parameter.data = parameter.data * 1.2  # memory of its own: the bridge's stays
    with pytest.raises(UnsupportedError, match="off by"):
        check(Engine(model))
    clamp = Clamp(Neuron(1, 4), "set", 9.0)
    prompts = [model.encode(text) for text in (PROMPTS[0], RAGGED_PROMPTS[0])]
    change = [edit(clamp.neuron, "set", 9.0)]
    assert "off by" in str(fast_path(model, [change], Scope("all")))
    got = decode(model, prompts, [change, []], Scope("all"), GREEDY)
    wanted = [
        decode_alone(model, prompt, clamps, "all", N_NEW)
        for prompt, clamps in zip(prompts, ([clamp], []), strict=True)
    ]
    assert _texts(got) == [one.token_ids for one in wanted]


# What remains


def _hooks(module: Any) -> int:
    return sum(
        len(one._forward_hooks) + len(one._forward_pre_hooks) + len(one._backward_hooks)
        for one in module.modules()
    )


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_no_hook_remains_after_decode_or_an_exception_midway(model: Model, layer: int) -> None:
    engine = _engine(model)
    prompts, edits = _sweep(model, layer)
    wanted = decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    assert (_hooks(model.plain), _hooks(engine.plain)) == (0, 0)
    told: list[int] = []

    def stop(n: int) -> None:
        told.append(n)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1], on_tokens=stop)
    assert len(told) == 3
    assert (_hooks(model.plain), _hooks(engine.plain)) == (0, 0)
    assert torch.is_grad_enabled()
    again = decode(model, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    assert _texts(again) == _texts(wanted)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_plain_model_still_computes_what_it_did(
    load_tiny: Callable[..., Model], dtype: str
) -> None:
    """The engine packs and hooks modules of its own."""
    model = load_tiny("gpt2", seed=5, dtype=dtype)
    tokens = torch.tensor([model.encode(PROMPTS[0])])
    with torch.inference_mode():
        before = model.plain(tokens).logits
        prompts, edits = _sweep(model, 0)
        decode(model, prompts, edits, Scope("all"), GREEDY)
        assert isinstance(fast_path(model, edits, Scope("all")), Engine)
        assert torch.equal(model.plain(tokens).logits, before)
