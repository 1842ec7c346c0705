"""Rows that are changed alike: which they are, and that their prompt runs once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from clampsweep.decoder.decode import decode
from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.key_values import KeyValues, PromptTokens
from clampsweep.decoder.steering import Change, Steer
from clampsweep.decoder.variants import Variants
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from tiny import D_MODEL, N_LAYERS

PROMPT, OTHER = [5, 9, 30, 12, 40, 7], [8, 8, 21]


def _edit(value: float) -> Change:
    return edit(Neuron(0, 3), "set", value)


def test_variants_are_numbered_prompt_by_prompt_each_with_its_first_row() -> None:
    edits: list[list[Change]] = [
        [_edit(1.0)], [_edit(2.0)], [_edit(1.0)], [], [_edit(1.0)], [_edit(1.0), _edit(2.0)],
    ]  # fmt: skip
    found = Variants.of([0, 0, 0, 1, 1, 1], edits, torch.device("cpu"))
    assert found.of_row.tolist() == [0, 1, 0, 2, 3, 4]
    assert found.row.tolist() == [0, 1, 3, 4, 5]


def test_steering_is_alike_where_layer_direction_and_multiple_are() -> None:
    vector = np.arange(D_MODEL, dtype=float)
    own = [Steer(1, vector, 2.0), Steer(1, vector.copy(), 2.0)]
    others = [Steer(1, vector, 3.0), Steer(0, vector, 2.0), Steer(1, vector + 1, 2.0)]
    rows: list[list[Change]] = [[one] for one in [*own, *others]]
    assert Variants.of([0] * 5, rows, torch.device("cpu")).of_row.tolist() == [0, 0, 1, 2, 3]


@pytest.mark.parametrize("steered", [False, True])
def test_seeds_of_one_intervention_run_their_prompt_once_above_the_split(
    llama: Model, monkeypatch: pytest.MonkeyPatch, steered: bool
) -> None:
    """And each gives what it gives alone."""
    vector = np.random.default_rng(0).normal(size=D_MODEL)
    own: list[Change] = [Steer(0, vector, 1.5)] if steered else [_edit(4.0)]
    prompts = [PROMPT] * 5 + [OTHER] * 2
    edits: list[list[Change]] = [own, own, own, [], [_edit(-3.0)], own, own]
    streams = [(row,) for row in range(len(prompts))]
    how = Decoding("sample", 6, temperature=1.0)
    seen: list[int] = []  # tokens of prompts in the last layer
    fill = KeyValues.fill

    def counted(self: KeyValues, layer: int, prompts: PromptTokens, *rest: Any) -> torch.Tensor:
        if layer == N_LAYERS - 1:
            seen.append(len(prompts.position))
        return fill(self, layer, prompts, *rest)

    monkeypatch.setattr(KeyValues, "fill", counted)
    together = decode(llama, prompts, edits, Scope("all"), how, streams=streams)
    assert max(seen) == 3 * len(PROMPT) + len(OTHER)
    for row, text in enumerate(together):
        (alone,) = decode(
            llama, [prompts[row]], [edits[row]], Scope("all"), how, streams=[streams[row]]
        )
        assert text.token_ids == alone.token_ids
        assert text.p_end_first == pytest.approx(alone.p_end_first, rel=1e-6)
