"""Moments over the vocabulary: scipy's, and a neuron that raises one token is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from clampsweep.studies.universal.vocabulary import (
    CUT,
    random_directions,
    vocab_moments,
    vocabulary,
)


def test_moments_of_a_tiny_gpt2_are_scipys_on_its_own_tensors(gpt2):
    table = vocabulary(gpt2)
    own = table[(table["processing"] == "raw") & (table["layer"] == 1)]
    out = gpt2.plain.transformer.h[1].mlp.c_proj.weight.detach().double().numpy()
    tokens = gpt2.plain.lm_head.weight.detach().double().numpy()[: len(gpt2.tokenizer)]
    unit = [one / np.linalg.norm(one, axis=1, keepdims=True) for one in (out, tokens)]
    cosines = unit[0] @ unit[1].T
    for name, wanted in (
        ("vocab_mean", cosines.mean(1)),
        ("vocab_var", cosines.var(1)),
        ("vocab_skew", stats.skew(cosines, axis=1)),
        ("vocab_kurt", stats.kurtosis(cosines, axis=1, fisher=False)),
    ):
        assert own[name].to_numpy() == pytest.approx(wanted, rel=1e-4, abs=1e-5), name


def test_a_direction_that_raises_few_tokens_is_beyond_the_cut_and_random_ones_are_not():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.nn.functional.normalize(torch.randn(3000, 128, generator=generator), dim=1)
    planted = torch.randn(128, generator=generator, dtype=torch.float64)
    tokens[:30] = torch.nn.functional.normalize(planted[None].float(), dim=1)
    drawn = torch.randn(200, 128, generator=generator, dtype=torch.float64)
    found = vocab_moments(torch.cat([planted[None], -3 * planted[None], drawn]), tokens)
    assert found["vocab_kurt"][0] > CUT
    assert found["vocab_skew"][0] > 0 > found["vocab_skew"][1]  # a turned direction lowers them
    assert found["vocab_kurt"][1] == pytest.approx(found["vocab_kurt"][0])  # of whatever length
    assert found["vocab_kurt"][2:].max() < CUT


def test_random_directions_are_as_many_as_asked_and_the_same_by_their_seed(gpt2):
    one, two = random_directions(gpt2, 20, 0), random_directions(gpt2, 20, 0)
    assert one.equals(two)
    assert one.groupby("processing").size().to_dict() == {"folded": 20, "raw": 20}
    assert not one.equals(random_directions(gpt2, 20, 1))
