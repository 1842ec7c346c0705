"""What rows become: their ends, margins, likelihoods and means, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from clampsweep.decoder.interventions import Scope, edit
from clampsweep.decoder.layer_edits import by_layer
from clampsweep.decoder.rows import DecodeJob, Means, Natural, RowTexts
from clampsweep.models.model import Model
from clampsweep.names import Neuron
from clampsweep.texts.request import Decoding
from tiny import D_MLP, N_CTX

EOS = 1


def _job(prompts: list[list[int]], **more: object) -> DecodeJob:
    job = DecodeJob(prompts, [[] for _ in prompts], Scope("all"), Decoding("greedy", 4))
    return replace(job, **more)


def _take(texts: RowTexts, rows: list[int], picked: list[int], margin: list[float]) -> list[int]:
    return texts.take(rows, np.array(picked), np.array(margin))


def test_rows_end_by_token_context_or_length_and_the_others_go_on(gpt2: Model) -> None:
    told: list[int] = []
    job = _job([[5], [6], [7] * (N_CTX - 1)], on_tokens=told.append)
    texts = RowTexts(replace(gpt2, eos_ids=frozenset({EOS})), job)
    assert _take(texts, [0, 1, 2], [10, 11, 12], [3.0, 2.0, 1.0]) == [0, 1, 2]
    assert _take(texts, [2, 0, 1], [13, 14, EOS], [0.1, 5.0, 0.5]) == [1]
    found = texts.decoded()
    assert [text.token_ids for text in found] == [[10, 14], [11], [12]]
    assert [text.stop_reason for text in found] == ["max_new_tokens", "eos", "context"]
    assert [text.min_margin for text in found] == [3.0, 0.5, 1.0]
    assert told == [3, 2], "a token that the context has no room for is no choice"


def test_drawn_tokens_have_no_margin(gpt2: Model) -> None:
    texts = RowTexts(gpt2, _job([[5]], streams=[(1,)]))
    _take(texts, [0], [10], [3.0])
    assert texts.decoded()[0].min_margin is None


def test_the_likelihood_is_the_mean_over_the_text_if_it_was_counted(gpt2: Model) -> None:
    texts = RowTexts(gpt2, _job([[5], [6]]))
    _take(texts, [0], [10], [1.0])
    assert [text.nll_unclamped for text in texts.decoded()] == [None, None]
    texts.note_nll([0], torch.tensor([2.0]))
    _take(texts, [0], [11], [1.0])
    texts.note_nll([0], torch.tensor([5.0]))
    assert [text.nll_unclamped for text in texts.decoded()] == [3.5, None]


def test_a_job_of_some_rows_keeps_what_belongs_to_them() -> None:
    changes = [[edit(Neuron(0, at), "zero")] for at in range(3)]
    job = _job([[5], [6], [7]], edits=changes, streams=[(0,), (1,), (2,)])
    some = job.take([2, 0])
    assert (some.prompts, some.streams) == ([[7], [5]], [(2,), (0,)])
    assert some.edits == [changes[2], changes[0]]


def test_means_are_over_positions_and_natural_ones_of_single_edits_alone(gpt2: Model) -> None:
    rows = [
        [edit(Neuron(1, 4), "zero")],
        [edit(Neuron(1, 4), "zero"), edit(Neuron(1, 5), "zero")],
        [],
    ]
    means = Means(gpt2, [1], by_layer(rows, gpt2.device, gpt2.dtype), 3)
    after = torch.randn(2, 3, D_MLP, generator=torch.Generator().manual_seed(0))
    for step, before in enumerate([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]):
        natural = Natural(torch.tensor([0, 1, 1]), torch.tensor(before))
        means.add(1, torch.tensor([2, 0, 1]), after[step], natural)
    for row, place in ((0, 1), (1, 2), (2, 0)):
        vectors, natural_means = means.of(row, 2)
        np.testing.assert_allclose(vectors[1], after[:, place].mean(0).numpy(), rtol=1e-6)
        assert natural_means == {1: pytest.approx(2.5) if row == 0 else None}
    assert means.of(0, 0) == ({}, {1: None})
