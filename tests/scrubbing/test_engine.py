"""The exactness tests: the engine against the model itself, hooks, and its own other ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.errors import UserError
from clampsweep.studies.scrubbing.cells import Experiment, Source
from clampsweep.studies.scrubbing.engine import Engine, Example
from clampsweep.studies.scrubbing.reading import parse
from clampsweep.studies.scrubbing.variants import experiments
from clampsweep.studies.scrubbing.weights import Weights
from scrubbing import bridge_route
from scrubbing.models import N_HEADS, ROLES, examples, neox, save, weights

TOKENS = torch.from_numpy(examples())
WHOLE = {"q": "all", "k": "all", "v": "all"}
LISTED: dict[str, dict[str, Any]] = {
    "baseline": {"groups": [WHOLE]},
    "everything": {"heads": "L1", "groups": [{**WHOLE, "skip": "all"}]},
    "all": {"groups": [{"q": "L0", "k": ["E", "L0-prev1"], "v": "L0"}], "decoherent": True},
    "split": {"groups": [{"q": "L0"}, {"k": ["E", "L0-prev1"]}, {"v": "L0"}]},
    "skip": {"heads": "L1", "groups": [{"q": "E"}, {"skip": ["0.1", "0.3"]}]},
}
ENTRIES = [{"name": name, "heads": "induction", **one} for name, one in LISTED.items()]
BY_NAME = {
    one.name: one for one in experiments(parse({"hypotheses": ENTRIES}, "h.yaml").hypotheses, ROLES)
}


@pytest.fixture(params=[torch.float64, torch.float32], ids=["float64", "float32"])
def dtype(request):
    return request.param


def engine(dtype: torch.dtype = torch.float64, tokens: torch.Tensor = TOKENS) -> Engine:
    return Engine(weights(dtype), tokens)


def draws(name: str, other: int) -> dict[int, int]:
    """Every draw of an experiment from the same example."""
    return dict.fromkeys(BY_NAME[name].draws, other)


def logits(example: Example, experiment: Experiment, drawn: Mapping[int, int]) -> torch.Tensor:
    return example.engine.forward.logits(example.residual(experiment, drawn))


def model_nll(dtype: torch.dtype, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        found = neox(dtype)(ids[None, :-1]).logits[0].log_softmax(-1)
    return -found[torch.arange(len(labels)), labels]


def test_components_sum_to_what_layer_0_leaves(dtype):
    with torch.inference_mode():
        body = neox(dtype).gpt_neox(TOKENS[3:4, :-1], output_hidden_states=True)
    example = engine(dtype).example(3)
    total = sum(example.component(u, Source(3)) for u in range(1 + N_HEADS))
    total = total + weights(dtype).layers[0].b_O
    off = (total - body.hidden_states[1][0]).abs().max()
    assert off < {torch.float64: 1e-12, torch.float32: 1e-5}[dtype]


@pytest.mark.parametrize("name", BY_NAME)
def test_draws_that_are_equal_to_the_example_change_nothing(name, dtype):
    # Example 12 has the tokens of example 0, so that all is drawn and computed anew.
    tokens = torch.cat([TOKENS, TOKENS[:1]])
    found = logits(engine(dtype, tokens).example(0), BY_NAME[name], draws(name, 12))
    with torch.inference_mode():
        expected = neox(dtype)(TOKENS[:1, :-1]).logits[0]
    assert (found - expected).abs().max() < {torch.float64: 1e-10, torch.float32: 5e-5}[dtype]
    same = logits(engine(dtype, tokens).example(0), BY_NAME[name], draws(name, 0))
    assert (same - expected).abs().max() < {torch.float64: 1e-10, torch.float32: 5e-5}[dtype]


def test_all_cells_and_the_skip_path_drawn_are_the_model_on_the_other_input(dtype):
    found = engine(dtype).example(2).nll(BY_NAME["everything"], draws("everything", 7))
    expected = model_nll(dtype, TOKENS[7], TOKENS[2, 1:])
    assert (found - expected).abs().max() < {torch.float64: 1e-10, torch.float32: 5e-5}[dtype]
    assert (found - model_nll(dtype, TOKENS[2], TOKENS[2, 1:])).abs().max() > 0.1


def test_the_baseline_is_the_heads_outputs_taken_from_the_other_input(dtype):
    # Hugging Face's own model, its input to the last projection patched by hand.
    model, at = neox(dtype), torch.tensor(ROLES.heads["induction"])
    dense, caught = model.gpt_neox.layers[1].attention.dense, []

    def patch(module: Any, args: tuple[torch.Tensor]) -> torch.Tensor:
        z = args[0].clone().view(*args[0].shape[:2], N_HEADS, -1)
        if caught:
            z[:, :, at] = caught[0][:, :, at]
        else:
            caught.append(z)
        return z.flatten(2)

    handle = dense.register_forward_pre_hook(patch)
    try:
        for ids in (TOKENS[7:8, :-1], TOKENS[2:3, :-1]):
            with torch.inference_mode():
                expected = model(ids).logits[0]
    finally:
        handle.remove()
    found = logits(engine(dtype).example(2), BY_NAME["baseline"], draws("baseline", 7))
    assert (found - expected).abs().max() < 5e-5


@pytest.mark.parametrize("name", BY_NAME)
def test_later_tokens_change_no_earlier_loss(name):
    changed = TOKENS.clone()
    changed[:, 15:] = TOKENS[:, 15:].flip(0)
    before, after = (
        engine(tokens=tokens).example(2).nll(BY_NAME[name], draws(name, 7))
        for tokens in (TOKENS, changed)
    )
    assert torch.equal(before[:14], after[:14])  # loss t is of token t + 1
    assert not torch.equal(before, after)


def test_the_bridges_hooks_give_the_same(tmp_path):
    bridge = bridge_route.boot_split(save(tmp_path / "model"))
    own, rows = engine(torch.float32), range(3)
    for name, experiment in BY_NAME.items():
        others = {d: [(d + 1 + row) % 12 for row in rows] for d in experiment.draws}
        with torch.inference_mode():
            expected = bridge_route.nll(
                bridge, TOKENS[:3], experiment, {d: TOKENS[at] for d, at in others.items()}
            )
            found = torch.stack(
                [
                    own.example(row).nll(experiment, {d: at[row] for d, at in others.items()})
                    for row in rows
                ]
            )
        assert (found - expected).abs().max() < 5e-5, name


def test_a_group_split_into_equal_draws_changes_nothing_and_into_others_does():
    example = engine().example(2)
    coherent = example.nll(BY_NAME["all"], draws("all", 7))
    for name in ("split", "all-decoherent"):
        assert torch.equal(engine().example(2).nll(BY_NAME[name], draws(name, 7)), coherent)
    apart = example.nll(BY_NAME["split"], {1: 7, 2: 8, 3: 9})
    assert (apart - coherent).abs().max() > 0.1


def test_what_was_run_before_changes_no_bit():
    fresh = {
        name: engine(torch.float32).example(2).nll(one, draws(name, 7))
        for name, one in BY_NAME.items()
    }
    example = engine(torch.float32).example(2)
    for name, one in reversed(BY_NAME.items()):
        assert torch.equal(example.nll(one, draws(name, 7)), fresh[name])
    example.forget()
    for name, one in BY_NAME.items():
        assert torch.equal(example.nll(one, draws(name, 7)), fresh[name])


def test_forgetting_lets_go_of_all_draws_and_keeps_the_reference():
    example = engine().example(2)
    example.nll(BY_NAME["unscrubbed"], {})
    reference = set(example._known)
    for other in range(3, 9):
        example.nll(BY_NAME["all"], draws("all", other))
    assert len(example._known) > len(reference)
    example.forget()
    assert set(example._known) == reference


@pytest.mark.parametrize("name", ["unscrubbed", "all", "split"])
def test_patterns_are_those_that_the_heads_mix_by(name):
    example, drawn = engine().example(2), dict(zip(BY_NAME[name].draws, (7, 8, 9), strict=False))
    found = example.patterns(BY_NAME[name], drawn)
    raw = example.patterns(BY_NAME[name], drawn, raw=True)
    assert torch.allclose(raw.softmax(-1), found)
    assert (found.triu(1) == 0).all() and torch.allclose(found.sum(-1), torch.ones(()).double())
    inputs, _ = example._resolved(BY_NAME[name], drawn)
    for head, (mixed, one) in enumerate(zip(example._heads(inputs), inputs, strict=True)):
        values = example._channel("v", one[2], [head])[0]
        assert torch.allclose(found[head] @ values, mixed, atol=1e-12)


def model_of(n_layers: int) -> Weights:
    from dataclasses import replace

    whole = weights()
    return replace(whole, layers=whole.layers[:1] * n_layers)


@pytest.mark.parametrize(
    ("make", "tokens", "message"),
    [
        (lambda: model_of(3), TOKENS, "the model has 3 layer.s., and scrubbing is of models"),
        (weights, TOKENS + 1, "examples hold token 48, and the model has 48 tokens"),
        (weights, TOKENS.repeat(1, 2), "examples of 49 tokens are longer than"),
    ],
)  # fmt: skip
def test_examples_that_do_not_fit_the_model_are_one_line(make, tokens, message):
    tokens = tokens.clone()
    tokens[0, 3] = 47 if int(tokens.max()) < 48 else 48
    with pytest.raises(UserError, match=message):
        Engine(make(), tokens)


def test_scrubbing_moves_losses_at_all():
    losses = np.array(
        [engine().example(2).nll(one, draws(name, 7)).mean() for name, one in BY_NAME.items()]
    )
    assert len(np.unique(losses.round(6))) >= 5
