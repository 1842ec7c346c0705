"""What nodes share: how many tokens each layer runs, and the same texts whatever runs together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import clampsweep.decoder.nodes
from clampsweep.decoder.decode import decode
from clampsweep.decoder.engine import Engine
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.nodes import Nodes
from clampsweep.decoder.rows import Decoded, DecodeJob, RowTexts
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from decoder_calls import GREEDY, N_NEW, VALUES, engine_of, every_value
from reference import Clamp, logits_alone, nodes
from tiny import ARCHITECTURES, N_LAYERS


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
    prompts, edits = every_value(model, layer)
    with _counted(engine_of(model)) as passes:
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
    prompts, edits = every_value(free, 1)
    with _counted(engine_of(free)) as passes:
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
    prompts, edits = every_value(gpt2, layer)
    at_once = decode(gpt2, prompts, edits, Scope("all"), GREEDY, capture_layers=[1])
    monkeypatch.setattr(clampsweep.decoder.nodes, "_TOKENS", limit)
    with _counted(engine_of(gpt2)) as passes:
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


@pytest.mark.parametrize("layer", range(N_LAYERS))
def test_rows_are_in_one_node_exactly_while_prompt_and_tokens_agree(
    gpt2: Model, layer: int
) -> None:
    """Tokens of few kinds, drawn at random, and rows that end at random."""
    prompts = [[1, 2, 3]] * 5 + [[3, 2]] * 4 + [[7, 7, 7, 7]] * 3
    edits = [[edit(Neuron(layer, row), "set", 5.0)] for row in range(len(prompts))]
    job = DecodeJob(prompts, edits, Scope("generated"), GREEDY)
    state = Nodes(engine_of(gpt2), job, RowTexts(gpt2, job))
    texts: list[list[int]] = [[] for _ in prompts]
    rng = np.random.default_rng(layer)
    with torch.inference_mode():
        state.prefill()
        for _ in range(5):
            n = len(state.rows)
            kept = sorted(rng.permutation(n)[: n - int(rng.integers(0, 2))].tolist())
            picked = rng.integers(10, 12, n)
            going = [int(state.rows[at]) for at in kept]
            for at, row in zip(kept, going, strict=True):
                texts[row].append(int(picked[at]))
            state.advance(kept, picked)
            state.step()
            assert sorted(state.rows.tolist()) == sorted(going)
            pairs = zip(state.rows.tolist(), state.node.tolist(), strict=True)
            whole = {(node, (*prompts[row], -1, *texts[row])) for row, node in pairs}
            assert (
                len(whole) == len({node for node, _ in whole}) == len({text for _, text in whole})
            )
            assert all(int(state.node_token[node]) == text[-1] for node, text in whole)
            assert len(state.node_token) == len(whole)


@pytest.mark.parametrize("layer", range(N_LAYERS))
@pytest.mark.parametrize("scope", ["all", "generated"])
def test_heads_give_each_row_the_logits_of_its_text_alone(
    model: Model, hugging_face: Callable[[Model], Any], layer: int, scope: str
) -> None:
    engine = engine_of(model)
    prompts = [[40, 41, 42], [40, 41, 42], [50, 51, 52, 53, 54]]
    clamps = [Clamp(Neuron(layer, row), "set", 9.0 - row) for row in range(3)]
    edits = [[edit(clamp.neuron, "set", clamp.value)] for clamp in clamps]
    job = DecodeJob(prompts, edits, Scope(scope), GREEDY)
    state = Nodes(engine, job, RowTexts(model, job))
    with torch.inference_mode():
        passes = [(state.prefill(), state.rows.tolist(), [[], [], []])]
        state.advance([0, 1, 2], np.array([60, 61, 60]))
        passes.append((state.step(), state.rows.tolist(), [[60], [61], [60]]))
        for heads, rows, texts in passes:
            got = torch.cat([logits for _, logits in engine.unembedding.logits(heads)])
            for at, row in enumerate(rows):
                tokens = [*prompts[row], *texts[row]]
                wanted = logits_alone(
                    hugging_face(model), tokens, len(prompts[row]), [clamps[row]], scope
                )
                torch.testing.assert_close(got[at], wanted, rtol=1e-5, atol=1e-5)
