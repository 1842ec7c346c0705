"""Moments over the vocabulary: scipy's, and a neuron that raises few tokens is found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from clampsweep.studies.universal.vocabulary import (
    CUT,
    MIXTURE,
    SPHERE,
    directions,
    moments,
    vocabulary,
)


def test_moments_of_a_tiny_gpt2_are_scipys_on_its_own_tensors(gpt2):
    table, null = vocabulary(gpt2, 20, 0)
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
    counts = null.groupby(["processing", "null"]).size()
    assert counts[("folded", SPHERE)] == counts[("raw", SPHERE)] == 20
    assert counts[("folded", MIXTURE)] >= 20
    again = vocabulary(gpt2, 20, 0)[1]
    assert null.equals(again)


def test_a_direction_that_raises_few_tokens_is_beyond_the_cut_and_random_ones_are_not():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3000, 128, generator=generator, dtype=torch.float64)
    planted = torch.randn(128, generator=generator, dtype=torch.float64)
    tokens[:30] = planted
    drawn = torch.randn(200, 128, generator=generator, dtype=torch.float64)
    both = torch.stack([planted, -3 * planted])
    found = moments(torch.cat([both, drawn]), directions(tokens))
    skew, kurt = found[:, 2], found[:, 3]
    assert kurt[0] > CUT
    assert skew[0] > 0 > skew[1]  # a turned direction lowers them
    assert kurt[1] == pytest.approx(kurt[0])  # of whatever length
    assert kurt[2:].max() < CUT
