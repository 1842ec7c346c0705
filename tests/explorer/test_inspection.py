"""The close look at one prompt, held against the plain decoder and Hugging Face's own model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from clampsweep.decoder.interventions import Edit, Scope, edit
from clampsweep.explorer import inspection
from clampsweep.explorer.inspection import Seen, Stopped
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from reference import Clamp, decode_alone
from standing import n_hooks
from tiny import PROMPTS

N = 9
GREEDY = Decoding("greedy", N)
CLAMPS = (Clamp(Neuron(0, 5), "add", 3.0), Clamp(Neuron(2, 7), "set", -4.0))
SCOPES = ("all", "prompt", "generated", "last", "last_cached", "0,3")


def edits_of(clamps: Sequence[Clamp]) -> list[Edit]:
    return [edit(one.neuron, one.operation, one.value) for one in clamps]


def watched(model: Model, scope: str = "all", **more: Any) -> list[Seen]:
    rows = [[], edits_of(CLAMPS)]
    prompt = model.encode(PROMPTS[1])
    return inspection.watch(model, prompt, rows, Scope.parse(scope), GREEDY, **more)


@pytest.mark.parametrize("scope", SCOPES)
def test_texts_are_those_of_the_plain_decoder(model: Model, scope: str) -> None:
    seen = watched(model, scope)
    for row, clamps in zip(seen, ((), CLAMPS), strict=True):
        alone = decode_alone(model, model.encode(PROMPTS[1]), clamps, scope, N)
        assert (row.token_ids, row.stop_reason) == (alone.token_ids, alone.stop_reason)


def test_probabilities_of_the_baseline_are_hugging_face_s(
    model: Model, hugging_face: Callable[[Model], Any]
) -> None:
    row, _ = watched(model)
    prompt = model.encode(PROMPTS[1])
    ids = torch.tensor([[*prompt, *(step.token for step in row.steps)]])
    with torch.inference_mode():
        chances = hugging_face(model)(ids).logits[0].double().softmax(-1)
    for at, step in enumerate(row.steps, len(prompt) - 1):
        assert step.probability == pytest.approx(float(chances[at, step.token]), rel=1e-5)
        best = chances[at].sort(descending=True)
        assert [token for token, _ in step.rivals] == best.indices[:5].tolist()
        assert [chance for _, chance in step.rivals] == pytest.approx(
            best.values[:5].tolist(), rel=1e-5
        )


@pytest.mark.parametrize("scope", SCOPES)
def test_natural_values_are_those_before_the_change(model: Model, scope: str) -> None:
    # decode_alone notes a generated position's activations before its hook changes them.
    _, row = watched(model, scope)
    prompt = model.encode(PROMPTS[1])
    alone = decode_alone(model, prompt, CLAMPS, scope, N)
    for clamp in CLAMPS:
        before = [float(step[clamp.neuron.index]) for step in alone.before[clamp.neuron.layer]]
        assert len(before) == len(row.token_ids)
        assert row.natural[clamp.neuron][len(prompt) :] == pytest.approx(before, rel=1e-4)


def test_every_position_of_a_whole_text_has_a_natural_value(model: Model) -> None:
    prompt = model.encode(PROMPTS[1])
    for row in watched(model):
        assert set(row.natural) == {clamp.neuron for clamp in CLAMPS}
        for values in row.natural.values():
            assert len(values) == len(prompt) + len(row.token_ids)


def test_an_end_of_text_is_a_step_but_no_text(model: Model) -> None:
    for prompt in PROMPTS:
        ids = model.encode(prompt)
        (row,) = inspection.watch(model, ids, [[]], Scope("all"), Decoding("greedy", 40))
        ends = row.stop_reason == "eos"
        assert len(row.steps) == len(row.token_ids) + ends
        assert (row.steps[-1].token in model.eos_ids) == ends


def test_what_is_told_grows_by_a_token_a_step(gpt2: Model) -> None:
    lengths: list[int] = []
    watched(gpt2, on_step=lambda seen: lengths.append(max(one.n_new for one in seen)))
    assert lengths == sorted(lengths)
    assert lengths[0] <= 1
    assert len(lengths) >= lengths[-1]


def test_a_stop_keeps_what_is_there_and_leaves_no_hook(gpt2: Model) -> None:
    def stop(seen: Sequence[Seen]) -> None:
        if seen[0].n_new == 3:
            raise Stopped

    before = n_hooks(gpt2.plain)
    whole = watched(gpt2)
    partial = watched(gpt2, on_step=stop)
    assert n_hooks(gpt2.plain) == before
    for row, full in zip(partial, whole, strict=True):
        assert row.token_ids == full.token_ids[: len(row.token_ids)]
        assert row.stop_reason == "stopped"
    assert len(partial[0].token_ids) == 3


def test_without_a_clamp_nothing_is_watched(gpt2: Model) -> None:
    (row,) = inspection.watch(gpt2, gpt2.encode(PROMPTS[0]), [[]], Scope("all"), GREEDY)
    assert row.natural == {}
    assert len(row.steps) >= 1


def test_a_text_that_had_ended_before_a_stop_ended_by_itself(gpt2: Model) -> None:
    scope, limit = Scope("all"), 40
    for prompt in map(gpt2.encode, PROMPTS):
        (alone,) = inspection.watch(gpt2, prompt, [[]], scope, Decoding("greedy", limit))
        if alone.stop_reason == "eos" and alone.n_new < limit - 2:
            break
    else:
        pytest.fail("no prompt's text ends early")

    def stop(seen: Sequence[Seen]) -> None:
        if seen[1].n_new > alone.n_new + 1:
            raise Stopped

    for neuron in range(40):
        rows = [[], [edit(Neuron(2, neuron), "set", 9.0)]]
        decoding = Decoding("greedy", limit)
        ended, cut = inspection.watch(gpt2, prompt, rows, scope, decoding, on_step=stop)
        if cut.stop_reason == "stopped":
            assert (ended.stop_reason, ended.token_ids) == ("eos", alone.token_ids)
            assert len(ended.steps) == ended.n_new + 1
            assert cut.n_new == alone.n_new + 2
            return
    pytest.fail("no clamp makes a longer text")
