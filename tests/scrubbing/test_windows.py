"""Windows and given patterns, against loops over positions and a model that is patched by hand."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch

from clampsweep.studies.scrubbing.cells import Source
from clampsweep.studies.scrubbing.engine import Engine
from clampsweep.studies.scrubbing.hypotheses import FIXED
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.studies.scrubbing.windows import fixed_pattern, kept
from scrubbing.models import N_HEADS, ROLES, examples, neox, weights

TOKENS = torch.from_numpy(examples())
N = TOKENS.shape[1] - 1
WINDOWS = [(-1, -1), (-3, 0), (-2, -1), (0, 0)]


def engine() -> Engine:
    return Engine(weights(), TOKENS)


def by_loops(source: Source, head: int, reference: int) -> torch.Tensor:
    """What a head of layer 0 writes, query by query and key by key."""
    own, forward = weights().layers[0], engine().forward

    def parts(example: int) -> list[torch.Tensor]:
        normed = forward.normed(own.norm, forward.embed(TOKENS[example, :-1]))
        return [forward.project(0, channel, normed, [head])[0] for channel in "qkv"]

    (q, k, v), (q_, k_, v_) = parts(reference), parts(source.draw)
    rows = []
    for i in range(N):
        scores, values = [], []
        for j in range(i + 1):
            inside = source.keep is not None and source.keep[0] <= j - i <= source.keep[1]
            here = source.keep is not None and source.keep[0] <= 0 <= source.keep[1]
            query, key = {
                "draw": (q_[i], k_[j]),
                "reference": (q[i], k[j]),
                "window": (q[i] if here else q_[i], k[j] if inside else k_[j]),
            }[source.pattern]
            scores.append(float(query @ key) / math.sqrt(len(query)))
            values.append(v[j] if inside else v_[j])
        weight = torch.tensor(scores, dtype=torch.float64).softmax(0)
        rows.append(sum(w * one for w, one in zip(weight, values, strict=True)) @ own.W_O[head])
    return torch.stack(rows)


@pytest.mark.parametrize(
    ("pattern", "keep"),
    [
        *itertools.product(["draw", "reference"], [None, *WINDOWS]),
        *itertools.product(["window"], WINDOWS),
    ],
)
def test_a_part_that_is_drawn_is_what_loops_over_queries_and_keys_give(pattern, keep):
    source = Source(5, pattern, keep)
    found = engine().example(2).component(2, source)
    assert (found - by_loops(source, 1, 2)).abs().max() < 1e-12


def test_a_window_over_all_keys_keeps_the_head_and_an_empty_one_draws_it():
    example = engine().example(2)
    everything = example.component(1, Source(5, "window", (-N, 0)))
    assert (everything - example.component(1, Source(2))).abs().max() < 1e-12
    nothing = example.component(1, Source(5, "window", (-2 * N, -N)))
    assert (nothing - example.component(1, Source(5))).abs().max() < 1e-12


def test_the_embedding_is_of_the_token_itself():
    example = engine().example(2)
    kept_, drawn = (example.component(0, Source(5, "window", w)) for w in [(-3, 0), (-3, -1)])
    assert torch.equal(kept_, weights().W_E[TOKENS[2, :-1]])
    assert torch.equal(drawn, weights().W_E[TOKENS[5, :-1]])


def test_offsets_are_of_the_key_from_the_query():
    assert kept((-1, -1), 3).tolist() == [
        [False, False, False],
        [True, False, False],
        [False, True, False],
    ]
    assert not kept(None, 3).any()


def test_given_patterns_look_where_they_say():
    assert fixed_pattern("previous", 3).tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert fixed_pattern("self", 3).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert fixed_pattern("first", 3).tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]
    assert fixed_pattern("zero", 3).tolist() == [[0, 0, 0]] * 3


def edited_model(head: int, pattern: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """Logits of Hugging Face's model in which a head of layer 0 mixes its values by a pattern."""
    model, caught = neox(), {}
    attention = model.gpt_neox.layers[0].attention

    def catch(module: Any, args: Any, qkv: torch.Tensor) -> None:
        caught["v"] = qkv.view(len(ids), N_HEADS, 3, -1)[:, head, 2]

    def patch(module: Any, args: tuple[torch.Tensor]) -> torch.Tensor:
        z = args[0].clone().view(len(ids), N_HEADS, -1)
        z[:, head] = pattern.double() @ caught["v"]
        return z.view(1, len(ids), -1)

    handles = [
        attention.query_key_value.register_forward_hook(catch),
        attention.dense.register_forward_pre_hook(patch),
    ]
    try:
        with torch.inference_mode():
            return model(ids[None]).logits[0]
    finally:
        for handle in handles:
            handle.remove()


@pytest.mark.parametrize("name", FIXED)
def test_an_edit_is_the_model_with_that_pattern_and_in_draws_too(name):
    whole = {**dict.fromkeys("qkv", "all"), "skip": "all"}
    entries = [
        {"name": "baseline", "edit": {"prev1": name}},
        {"name": "other", "heads": "L1", "groups": [whole], "edit": {"prev1": name}},
    ]
    _, edit, other = experiments(parse({"hypotheses": entries}, "h.yaml").hypotheses, ROLES)
    example, forward = engine().example(2), engine().forward
    pattern = fixed_pattern(name, N)
    found = forward.logits(example.residual(edit, {}))
    assert (found - edited_model(0, pattern, TOKENS[2, :-1])).abs().max() < 1e-10
    drawn = forward.logits(example.residual(other, {1: 5}))
    assert (drawn - edited_model(0, pattern, TOKENS[5, :-1])).abs().max() < 1e-10
    assert (found - edited_model(1, pattern, TOKENS[2, :-1])).abs().max() > 0.1


def test_pth_k_full_keeps_of_the_head_only_the_value_of_the_token_before():
    terms = ["E", "L0-prev1", {"of": "prev1", "keep": [-1, -1]}]
    entry = {"name": "baseline", "heads": "induction1", "groups": [{"k": terms}]}
    experiment = experiments(parse({"hypotheses": [entry]}, "h.yaml").hypotheses, ROLES)[1]
    example, own = engine().example(2), weights()
    # Key of head 1.3 by hand: the embedding and other heads of example 5, a mixed head 0.0.
    parts = [example.component(u, Source(5)) for u in (0, 2, 3, 4)]
    stream = sum(parts) + by_loops(Source(5, "draw", (-1, -1)), 0, 2) + own.layers[0].b_O
    forward = engine().forward
    k = forward.project(1, "k", forward.normed(own.layers[1].norm, stream), [3])
    q = example._channel("q", (Source(2),) * 5, [3])[0]
    found = example.patterns(experiment, {1: 5})[3]
    assert (found - forward.scores(q[None], k)[0].softmax(-1)).abs().max() < 1e-12
